"""How each kind of store is opened for a profile: which folder, which keyring."""

from collections.abc import Mapping
from pathlib import Path

from tokencli.errors import KeyringError
from tokencli.frozen import dataclass
from tokencli.model import Profile
from tokencli.ports import Clock, Terminal, TokenStore
from tokencli.stores.folders import names
from tokencli.stores.guarded import owner
from tokencli.stores.places import runtime_dir, state_dir


@dataclass(frozen=True, slots=True)
class Around:
    """What a store may need beside the profile."""

    environ: Mapping[str, str]
    terminal: Terminal
    clock: Clock


def file(profile: Profile, around: Around) -> TokenStore:
    """Return the store on disk; its locks and journals lie beside it, wherever that is."""
    chosen = profile.state_dir
    return _files("file", Path(chosen).expanduser() if chosen else state_dir(), profile, around)


def runtime(profile: Profile, around: Around) -> TokenStore:
    """Return the store in the runtime directory, where locks and journals last as long as tokens."""
    return _files("runtime", runtime_dir(around.environ), profile, around)


def keyring(profile: Profile, around: Around) -> TokenStore:
    """Return the store in the OS keyring.

    Its locks are in the place that follows from the user, as the keyring does: two shells with
    different variables, or two configurations, share the keyring and so must share the lock.
    """
    from tokencli.sources.os_keyring import os_keyring
    from tokencli.stores.keyring import KeyringStore

    return KeyringStore(
        state_dir(),
        profile.name,
        keyring=os_keyring(around.environ, around.terminal),
        terminal=around.terminal,
        clock=around.clock,
        lock_timeout=profile.lock_timeout,
    )


def none(profile: Profile, around: Around) -> TokenStore:  # noqa: ARG001  # all are opened alike
    """Return the store that keeps nothing beyond the process."""
    from tokencli.stores.none import MemoryStore

    return MemoryStore()


def auto(profile: Profile, around: Around) -> TokenStore:
    """Return the keyring's store if the keyring works, else the runtime one, else none, and say so."""
    from tokencli.sources.os_keyring import os_keyring

    try:
        os_keyring(around.environ, around.terminal).check()
    except KeyringError as error:
        reason = error.message
    else:
        return keyring(profile, around)
    if runtime_dir(around.environ) is not None:
        # Who has a token in the keyring would wonder why it is asked for again.
        missed = names(state_dir() / "keys", beginning=owner(profile.name))
        say = around.terminal.note if missed else around.terminal.detail
        say(f"{reason}; so tokens are kept in the runtime directory")
        return runtime(profile, around)
    from tokencli.stores.none import MemoryStore

    why = (
        f"tokens are not kept: {reason}, and there is no runtime directory in memory"
        ' (store = "file" keeps them on disk, store = "none" stops this warning)'
    )
    return MemoryStore(lambda: around.terminal.warn(why))


def _files(name: str, root: Path | None, profile: Profile, around: Around) -> TokenStore:
    from tokencli.stores.file import FileStore

    return FileStore(
        root,
        profile.name,
        terminal=around.terminal,
        clock=around.clock,
        name=name,
        lock_timeout=profile.lock_timeout,
    )

"""How each kind of store is opened for a profile: which folder, which keyring."""

from collections.abc import Mapping
from pathlib import Path

from tokencli.errors import KeyringError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile
from tokencli.protocols import Clock, Terminal, TokenStore
from tokencli.system.private_dir import list_names
from tokencli.system.user_dirs import runtime_dir, state_dir
from tokencli.token_store.locked_store import profile_file_prefix


@dataclass(frozen=True, slots=True)
class StoreContext:
    """What a store may need beside the profile."""

    environ: Mapping[str, str]
    terminal: Terminal
    clock: Clock


def open_file_store(profile: Profile, around: StoreContext) -> TokenStore:
    """Return the store on disk; its locks and journals lie beside it, wherever that is."""
    chosen = profile.state_dir
    return _create_file_store(
        "file", Path(chosen).expanduser() if chosen else state_dir(), profile, around
    )


def open_runtime_store(profile: Profile, around: StoreContext) -> TokenStore:
    """Return the store in the runtime directory, where locks and journals last as long as tokens."""
    return _create_file_store("runtime", runtime_dir(around.environ), profile, around)


def open_keyring_store(profile: Profile, around: StoreContext) -> TokenStore:
    """Return the store in the OS keyring.

    Its locks are in the place that follows from the user, as the keyring does: two shells with
    different variables, or two configurations, share the keyring and so must share the lock.
    """
    from tokencli.secret_sources.keyring_client import get_os_keyring
    from tokencli.token_store.keyring import KeyringStore

    return KeyringStore(
        state_dir(),
        profile.name,
        keyring=get_os_keyring(around.environ, around.terminal),
        terminal=around.terminal,
        clock=around.clock,
        lock_timeout=profile.lock_timeout,
    )


def open_memory_store(profile: Profile, around: StoreContext) -> TokenStore:  # noqa: ARG001  # all are opened alike
    """Return the store that keeps nothing beyond the process."""
    from tokencli.token_store.memory import MemoryStore

    return MemoryStore()


def open_auto_store(profile: Profile, around: StoreContext) -> TokenStore:
    """Return the keyring's store if the keyring works, else the runtime one, else none, and say so."""
    from tokencli.secret_sources.keyring_client import get_os_keyring

    try:
        get_os_keyring(around.environ, around.terminal).require_usable()
    except KeyringError as error:
        reason = error.message
    else:
        return open_keyring_store(profile, around)
    if runtime_dir(around.environ) is not None:
        # Who has a token in the keyring would wonder why it is asked for again.
        missed = list_names(state_dir() / "keys", beginning=profile_file_prefix(profile.name))
        say = around.terminal.print_note if missed else around.terminal.print_detail
        say(f"{reason}; so tokens are kept in the runtime directory")
        return open_runtime_store(profile, around)
    from tokencli.token_store.memory import MemoryStore

    why = (
        f"tokens are not kept: {reason}, and there is no runtime directory in memory"
        ' (store = "file" keeps them on disk, store = "none" stops this warning)'
    )
    return MemoryStore(lambda: around.terminal.print_warning(why))


def _create_file_store(
    name: str, root: Path | None, profile: Profile, around: StoreContext
) -> TokenStore:
    from tokencli.token_store.file import FileStore

    return FileStore(
        root,
        profile.name,
        terminal=around.terminal,
        clock=around.clock,
        name=name,
        lock_timeout=profile.lock_timeout,
    )

"""Forget what is kept for a profile, wherever it may rest."""

import shlex
import sys
from dataclasses import dataclass

from tokencli.errors import KeyringError, StorageError
from tokencli.model import Profile
from tokencli.ports import Edges

_CLEAR = {
    "darwin": ("security delete-generic-password -s {}", " -a {}"),
    "win32": ("cmdkey /delete:{}", ""),
}
"""Platform -> the command that forgets a keyring item by its service, and by its user name too."""
_CLEAR_ELSEWHERE = "secret-tool clear service {}", " username {}"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is no longer kept."""

    tokens: int
    secrets: tuple[str, ...]


def forget(
    profile: Profile, edges: Edges, *, secrets: bool = False, force: bool = False
) -> Forgotten:
    """Forget the profile's tokens, with `secrets` its secrets in the keyring, for whatever server.

    A place that can't be reached is no reason to leave the others as they are. With `force` it is
    said what stays in a keyring that can't be, and how to clear it; else that is an error, once the
    rest is done.

    Raises:
        StorageError: a place refused. KeyringError: what is to be forgotten is in a keyring that
            can't be reached.
    """
    tokens, refused = 0, None
    lost: KeyringError | None = None
    stays: dict[str, str] = {}
    for store in edges.every_store(profile):
        try:
            tokens += store.forget(profile.name, force=force)
        except KeyringError as error:
            lost = error
            stays["tokens"] = clearing(f"tokencli:{profile.name}:token")
        except StorageError as error:
            refused = error
    forgotten = []
    for ref in profile.secrets.values() if secrets else ():
        if ref.kind != "keyring":
            continue
        service, username = ref.target
        try:
            if edges.keeper.delete(ref, everywhere=True):
                forgotten.append(ref.name)
        except KeyringError as error:
            lost = error
            own = service.startswith(f"tokencli:{profile.name}:")
            stays[ref.name] = clearing(service, "" if own else username)
    if lost is not None:
        _out_of_reach(profile, edges, lost, stays, secrets=secrets, force=force)
    if refused is not None:
        raise _unforgotten(refused, profile, "tokens")
    return Forgotten(tokens, tuple(forgotten))


def clearing(service: str, username: str = "") -> str:
    """Return the command of the system's own that forgets a keyring item."""
    by_service, by_username = _CLEAR.get(sys.platform, _CLEAR_ELSEWHERE)
    text = by_service + by_username if username else by_service
    return text.format(shlex.quote(service), shlex.quote(username))


def _out_of_reach(
    profile: Profile,
    edges: Edges,
    error: KeyringError,
    stays: dict[str, str],
    *,
    secrets: bool,
    force: bool,
) -> None:
    if force:
        edges.terminal.warn(
            f"what the OS keyring has of profile {profile.name!r} ({', '.join(stays)}) stays there:"
            f" {error.message}; to clear it when it is back: {'; '.join(stays.values())}"
        )
        return
    more = " --secrets" if secrets else ""
    error.hint = (
        f"unlock or start the keyring and try again, or: tokencli logout {profile.name}{more} --force"
        "   (forgets the rest, and says how to clear the keyring later)"
    )
    raise _unforgotten(error, profile, ", ".join(stays))


def _unforgotten(
    error: KeyringError | StorageError, profile: Profile, what: str
) -> KeyringError | StorageError:
    error.message = f"{what} of profile {profile.name!r} could not be forgotten: {error.message}"
    error.args = (error.message,)
    return error

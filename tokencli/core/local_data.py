"""Forget what is kept for a profile, wherever it may rest."""

import shlex
import sys
from dataclasses import dataclass

from tokencli.errors import KeyringError, StorageError
from tokencli.models import Profile
from tokencli.protocols import Context

_DELETE_COMMANDS = {
    "darwin": ("security delete-generic-password -s {}", " -a {}"),
    "win32": ("cmdkey /delete:{}", ""),
}
"""Platform -> the command that forgets a keyring item by its service, and by its user name too."""
_DEFAULT_DELETE_COMMAND = "secret-tool clear service {}", " username {}"


@dataclass(frozen=True, slots=True)
class DeletedLocalData:
    """What is no longer kept."""

    token_count: int
    secret_names: tuple[str, ...]


def delete_local_data(
    profile: Profile, ctx: Context, *, secrets: bool = False, force: bool = False
) -> DeletedLocalData:
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
    for store in ctx.all_token_stores(profile):
        try:
            tokens += store.delete_profile_tokens(profile.name, force=force)
        except KeyringError as error:
            lost = error
            stays["tokens"] = keyring_delete_command(f"tokencli:{profile.name}:token")
        except StorageError as error:
            refused = error
    forgotten = []
    for ref in profile.secrets.values() if secrets else ():
        if ref.kind != "keyring":
            continue
        service, username = ref.target
        try:
            if ctx.keyring.delete_secret(ref, everywhere=True):
                forgotten.append(ref.name)
        except KeyringError as error:
            lost = error
            own = service.startswith(f"tokencli:{profile.name}:")
            stays[ref.name] = keyring_delete_command(service, "" if own else username)
    if lost is not None:
        _report_unreachable_keyring(profile, ctx, lost, stays, secrets=secrets, force=force)
    if refused is not None:
        raise _not_deleted_error(refused, profile, "tokens")
    return DeletedLocalData(tokens, tuple(forgotten))


def keyring_delete_command(service: str, username: str = "") -> str:
    """Return the command of the system's own that forgets a keyring item."""
    by_service, by_username = _DELETE_COMMANDS.get(sys.platform, _DEFAULT_DELETE_COMMAND)
    text = by_service + by_username if username else by_service
    return text.format(shlex.quote(service), shlex.quote(username))


def _report_unreachable_keyring(
    profile: Profile,
    ctx: Context,
    error: KeyringError,
    stays: dict[str, str],
    *,
    secrets: bool,
    force: bool,
) -> None:
    if force:
        ctx.terminal.print_warning(
            f"what the OS keyring has of profile {profile.name!r} ({', '.join(stays)}) stays there:"
            f" {error.message}; to clear it when it is back: {'; '.join(stays.values())}"
        )
        return
    more = " --secrets" if secrets else ""
    error.fix = (
        f"unlock or start the keyring and try again, or: tokencli logout {profile.name}{more} --force"
        "   (forgets the rest, and says how to clear the keyring later)"
    )
    raise _not_deleted_error(error, profile, ", ".join(stays))


def _not_deleted_error(
    error: KeyringError | StorageError, profile: Profile, what: str
) -> KeyringError | StorageError:
    error.message = f"{what} of profile {profile.name!r} could not be forgotten: {error.message}"
    error.args = (error.message,)
    return error

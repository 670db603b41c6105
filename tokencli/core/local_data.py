"""Delete and list what is stored locally for a profile: its tokens, and its secrets in the OS keyring."""

from collections.abc import Iterator
from dataclasses import dataclass

from tokencli.errors import KeyringError, NoKeyringError, StorageError, TokencliError
from tokencli.models import Profile, SecretRef
from tokencli.protocols import Context


@dataclass(frozen=True, slots=True)
class DeletedLocalData:
    """What was deleted."""

    token_count: int
    secret_names: tuple[str, ...]


def delete_local_data(
    profile: Profile,
    ctx: Context,
    *,
    secrets: bool = False,
    force: bool = False,
    already_deleted: int = 0,
) -> DeletedLocalData:
    """Delete the profile's tokens of all servers, with `secrets` also its secrets in the keyring.

    `already_deleted` is the number of token sets that were deleted before, for the messages.

    If one store can't be reached, the others are cleared all the same. If it is a keyring, `force`
    turns the error into a warning that says what is left in it and how to delete that.

    Raises:
        StorageError: a store failed. KeyringError: the keyring holds something that should be
            deleted and can't be reached.
    """
    token_count = 0
    storage_error: StorageError | None = None
    keyring_error: KeyringError | None = None
    left_in_keyring: dict[str, str] = {}
    for store in ctx.all_token_stores(profile):
        try:
            token_count += store.delete_profile_tokens(profile.name, force=force)
        except KeyringError as error:
            keyring_error = error
            left_in_keyring["tokens"] = ctx.keyring.delete_command(f"tokencli:{profile.name}:token")
        except StorageError as error:
            storage_error = error
    # After the stores: a renewal that was running has cached its token before it released the lock.
    copy_error = _delete_cached_token(profile, ctx)
    deleted_secrets = []
    for ref in profile.secrets.values() if secrets else ():
        if ref.kind != "keyring":
            continue
        service, username = ref.target
        try:
            if ctx.keyring.delete_secret(ref, everywhere=True):
                deleted_secrets.append(ref.name)
        except KeyringError as error:
            keyring_error = error
            is_ours = service.startswith(f"tokencli:{profile.name}:")
            left_in_keyring[ref.name] = ctx.keyring.delete_command(
                service, "" if is_ours else username
            )
    if keyring_error is not None:
        _report_unreachable_keyring(
            profile,
            ctx,
            keyring_error,
            left_in_keyring,
            token_count=already_deleted + token_count,
            secrets=secrets,
            force=force,
        )
    if storage_error is not None:
        raise _not_deleted_error(storage_error, profile, "tokens")
    if copy_error is not None:
        raise copy_error
    return DeletedLocalData(token_count, tuple(deleted_secrets))


def delete_history(name: str, ctx: Context) -> None:
    """Delete the events of a profile that is removed; a failure is only a warning."""
    try:
        ctx.event_log.delete_profile(name)
    except StorageError as error:
        ctx.terminal.print_warning(
            f"the event log still has events of profile {name!r}: {error.message}"
        )


def _delete_cached_token(profile: Profile, ctx: Context) -> StorageError | None:
    """Delete all copies of the access token; return an error if one of them may still be printed."""
    unusable_copies = []
    for error, is_used in ctx.token_cache(profile).delete_copies():
        if is_used:
            return StorageError(
                f"couldn't delete a copy of profile {profile.name!r}'s access token: {error.message}",
                cause="until the token expires, `tokencli get` and hooked shells may print it;"
                " everything else was deleted",
            )
        unusable_copies.append(error.message)
    for message in unusable_copies:
        ctx.terminal.print_warning(
            f"a copy of the access token is no longer used, but couldn't be deleted: {message}"
        )
    return None


def _report_unreachable_keyring(
    profile: Profile,
    ctx: Context,
    error: KeyringError,
    left_in_keyring: dict[str, str],
    *,
    token_count: int,
    secrets: bool,
    force: bool,
) -> None:
    if force:
        ctx.terminal.print_warning(
            f"not deleted from the OS keyring for profile {profile.name!r}: {', '.join(left_in_keyring)}"
            f" ({error.message}); to delete it when the keyring is available:"
            f" {'; '.join(left_in_keyring.values())}"
        )
        return
    option = " --secrets" if secrets else ""
    what = ", ".join(
        "older tokens" if name == "tokens" else f"the {name}" for name in left_in_keyring
    )
    deleted = f"deleted {token_count or 'no'} token{'' if token_count == 1 else 's'} of profile"
    error.message = (
        f"{deleted} {profile.name!r}; couldn't check the keyring for {what}: {error.message}"
    )
    error.args = (error.message,)
    error.fix = f"tokencli logout {profile.name}{option} --force"
    raise error


def _not_deleted_error(error: StorageError, profile: Profile, what: str) -> StorageError:
    error.message = f"couldn't delete the {what} of profile {profile.name!r}: {error.message}"
    error.args = (error.message,)
    return error


def find_keyring_secrets(profile: Profile, ctx: Context) -> Iterator[tuple[SecretRef, bool]]:
    """Yield the profile's secrets in the OS keyring, and whether that is certain."""
    for ref in profile.secrets.values():
        if ref.kind == "keyring":
            is_stored = _keyring_has_secret(ref, ctx)
            if is_stored is not False:
                yield ref, is_stored is True


def may_have_keyring_secrets(name: str, ctx: Context) -> bool:
    """Whether the OS keyring may hold secrets of a profile of which only the name is known."""
    # Start-up: it loads pydantic, which `logout` does without.
    from tokencli.config.resolve import check_profile_name_and_type

    if check_profile_name_and_type(name, {}):
        return False  # a profile with such a name can't have been used
    try:
        ref = SecretRef("keyring", "password", name, (f"tokencli:{name}:password", ""))
        ctx.secret_source("keyring").read(ref)
    except TokencliError as error:
        return not isinstance(error, NoKeyringError)
    return True


def _keyring_has_secret(ref: SecretRef, ctx: Context) -> bool | None:
    """Whether the keyring has the secret; None if it can't be read."""
    try:
        return bool(ctx.secret_source("keyring").read(ref))
    except NoKeyringError:
        return False
    except TokencliError:
        return None

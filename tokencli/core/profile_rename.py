"""Rename or copy a profile with what is stored for it: tokens, and secrets in the OS keyring."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from tokencli.core.local_data import delete_local_data
from tokencli.errors import KeyringError, LockTimeoutError, NoKeyringError, StorageError
from tokencli.models import Profile, SecretRef, StoredTokenSet
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding, derive_credential_key


@dataclass(frozen=True, slots=True)
class MovedData:
    """What was moved to the new name."""

    token_count: int
    secret_names: tuple[str, ...]
    deleted_token_count: int
    """Tokens of earlier settings, which no profile could use any more."""


def rename_stored_data(
    old: Profile,
    new: Profile,
    ctx: Context,
    write: Callable[[], None],
    deferred_signals: ExitStack,
) -> MovedData:
    """Move tokens and secrets to the new name; `write` changes the configuration in between.

    The copies are made first and the originals deleted last, while the credentials are locked: a
    refresh token is never in use under two names, and if anything fails, the old name still works.
    Signals are deferred from the first copy until the caller closes `deferred_signals`. Both profiles have the endpoints of their issuer's cached metadata.

    Raises:
        KeyringError, StorageError: something couldn't be copied, so nothing was changed.
        LockTimeoutError: another process is getting a token of the profile.
    """
    secrets = dict(
        _iter_moved_secrets(old, new, ctx)
    )  # before any lock: a keyring may ask to unlock
    with ExitStack() as locks:
        pairs = list(zip(ctx.all_token_stores(old), ctx.all_token_stores(new), strict=True))
        tokens = [found for pair in pairs for found in _lock_tokens(old, new, *pair, locks)]
        deferred_signals.enter_context(ctx.defer_signals(f"renaming profile {old.name}"))
        with ExitStack() as undo:
            for ref, moved in secrets.items():
                _copy_secret(ref, moved, ctx, undo)
            for token in tokens:
                _copy_token(*token, undo)
            write()
            undo.pop_all()
        for store, _, stored, _ in tokens:
            with suppress(KeyringError, StorageError):  # `delete_local_data` reports it
                store.delete_token_set(stored.binding.key)
        owned = replace(old, secrets={ref.name: ref for ref in secrets})
        deleted = delete_local_data(owned, ctx, secrets=bool(secrets), force=True)
        try:
            ctx.event_log.rename_profile(old.name, new.name)
        except StorageError as error:
            ctx.terminal.print_warning(
                f"the event log still has events of profile {old.name!r}: {error.message}"
            )
    names = tuple(ref.name for ref in secrets)
    return MovedData(len(tokens), names, deleted.token_count)


def copy_secrets(source: Profile, copy: Profile, ctx: Context) -> tuple[str, ...]:
    """Copy the secrets in the OS keyring that both profiles send to the same server; return their names.

    Raises:
        KeyringError, StorageError: one couldn't be copied; then none was.
    """
    secrets = dict(_iter_moved_secrets(source, copy, ctx))
    with ExitStack() as undo:
        for ref, copied in secrets.items():
            _copy_secret(ref, copied, ctx, undo)
        undo.pop_all()
    return tuple(ref.name for ref in secrets)


def list_copyable_secrets(source: Profile, copy: Profile, ctx: Context) -> list[str]:
    """Return the names of the secrets that `copy_secrets` would copy; none if the keyring can't be read."""
    try:
        return [ref.name for ref, _ in _iter_moved_secrets(source, copy, ctx)]
    except KeyringError:
        return []


def _iter_moved_secrets(
    old: Profile, new: Profile, ctx: Context
) -> Iterator[tuple[SecretRef, SecretRef]]:
    """Yield where each stored secret is and where the other profile looks for it."""
    for name, ref in old.secrets.items():
        moved = new.secrets.get(name)
        if ref.kind != "keyring" or moved is None or moved.kind != "keyring":
            continue
        if ref.target == moved.target or ref.target[1] != moved.target[1]:
            continue  # the same entry, or that of another server
        try:
            if ctx.secret_source("keyring").read(ref):
                yield ref, moved
        except NoKeyringError:
            return
        except KeyringError as error:
            if error.affects_whole_keyring:
                raise
            # It was stored for another server or account, so the profile can't use it.
            ctx.terminal.print_warning(
                f"skipped: {error.message}; to delete it: {ctx.keyring.delete_command(ref.target[0])}"
            )


def _copy_secret(ref: SecretRef, moved: SecretRef, ctx: Context, undo: ExitStack) -> None:
    secret = ctx.secret_source("keyring").read(ref)
    if secret:
        restore = ctx.keyring.store_secret(moved, secret, ctx.keyring.read_account(ref))
        undo.callback(_ignoring_storage_errors(restore))


def _lock_tokens(
    old: Profile, new: Profile, store: TokenStore, new_store: TokenStore, locks: ExitStack
) -> Iterator[tuple[TokenStore, TokenStore, StoredTokenSet, StoredTokenSet]]:
    """Lock the profile's credentials, and yield each stored token set with its counterpart."""
    listed = store.list_credential_keys(old.name)
    for key in dict.fromkeys((derive_binding(old).key, *listed)):
        try:
            locks.enter_context(store.lock_credential(key, old.lock_timeout))
            stored = store.load(key)
        except (KeyringError, StorageError) as error:
            if key in listed or isinstance(error, LockTimeoutError):
                raise
            continue  # this store isn't available, and nothing was ever stored in it
        renamed = _rename_token_set(stored, old, new) if stored is not None else None
        if stored is not None and renamed is not None:
            yield store, new_store, stored, renamed


def _rename_token_set(stored: StoredTokenSet, old: Profile, new: Profile) -> StoredTokenSet | None:
    """Return the token set as the renamed profile looks for it; None if it is of earlier settings.

    It may have been fetched with other scopes, or before other servers were named.
    """
    key, receivers = stored.binding.key, stored.binding.receivers
    scope = stored.token.scope
    for known in (None, receivers):
        for variant in (old, replace(old, scope=scope)):
            if derive_credential_key(variant, known) == key:
                renamed = replace(new, scope=variant.scope)
                binding = replace(
                    derive_binding(renamed), key=derive_credential_key(renamed, known)
                )
                binding = replace(binding, receivers=receivers)
                return replace(stored, binding=binding)
    return None


def _copy_token(
    store: TokenStore,
    new_store: TokenStore,
    stored: StoredTokenSet,
    renamed: StoredTokenSet,
    undo: ExitStack,
) -> None:
    key, refresh_token = renamed.binding.key, stored.token.refresh_token
    undo.callback(_ignoring_storage_errors(lambda: new_store.delete_token_set(key)))
    new_store.save(renamed)
    if refresh_token is not None and store.was_refresh_interrupted(
        stored.binding.key, refresh_token
    ):
        new_store.begin_refresh(key, refresh_token)


def _ignoring_storage_errors(action: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with suppress(KeyringError, StorageError):
            action()

    return run

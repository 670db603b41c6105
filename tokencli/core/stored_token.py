"""Use a stored token set: find it without fetching one, and extend a sliding expiry."""

from dataclasses import replace

from tokencli.errors import CredentialsError
from tokencli.models import Profile, StoredTokenSet, TokenSet
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding


def find_stored_token(profile: Profile, ctx: Context) -> StoredTokenSet | None:
    """Return the profile's stored token set; None if there certainly is none.

    If the profile's store is `auto`, the token may be in a keyring that isn't working right now.

    Raises:
        StorageError: the store can't be read. KeyringError: the keyring can't be reached.
    """
    key, store = derive_binding(profile).key, ctx.token_store(profile)
    stored = store.load(key)
    if stored is not None or profile.store != "auto" or store.name == "keyring":
        return stored
    keyring = ctx.token_store(replace(profile, store="keyring"))
    return keyring.load(key) if key in keyring.list_credential_keys(profile.name) else None


def require_stored_token(profile: Profile, ctx: Context) -> TokenSet:
    """Return the profile's stored token, fresh or not, without fetching one.

    Raises:
        CredentialsError: none is stored. StorageError, KeyringError: the store can't be read.
    """
    stored = find_stored_token(profile, ctx)
    if stored is None or stored.binding != derive_binding(profile):
        raise CredentialsError(
            f"no token is stored for profile {profile.name!r}", fix=f"tokencli get {profile.name}"
        )
    return stored.token


def extend_sliding_expiry(
    stored: StoredTokenSet, store: TokenStore, profile: Profile, ctx: Context
) -> StoredTokenSet:
    """Return a token set that is about to be used, with a new expiry if use extends its lifetime.

    Some servers keep a session open as long as it is used. Every token that is handed out counts
    as used now.
    """
    if stored.token.sliding_lifetime is None:
        return stored
    key = stored.binding.key
    with store.lock_credential(key, profile.lock_timeout):
        if store.load(key) != stored:
            return stored
        expires_at = ctx.clock.now() + stored.token.sliding_lifetime
        extended = replace(stored, token=replace(stored.token, expires_at=expires_at))
        store.save(extended)
        return extended

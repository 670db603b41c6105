"""Look at what is stored for a profile, and fetch nothing."""

from dataclasses import replace

from tokencli.models import Profile, StoredTokenSet
from tokencli.protocols import Context
from tokencli.token_store.credential_key import derive_binding


def find_stored_token(profile: Profile, ctx: Context) -> StoredTokenSet | None:
    """Return the token set that is stored for the profile, or None where there is none for sure.

    A profile whose store is `auto` may have one in a keyring that does not work at the moment.

    Raises:
        StorageError: the place can't be read. KeyringError: it is out of reach.
    """
    key, store = derive_binding(profile).key, ctx.token_store(profile)
    stored = store.load(key)
    if stored is not None or profile.store != "auto" or store.name == "keyring":
        return stored
    passed_over = ctx.token_store(replace(profile, store="keyring"))
    return passed_over.load(key) if key in passed_over.list_credential_keys(profile.name) else None

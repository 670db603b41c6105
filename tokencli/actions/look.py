"""Look at what is stored for a profile, and fetch nothing."""

from dataclasses import replace

from tokencli.model import Profile, StoredToken
from tokencli.ports import Edges
from tokencli.stores.key import binding


def look(profile: Profile, edges: Edges) -> StoredToken | None:
    """Return the token set that is stored for the profile, or None where there is none for sure.

    A profile whose store is `auto` may have one in a keyring that does not work at the moment.

    Raises:
        StorageError: the place can't be read. KeyringError: it is out of reach.
    """
    key, store = binding(profile).key, edges.store(profile)
    stored = store.load(key)
    if stored is not None or profile.store != "auto" or store.name == "keyring":
        return stored
    passed_over = edges.store(replace(profile, store="keyring"))
    return passed_over.load(key) if key in passed_over.keys(profile.name) else None

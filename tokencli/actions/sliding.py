"""Sessions that the server keeps open as long as they are used."""

from dataclasses import replace

from tokencli.model import Profile, StoredToken
from tokencli.ports import Edges, TokenStore


def handed_out(
    stored: StoredToken, store: TokenStore, profile: Profile, edges: Edges
) -> StoredToken:
    """Return a stored token that is about to be used; where use lengthens its life, note that.

    Whoever gets a token uses it: its life is counted from here, as the server will count it.
    """
    if stored.token.idle is None:
        return stored
    key = stored.binding.key
    with store.lock(key, profile.lock_timeout):
        now = store.load(key)
        if now != stored:
            return stored
        longer = replace(stored.token, expires_at=edges.clock.now() + stored.token.idle)
        store.save(replace(stored, token=longer))
        return replace(stored, token=longer)

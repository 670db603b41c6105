"""Sessions that the server keeps open as long as they are used."""

from dataclasses import replace

from tokencli.models import Profile, StoredTokenSet
from tokencli.protocols import Context, TokenStore


def extend_sliding_expiry(
    stored: StoredTokenSet, store: TokenStore, profile: Profile, ctx: Context
) -> StoredTokenSet:
    """Return a stored token that is about to be used; where use lengthens its life, note that.

    Whoever gets a token uses it: its life is counted from here, as the server will count it.
    """
    if stored.token.sliding_lifetime is None:
        return stored
    key = stored.binding.key
    with store.lock_credential(key, profile.lock_timeout):
        now = store.load(key)
        if now != stored:
            return stored
        longer = replace(stored.token, expires_at=ctx.clock.now() + stored.token.sliding_lifetime)
        store.save(replace(stored, token=longer))
        return replace(stored, token=longer)

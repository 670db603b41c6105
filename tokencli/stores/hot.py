"""The hot copy: a profile's access token where a warm `get` finds it, kept in step with its store."""

from math import ceil, floor

from tokencli.model import Binding, Profile, Secret, StoredToken, TokenSet
from tokencli.ports import TokenStore
from tokencli.stores.shelf import Records

_B64TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")


class AccessCopy:
    """The access token of one profile, where a warm `get` finds it."""

    def __init__(self, records: Records, profile: Profile) -> None:
        self._records = records
        self._profile = profile

    def read(self, bound: Binding) -> StoredToken | None:
        """Return the copy, fresh or not, or None where there is none of that credential."""
        if not self._profile.hot_copy:
            return None
        fields = self._records.read("token", self._profile.name)
        try:
            _, _, _, token, obtained_at, expires_at, margin, key, token_type, scope = fields or []
            if key != bound.key:
                return None
            found = TokenSet(
                access_token=Secret(token),
                token_type=token_type,
                obtained_at=float(obtained_at),
                expires_at=float(expires_at),
                margin=float(margin) if margin else None,
                scope=scope[1:] if scope else None,
            )
        except ValueError:
            return None
        return StoredToken(bound, found)

    def keep(self, stored: StoredToken, store: TokenStore) -> None:
        """Copy what was found in the store, where there is no copy of it.

        No lock is held: a newer token may have been saved and copied in the meantime. So the store is
        asked once more after the copy is made, and a copy of something else is taken away again.
        """
        known = self.read(stored.binding)
        if store.name == "none" or (
            known is not None and known.token.access_token == stored.token.access_token
        ):
            return
        if self._put(stored) and store.load(stored.binding.key) != stored:
            self._records.drop("token", self._profile.name)

    def put(self, stored: StoredToken) -> None:
        """Copy what was just saved in the store, and let no older copy stay."""
        if not self._profile.hot_copy:
            return
        self._records.forget(self._profile.name)
        self._records.sweep()
        self._put(stored)

    def drop(self) -> None:
        """Forget the copy."""
        self._records.drop("token", self._profile.name)

    def _put(self, stored: StoredToken) -> bool:
        """Write the copy of a token that is all there is to know, and tell whether it was."""
        token, profile = stored.token, self._profile
        value, ends = token.access_token.reveal(), token.expires_at
        if token.outputs or token.idle is not None:
            return False  # a copy holds no outputs, and a look at it lengthens no life
        if not profile.hot_copy or ends is None or not value or not _B64TOKEN.issuperset(value):
            return False
        if token.proof_key or stored.subject or profile.dpop:
            return False  # the token alone would not do, or not be sure to be the right one
        lines = [
            str(ceil(token.obtained_at)),
            str(floor(ends - max(token.margin_s, profile.min_ttl or 0.0))),
            profile.export,
            value,
            repr(token.obtained_at),
            repr(ends),
            "" if token.margin is None else repr(token.margin),
            stored.binding.key,
            token.token_type,
            "" if token.scope is None else f"={token.scope}",
        ]
        if not "".join(lines).isprintable():
            return False
        return self._records.write("token", profile.name, lines)


class Mirrored:
    """A store whose every change is followed by the hot copy."""

    def __init__(self, inner: TokenStore, copy: AccessCopy, records: Records) -> None:
        self._inner = inner
        self._copy = copy
        self._records = records
        self.name = inner.name
        self.load = inner.load
        self.keys = inner.keys
        self.prepare = inner.prepare
        self.begin = inner.begin
        self.conclude = inner.conclude
        self.interrupted = inner.interrupted
        self.lock = inner.lock

    def save(self, stored: StoredToken) -> None:
        """Save in the store, then copy."""
        self._inner.save(stored)
        if self._inner.name == "none":
            self._copy.drop()
        else:
            self._copy.put(stored)

    def clear(self, key: str, only: Secret | None = None) -> bool:
        """Forget the copy, then what is in the store."""
        self._copy.drop()
        return self._inner.clear(key, only)

    def forget(self, profile: str, *, force: bool = False) -> int:
        """Forget the copies, then what is in the store."""
        self._records.forget(profile)
        return self._inner.forget(profile, force=force)

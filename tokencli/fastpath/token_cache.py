"""The hot copy: a profile's access token where a warm `get` finds it, kept in step with its store."""

from math import ceil, floor

from tokencli.fastpath.records import CacheRecords
from tokencli.models import Profile, Secret, StoredTokenSet, TokenBinding, TokenSet
from tokencli.protocols import TokenStore

_B64TOKEN_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")


class TokenCache:
    """The access token of one profile, where a warm `get` finds it."""

    def __init__(self, records: CacheRecords, profile: Profile) -> None:
        self._records = records
        self._profile = profile

    def load_token(self, bound: TokenBinding) -> StoredTokenSet | None:
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
        return StoredTokenSet(bound, found)

    def fill_from_store(self, stored: StoredTokenSet, store: TokenStore) -> None:
        """Copy what was found in the store, where there is no copy of it.

        No lock is held: a newer token may have been saved and copied in the meantime. So the store is
        asked once more after the copy is made, and a copy of something else is taken away again.
        """
        known = self.load_token(stored.binding)
        if store.name == "none" or (
            known is not None and known.token.access_token == stored.token.access_token
        ):
            return
        if self._write_record(stored) and store.load(stored.binding.key) != stored:
            self._records.delete_record("token", self._profile.name)

    def replace_token(self, stored: StoredTokenSet) -> None:
        """Copy what was just saved in the store, and let no older copy stay."""
        if not self._profile.hot_copy:
            return
        self._records.delete_tokens(self._profile.name)
        self._records.delete_orphans()
        self._write_record(stored)

    def delete_token(self) -> None:
        """Forget the copy."""
        self._records.delete_record("token", self._profile.name)

    def _write_record(self, stored: StoredTokenSet) -> bool:
        """Write the copy of a token that is all there is to know, and tell whether it was."""
        token, profile = stored.token, self._profile
        value, ends = token.access_token.reveal(), token.expires_at
        if token.outputs or token.sliding_lifetime is not None:
            return False  # a copy holds no outputs, and a look at it lengthens no life
        if (
            not profile.hot_copy
            or ends is None
            or not value
            or not _B64TOKEN_CHARS.issuperset(value)
        ):
            return False
        if token.dpop_key or stored.subject_hash or profile.dpop:
            return False  # the token alone would not do, or not be sure to be the right one
        lines = [
            str(ceil(token.obtained_at)),
            str(floor(ends - token.required_lifetime(profile.min_ttl))),
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


class CachingStore:
    """A store whose every change is followed by the hot copy."""

    def __init__(self, inner: TokenStore, copy: TokenCache, records: CacheRecords) -> None:
        self._inner_store = inner
        self._token_cache = copy
        self._records = records
        self.name = inner.name
        self.load = inner.load
        self.list_credential_keys = inner.list_credential_keys
        self.reserve_space = inner.reserve_space
        self.begin_refresh = inner.begin_refresh
        self.end_refresh = inner.end_refresh
        self.was_refresh_interrupted = inner.was_refresh_interrupted
        self.lock_credential = inner.lock_credential

    def save(self, stored: StoredTokenSet) -> None:
        """Save in the store, then copy."""
        self._inner_store.save(stored)
        if self._inner_store.name == "none":
            self._token_cache.delete_token()
        else:
            self._token_cache.replace_token(stored)

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Forget the copy, then what is in the store."""
        self._token_cache.delete_token()
        return self._inner_store.delete_token_set(key, only)

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        """Forget the copies, then what is in the store."""
        self._records.delete_tokens(profile)
        return self._inner_store.delete_profile_tokens(profile, force=force)

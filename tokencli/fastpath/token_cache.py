"""The token cache of the fast path: a copy of each profile's access token, kept in step with its store."""

from math import ceil, floor

from tokencli.errors import StorageError
from tokencli.fastpath.reader import B64TOKEN_CHARACTERS
from tokencli.fastpath.records import FastPathRecords
from tokencli.models import Profile, Secret, StoredTokenSet, TokenBinding, TokenSet
from tokencli.protocols import TokenStore
from tokencli.system.user_dirs import list_copy_dirs, remember_runtime_dir, state_dir


class TokenCache:
    """The cached access token of one profile."""

    def __init__(self, records: FastPathRecords, profile: Profile) -> None:
        self._records = records
        self._profile = profile

    def load_token(self, bound: TokenBinding) -> StoredTokenSet | None:
        """Return the cached token of that credential, fresh or not, or None."""
        if not self._profile.hot_copy:
            return None
        fields = self._records.read("token", self._profile.name)
        try:
            _, _, _, token, obtained_at, expires_at, margin, key, token_type, scope = fields or []
            margin, _, clock_skew = margin.partition(" ")
            if key != bound.key:
                return None
            token_set = TokenSet(
                access_token=Secret(token),
                token_type=token_type,
                obtained_at=float(obtained_at),
                expires_at=float(expires_at),
                margin=float(margin) if margin else None,
                scope=scope[1:] if scope else None,
                clock_skew=float(clock_skew) if clock_skew else None,
            )
        except ValueError:
            return None
        return StoredTokenSet(bound, token_set)

    def fill_from_store(self, stored: StoredTokenSet, store: TokenStore) -> None:
        """Cache a token that was loaded from the store, unless it is cached already.

        No lock is held, so another process may have saved and cached a newer token meanwhile. The
        store is therefore read again afterwards, and the cached token deleted if it differs.
        """
        cached = self.load_token(stored.binding)
        if store.name == "none" or (
            cached is not None and cached.token.access_token == stored.token.access_token
        ):
            return
        if self._write_record(stored) and store.load(stored.binding.key) != stored:
            self._records.delete_record("token", self._profile.name)

    def replace_token(self, stored: StoredTokenSet) -> None:
        """Cache a token that was just saved in the store, and delete all older copies."""
        if not self._profile.hot_copy:
            return
        self.delete_copies()
        self._records.delete_orphans()
        self._write_record(stored)

    def delete_token(self) -> None:
        """Delete the cached token."""
        self._records.delete_record("token", self._profile.name)

    def delete_copies(self) -> list[tuple[StorageError, bool]]:
        """Delete the cached token in every runtime directory that may have it.

        Return an error for each copy that can't be deleted, and whether it may still be printed.
        """
        bases = list_copy_dirs(state_dir(self._profile.state_dir))
        return self._records.delete_copies(self._profile.name, bases)

    def remember_base_dir(self) -> bool:
        """Note where the records are, so that a logout elsewhere finds them; tell whether it worked."""
        base = self._records.base_dir
        return base is not None and remember_runtime_dir(base, state_dir(self._profile.state_dir))

    def fingerprint(self) -> object | None:
        """Return what changes whenever the cached token does; None if there is none."""
        if not self._profile.hot_copy:
            return None
        return self._records.fingerprint("token", self._profile.name)

    def _write_record(self, stored: StoredTokenSet) -> bool:
        """Cache the token if it is all that a request needs, and tell whether it was cached."""
        token, profile = stored.token, self._profile
        value, expires_at = token.access_token.reveal(), token.expires_at
        fresh_until = token.fresh_until(profile.reachable_min_ttl())
        if token.outputs or profile.provider.output_names:
            return False  # they are not cached, and `exec` strips the variables of all of them
        if token.sliding_lifetime is not None:
            return False  # use must extend it
        if (
            not profile.hot_copy
            or expires_at is None
            or fresh_until is None
            or not value
            or value.strip(B64TOKEN_CHARACTERS)
        ):
            return False
        if token.dpop_key or stored.subject_hash or profile.dpop:
            return False  # the token needs a proof, or depends on a subject that can change
        # The hooks count the lines of a record, so the clock's skew has none of its own.
        margin = "" if token.margin is None else repr(token.margin)
        lines = [
            str(ceil(token.obtained_at)),
            str(floor(fresh_until)),
            profile.export,
            value,
            repr(token.obtained_at),
            repr(expires_at),
            margin if token.clock_skew is None else f"{margin} {token.clock_skew!r}",
            stored.binding.key,
            token.token_type,
            "" if token.scope is None else f"={token.scope}",
        ]
        if not "".join(lines).isprintable():
            return False
        return self.remember_base_dir() and self._records.write("token", profile.name, lines)


class CachingStore:
    """A token store that keeps the token cache in step with every change."""

    def __init__(self, inner: TokenStore, cache: TokenCache, records: FastPathRecords) -> None:
        self._inner_store = inner
        self._token_cache = cache
        self._records = records
        self.name = inner.name
        self.loss_reason = inner.loss_reason
        self.load = inner.load
        self.list_credential_keys = inner.list_credential_keys
        self.reserve_space = inner.reserve_space
        self.begin_refresh = inner.begin_refresh
        self.end_refresh = inner.end_refresh
        self.was_refresh_interrupted = inner.was_refresh_interrupted
        self.lock_credential = inner.lock_credential

    def fingerprint(self, key: str) -> object | None:
        """Return the store's, or else that of the cached token, which changes together with it."""
        return self._inner_store.fingerprint(key) or self._token_cache.fingerprint()

    def save(self, stored: StoredTokenSet) -> None:
        """Save in the store, then cache."""
        if self._inner_store.name == "runtime":
            self._token_cache.remember_base_dir()
        self._inner_store.save(stored)
        if self._inner_store.name == "none":
            self._token_cache.delete_token()
        else:
            self._token_cache.replace_token(stored)

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Delete the cached token, then the stored one."""
        self._token_cache.delete_token()
        return self._inner_store.delete_token_set(key, only)

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        """Delete the cached tokens, then the stored ones."""
        self._records.delete_tokens(profile)
        return self._inner_store.delete_profile_tokens(profile, force=force)

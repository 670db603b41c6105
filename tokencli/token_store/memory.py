"""The store `none`: tokens in this process's memory."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from tokencli.errors import LockTimeoutError
from tokencli.models import Profile, Secret, StoredTokenSet
from tokencli.system.timeout import wait_for
from tokencli.token_store import StoreContext

_STORED_TOKENS: dict[str, StoredTokenSet] = {}
_STARTED_REFRESHES: dict[str, Secret] = {}
_CREDENTIAL_LOCKS: dict[str, RLock] = {}
if hasattr(os, "register_at_fork"):  # a forked child lacks the threads that hold them
    os.register_at_fork(after_in_child=_CREDENTIAL_LOCKS.clear)


def open_store(profile: Profile, context: StoreContext) -> "MemoryStore":  # noqa: ARG001  # every store has both
    """Return the store; it needs nothing."""
    return MemoryStore('the profile has store = "none"')


class MemoryStore:
    """Stores tokens in memory, shared by all stores of this class in the process.

    `loss_reason` says why they aren't kept. `warn` is called before something is stored, for users
    who expect it to be kept longer.
    """

    def __init__(self, loss_reason: str, warn: Callable[[], None] = lambda: None) -> None:
        self.loss_reason = loss_reason
        self._warn = warn

    @property
    def name(self) -> str:
        """`none`."""
        return "none"

    def load(self, key: str) -> StoredTokenSet | None:
        """Return the token set stored under `key`, or None."""
        return _STORED_TOKENS.get(key)

    def fingerprint(self, key: str) -> object | None:
        """Return the token set itself, as it is never changed."""
        return _STORED_TOKENS.get(key)

    def reserve_space(self, key: str, size: int) -> None:  # noqa: ARG002  # part of the protocol
        """Only warn: memory need not be reserved."""
        self._warn()

    def save(self, stored: StoredTokenSet) -> None:
        """Store the token set until the process ends."""
        self._warn()
        _STORED_TOKENS[stored.binding.key] = stored
        self.end_refresh(stored.binding.key)

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        """Record that this refresh token is about to be used."""
        _STARTED_REFRESHES[key] = refresh_token

    def end_refresh(self, key: str) -> None:
        """Record that the refresh has ended."""
        _STARTED_REFRESHES.pop(key, None)

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether a refresh with this token was started and never finished."""
        return _STARTED_REFRESHES.get(key) == refresh_token

    def list_credential_keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of the profile are stored."""
        return [key for key, stored in _STORED_TOKENS.items() if stored.binding.profile == profile]

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:  # noqa: ARG002  # part of the protocol
        """Delete everything of the profile; count token sets."""
        return sum(self.delete_token_set(key) for key in self.list_credential_keys(profile))

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Delete the token set; with `only`, only if that is its refresh token."""
        with self.lock_credential(key, -1):
            stored = _STORED_TOKENS.get(key)
            if stored is None or (only is not None and stored.token.refresh_token != only):
                return False
            self.end_refresh(key)
            return _STORED_TOKENS.pop(key, None) is not None

    @contextmanager
    def lock_credential(
        self,
        key: str,
        timeout: float,
        unless: Callable[[], StoredTokenSet | None] = lambda: None,  # noqa: ARG002  # part of the protocol
    ) -> Iterator[StoredTokenSet | None]:
        """Hold the credential's lock among the threads of the process."""
        lock = _CREDENTIAL_LOCKS.setdefault(key, RLock())
        if not wait_for(lambda seconds: lock.acquire(timeout=seconds), timeout):
            raise LockTimeoutError(
                f"another thread has been getting this token for more than {timeout:g} s",
                cause="wait longer with --lock-timeout 2m",
            )
        try:
            yield None
        finally:
            lock.release()

"""No store: what one process got is known to that process alone, and gone with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from tokencli.errors import LockTimeoutError
from tokencli.models import Profile, Secret, StoredTokenSet
from tokencli.token_store import StoreContext

_STORED_TOKENS: dict[str, StoredTokenSet] = {}
_STARTED_REFRESHES: dict[str, Secret] = {}
_CREDENTIAL_LOCKS: dict[str, RLock] = {}


def open_store(profile: Profile, context: StoreContext) -> "MemoryStore":  # noqa: ARG001  # every store has both
    """Return the store; it needs nothing."""
    return MemoryStore()


class MemoryStore:
    """Keep tokens in the process's memory, shared by all who use it there.

    Whoever would have them kept for longer is told by `warn`, when there is something to keep.
    """

    def __init__(self, warn: Callable[[], None] = lambda: None) -> None:
        self._warn = warn

    @property
    def name(self) -> str:
        """`none`."""
        return "none"

    def load(self, key: str) -> StoredTokenSet | None:
        """Return what is stored under `key`."""
        return _STORED_TOKENS.get(key)

    def reserve_space(self, key: str, size: int) -> None:  # noqa: ARG002  # the port has them
        """Do nothing but warn: memory is there or the process is not."""
        self._warn()

    def save(self, stored: StoredTokenSet) -> None:
        """Keep the token set while the process lives."""
        self._warn()
        _STORED_TOKENS[stored.binding.key] = stored
        self.end_refresh(stored.binding.key)

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        """Note that this refresh token is about to be spent."""
        _STARTED_REFRESHES[key] = refresh_token

    def end_refresh(self, key: str) -> None:
        """Note that the spending begun is over."""
        _STARTED_REFRESHES.pop(key, None)

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether spending it was begun and never concluded."""
        return _STARTED_REFRESHES.get(key) == refresh_token

    def list_credential_keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of that profile are stored."""
        return [key for key, stored in _STORED_TOKENS.items() if stored.binding.profile == profile]

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:  # noqa: ARG002  # the port has it
        """Forget everything of that profile; count token sets."""
        return sum(self.delete_token_set(key) for key in self.list_credential_keys(profile))

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Forget what is stored under `key`; with `only`, just if its refresh token is that one."""
        with self.lock_credential(key, -1):
            stored = _STORED_TOKENS.get(key)
            if stored is None or (only is not None and stored.token.refresh_token != only):
                return False
            self.end_refresh(key)
            return _STORED_TOKENS.pop(key, None) is not None

    @contextmanager
    def lock_credential(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the credential's lock among the threads of the process."""
        lock = _CREDENTIAL_LOCKS.setdefault(key, RLock())
        if not lock.acquire(timeout=timeout):
            raise LockTimeoutError(
                f"another thread has been getting this token for more than {timeout:g} s",
                fix="wait for longer: --lock-timeout 2m",
            )
        try:
            yield
        finally:
            lock.release()

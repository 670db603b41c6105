"""No store: what one process got is known to that process alone, and gone with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from tokencli.errors import LockTimeout
from tokencli.model import Secret, StoredToken

_TOKENS: dict[str, StoredToken] = {}
_SPENT: dict[str, Secret] = {}
_LOCKS: dict[str, RLock] = {}


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

    def load(self, key: str) -> StoredToken | None:
        """Return what is stored under `key`."""
        return _TOKENS.get(key)

    def prepare(self, key: str, size: int) -> None:  # noqa: ARG002  # the port has them
        """Do nothing but warn: memory is there or the process is not."""
        self._warn()

    def save(self, stored: StoredToken) -> None:
        """Keep the token set while the process lives."""
        self._warn()
        _TOKENS[stored.binding.key] = stored
        self.conclude(stored.binding.key)

    def begin(self, key: str, refresh_token: Secret) -> None:
        """Note that this refresh token is about to be spent."""
        _SPENT[key] = refresh_token

    def conclude(self, key: str) -> None:
        """Note that the spending begun is over."""
        _SPENT.pop(key, None)

    def interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether spending it was begun and never concluded."""
        return _SPENT.get(key) == refresh_token

    def keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of that profile are stored."""
        return [key for key, stored in _TOKENS.items() if stored.binding.profile == profile]

    def forget(self, profile: str, *, force: bool = False) -> int:  # noqa: ARG002  # the port has it
        """Forget everything of that profile; count token sets."""
        return sum(self.clear(key) for key in self.keys(profile))

    def clear(self, key: str, only: Secret | None = None) -> bool:
        """Forget what is stored under `key`; with `only`, just if its refresh token is that one."""
        with self.lock(key, -1):
            stored = _TOKENS.get(key)
            if stored is None or (only is not None and stored.token.refresh_token != only):
                return False
            self.conclude(key)
            return _TOKENS.pop(key, None) is not None

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the credential's lock among the threads of the process."""
        lock = _LOCKS.setdefault(key, RLock())
        if not lock.acquire(timeout=timeout):
            raise LockTimeout(
                f"another thread has been getting this token for more than {timeout:g} s",
                hint="wait for longer: --lock-timeout 2m",
            )
        try:
            yield
        finally:
            lock.release()

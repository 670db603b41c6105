"""Tokens in the OS keyring: one item for each credential, or several where items are small."""

from pathlib import Path

from tokencli.errors import KeyringError
from tokencli.model import Secret, StoredToken
from tokencli.ports import Clock, Terminal
from tokencli.sources.os_keyring import OsKeyring
from tokencli.stores import files, record, shards
from tokencli.stores.guarded import Guarded

_OVERHEAD = 1024
"""Characters of a record beside the tokens themselves."""
_CORRUPT, _TRIAL = "corrupt", "trial"


class KeyringStore(Guarded):
    """Items of the service `tokencli:PROFILE:token`; which keys are in use is noted in `root`."""

    def __init__(
        self,
        root: Path,
        profile: str,
        *,
        keyring: OsKeyring,
        terminal: Terminal,
        clock: Clock,
        lock_timeout: float = 30.0,
    ) -> None:
        super().__init__(root, profile, terminal=terminal, clock=clock, lock_timeout=lock_timeout)
        self._keyring = keyring
        self._proven: set[str] = set()

    @property
    def name(self) -> str:
        """`keyring`."""
        return "keyring"

    def load(self, key: str) -> StoredToken | None:
        """Return what is stored under `key`; damage is a miss, and is set aside under the lock."""
        text = self._keyring.get(*self._item(key))
        if text is None:
            return None
        self._proven.add(key)
        try:
            stored = record.parse(self._joined(key, text).encode())
            if stored.binding.key != key:
                raise ValueError("of another credential")
        except ValueError:
            if self.holds(key):
                self._note(key)
                self._keyring.put(*self._item(key, _CORRUPT), text)
                self._keyring.drop(*self._item(key))
                self._terminal.warn(
                    f"a stored token of profile {self._profile!r} could not be read; it is set"
                    f" aside in the keyring as {' '.join(self._item(key, _CORRUPT))}"
                )
            return None
        return stored

    def prepare(self, key: str, size: int) -> None:
        """See that the keyring takes an item and gives it back, and that `size` bytes would fit.

        Raises:
            KeyringError: it does not. StorageError: the key can't be noted.
        """
        if self._keyring.limit is not None:
            shards.cut(" " * (size + _OVERHEAD), self._keyring.limit)
        self._note(key)
        # A keyring that has just given back what it once took needs no trial; nor one that would
        # ask the person whether the trial may be removed.
        if key not in self._proven and self._keyring.check() and not self._keyring.asks_first:
            self._keyring.put(*self._item(key, _TRIAL), _TRIAL)
            self._keyring.drop(*self._item(key, _TRIAL))

    def save(self, stored: StoredToken) -> None:
        """Save and read back; what was there goes only then."""
        key, text = stored.binding.key, record.dump(stored).decode("ascii")
        self._note(key)
        if self._keyring.limit is None:
            self._keyring.put(*self._item(key), text)
        else:
            self._save_in_parts(key, text, self._keyring.limit)
        self.conclude(key)

    def clear(self, key: str, only: Secret | None = None) -> bool:
        """Forget what is stored under `key`; with `only`, just if its refresh token is that one."""
        with self.lock(key, self._lock_timeout):
            if only is not None:
                stored = self.load(key)
                if stored is None or stored.token.refresh_token != only:
                    return False
            self.conclude(key)
            return self._drop(key, self._profile)

    def keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of that profile may be stored."""
        return self.known(profile, self._ledger)

    def forget(self, profile: str, *, force: bool = False) -> int:
        """Forget everything of that profile, parts, journals and leftovers too; count token sets.

        A keyring that can't be asked is no error where nothing was ever kept in it. Else it is, and
        with `force` it is forgotten nevertheless that there was something.
        """
        known = self.known(profile, self._ledger, self.journal.place)
        count = 0
        for key in known:
            with self.lock(key, self._lock_timeout):
                try:
                    self._drop(key, profile, _CORRUPT)
                    self._drop(key, profile, _TRIAL)
                    count += self._drop(key, profile)
                except KeyringError:
                    if not force:
                        raise
                self.journal.conclude(self.entry(key, profile))
                files.remove(self._ledger / self.entry(key, profile))
        try:
            count += self._keyring.drop_all(_service(profile))
        except KeyringError:
            if known:
                raise
        return count

    @property
    def _ledger(self) -> Path:
        return self.root / "keys"

    def _note(self, key: str) -> None:
        """Note that the keyring may hold something under `key`, so that `forget` finds it."""
        path = self.folder("keys") / self.entry(key)
        if files.read(path) is None:
            files.write(path, b"")

    def _item(self, key: str, part: str = "", profile: str | None = None) -> tuple[str, str]:
        """Return service and user name of an item."""
        service, username = _service(profile or self._profile), f"{key}.{part}" if part else key
        if self._keyring.limit is None:
            return service, username
        # On Windows a second user name under a service would make the backend move the first item.
        return f"{service}:{username}", username

    def _joined(self, key: str, text: str) -> str:
        head = shards.read_head(text)
        if head is None:
            return text
        items = (self._item(key, f"{head.generation}{n}") for n in range(head.parts))
        return shards.join(head, [self._keyring.get(*item) for item in items])

    def _save_in_parts(self, key: str, text: str, limit: int) -> None:
        before = shards.read_head(self._keyring.get(*self._item(key)))
        if len(text) <= limit:
            self._keyring.put(*self._item(key), text)
        else:
            parts = shards.cut(text, limit)
            head = shards.head(text, len(parts), before)
            for n, part in enumerate(parts):
                self._keyring.put(*self._item(key, f"{head.generation}{n}"), part)
            self._keyring.put(*self._item(key), head.dump())
            self._drop_parts(key, head.generation, self._profile, start=len(parts))
        if before is not None:
            self._drop_parts(key, before.generation, self._profile, sure=before.parts)

    def _drop(self, key: str, profile: str, which: str = "") -> bool:
        """Forget an item with all its parts, and tell whether it was there."""
        item = self._item(key, which, profile)
        if self._keyring.limit is not None:
            head = shards.read_head(self._keyring.get(*item))
            for generation in ("a", "b"):
                sure = head.parts if head is not None and head.generation == generation else 0
                self._drop_parts(key, generation, profile, sure=sure)
        return self._keyring.drop(*item)

    def _drop_parts(
        self, key: str, generation: str, profile: str, *, start: int = 0, sure: int = 0
    ) -> None:
        """Forget the parts of a generation from `start` on, up to `sure` and then to the first gap."""
        n = start
        while self._keyring.drop(*self._item(key, f"{generation}{n}", profile)) or n < sure:
            n += 1


def _service(profile: str) -> str:
    return f"tokencli:{profile}:token"

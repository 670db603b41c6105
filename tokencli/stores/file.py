"""Tokens in files: on disk where that was chosen, or in the memory-backed runtime directory."""

from pathlib import Path

from tokencli.model import Secret, StoredToken
from tokencli.ports import Clock, Terminal
from tokencli.stores import files, record
from tokencli.stores.folders import directory, flush, storage_error
from tokencli.stores.guarded import Guarded

_OVERHEAD = 1024
"""Bytes of a record beside the tokens themselves."""


class FileStore(Guarded):
    """One file for each credential in the folder `tokens` of `root`."""

    def __init__(
        self,
        root: Path | None,
        profile: str,
        *,
        terminal: Terminal,
        clock: Clock,
        name: str = "file",
        lock_timeout: float = 30.0,
    ) -> None:
        super().__init__(root, profile, terminal=terminal, clock=clock, lock_timeout=lock_timeout)
        self._name = name
        self._drafts: dict[str, files.Draft] = {}

    @property
    def name(self) -> str:
        """`file` or `runtime`."""
        return self._name

    def load(self, key: str) -> StoredToken | None:
        """Return what is stored under `key`; damage is a miss.

        It is set aside under the lock alone: without it, a good file might just have come.
        """
        if not directory(self.root, create=False, chosen=True):
            return None
        if not directory(self._folder, create=False):
            return None
        path = self._path(key)
        try:
            data = files.read(path)
            if data is None:
                return None
            stored = record.parse(data)
            if stored.binding.key != key:
                raise ValueError("of another credential")
        except ValueError:
            if self.holds(key):
                place = files.set_aside(path)
                self._terminal.warn(
                    f"a stored token of profile {self._profile!r} could not be read; it is set aside"
                    f" as {place}"
                )
            return None
        return stored

    def prepare(self, key: str, size: int) -> None:
        """Hold `size` bytes on the disk for the next `save`, and clear away what dead runs left."""
        folder = self.folder("tokens")
        try:
            # A run that was killed may have left a token set that a power cut would still undo.
            flush(folder)
        except OSError as error:
            raise storage_error(error, folder) from None
        self.let_go(key)
        if self.holds(key):
            for draft in list(files.leftovers(self._path(key))):
                files.remove(draft)
        self._drafts[key] = files.Draft(self._path(key), size + _OVERHEAD)

    def save(self, stored: StoredToken) -> None:
        """Save durably; what was there stays if this fails."""
        key = stored.binding.key
        data = record.dump(stored)
        draft = self._drafts.pop(key, None)
        if draft is None:
            self.folder("tokens")
            draft = files.Draft(self._path(key), len(data))
        draft.commit(data)
        self.conclude(key)

    def clear(self, key: str, only: Secret | None = None) -> bool:
        """Forget what is stored under `key`; with `only`, just if its refresh token is that one."""
        with self.lock(key, self._lock_timeout):
            if only is not None:
                stored = self.load(key)
                if stored is None or stored.token.refresh_token != only:
                    return False
            self.conclude(key)
            return files.remove(self._path(key), durably=True)

    def keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of that profile may be stored."""
        return [] if self._root is None else self.known(profile, self._folder)

    def forget(self, profile: str, *, force: bool = False) -> int:  # noqa: ARG002  # the port has it
        """Forget everything of that profile, journals and leftovers too; count token sets."""
        if self._root is None:
            return 0
        count = 0
        for key in self.known(profile, self._folder, self.journal.place):
            with self.lock(key, self._lock_timeout):
                count += files.remove(self._path(key, profile), durably=True)
                self.journal.conclude(self.entry(key, profile))
                self._sweep(self.entry(key, profile))
        return count

    def let_go(self, key: str) -> None:
        """Give back the room that `prepare` held and `save` did not use."""
        draft = self._drafts.pop(key, None)
        if draft is not None:
            draft.drop()

    @property
    def _folder(self) -> Path:
        return self.root / "tokens"

    def _path(self, key: str, profile: str | None = None) -> Path:
        return self._folder / f"{self.entry(key, profile)}.json"

    def _sweep(self, entry: str) -> None:
        """Remove drafts and what was set aside."""
        for folder in (self._folder, self.journal.place):
            for path in folder.glob(f"*{entry}.*"):
                files.remove(path)

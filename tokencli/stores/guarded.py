"""What a store has around its tokens: the lock and the journal of each credential."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import get_ident

from tokencli.errors import StorageError
from tokencli.model import Secret
from tokencli.ports import Clock, Terminal
from tokencli.stores.folders import directory, names
from tokencli.stores.journal import Journal
from tokencli.stores.lock import hold


def owner(profile: str) -> str:
    """Return the beginning of the name of every file that belongs to the profile."""
    return sha256(profile.encode()).hexdigest()[:16] + "-"


class Guarded:
    """Guard the credentials of one profile, with locks and a journal in the folder `root`.

    Without a `root` there is no such store here, and every use of it raises StorageError.
    """

    def __init__(
        self,
        root: Path | None,
        profile: str,
        *,
        terminal: Terminal,
        clock: Clock,
        lock_timeout: float = 30.0,
    ) -> None:
        self._root = root
        self._profile = profile
        self._terminal = terminal
        self._clock = clock
        self._lock_timeout = lock_timeout
        self._held: dict[str, int] = {}

    @property
    def root(self) -> Path:
        """Return the folder; raises StorageError where there is none."""
        if self._root is None:
            raise StorageError(
                "there is no runtime directory that is yours alone and kept in memory",
                hint='set another store in the profile: "keyring", "file" or "none"',
            )
        return self._root

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the credential's lock; a thread that has it already goes on.

        Raises:
            LockTimeout: somebody else holds it for longer than `timeout` seconds.
        """
        if self.holds(key):
            yield
            return
        path = self.folder("locks") / f"{self.entry(key)}.lock"
        doing = f"getting a token for profile {self._profile!r}"
        with hold(path, doing=doing, timeout=timeout, note=self._terminal.note):
            self._held[key] = get_ident()
            try:
                yield
            finally:
                del self._held[key]
                self.let_go(key)

    def holds(self, key: str) -> bool:
        """Tell whether this thread holds the credential's lock."""
        return self._held.get(key) == get_ident()

    def folder(self, name: str) -> Path:
        """Return a folder of the store, made and checked."""
        # The folder above may be one that the user chose, with other things in it.
        directory(self.root, chosen=True)
        directory(self.root / name)
        return self.root / name

    def let_go(self, key: str) -> None:
        """Give up what was prepared for the credential; called as its lock is released."""

    def begin(self, key: str, refresh_token: Secret) -> None:
        """Note durably that this refresh token is about to be spent."""
        self.folder("journal")
        self.journal.begin(self.entry(key), refresh_token, self._clock.now())

    def conclude(self, key: str) -> None:
        """Note that the spending begun is over."""
        self.journal.conclude(self.entry(key))

    def interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether an earlier run began to spend this very refresh token and never concluded."""
        return self.journal.interrupted(self.entry(key), refresh_token)

    @property
    def journal(self) -> Journal:
        """Return the journal beside the locks."""
        return Journal(self.root / "journal")

    def entry(self, key: str, profile: str | None = None) -> str:
        """Return the name, without suffix, of the files that belong to a credential."""
        return owner(profile or self._profile) + key

    def known(self, profile: str, *folders: Path) -> list[str]:
        """Return the keys of the profile that have files in these folders, drafts too."""
        mine = owner(profile)
        found = (
            name.lstrip(".").removeprefix(mine).split(".")[0]
            for folder in folders
            for name in names(folder)
            if name.lstrip(".").startswith(mine)
        )
        return sorted(set(found))

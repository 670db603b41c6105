"""What a store has around its tokens: the lock and the journal of each credential."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import get_ident

from tokencli.errors import StorageError
from tokencli.models import Secret
from tokencli.protocols import Clock, Terminal
from tokencli.system.file_lock import hold_lock
from tokencli.system.private_dir import ensure_private_dir, list_names
from tokencli.token_store.journal import Journal


def profile_file_prefix(profile: str) -> str:
    """Return the beginning of the name of every file that belongs to the profile."""
    return sha256(profile.encode()).hexdigest()[:16] + "-"


class LockedStore:
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
        self._lock_owner_threads: dict[str, int] = {}

    @property
    def root(self) -> Path:
        """Return the folder; raises StorageError where there is none."""
        if self._root is None:
            raise StorageError(
                "there is no runtime directory that is yours alone and kept in memory",
                fix='set another store in the profile: "keyring", "file" or "none"',
            )
        return self._root

    @contextmanager
    def lock_credential(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the credential's lock; a thread that has it already goes on.

        Raises:
            LockTimeout: somebody else holds it for longer than `timeout` seconds.
        """
        if self.holds_lock(key):
            yield
            return
        path = self.ensure_subdir("locks") / f"{self.file_stem(key)}.lock"
        doing = f"getting a token for profile {self._profile!r}"
        with hold_lock(path, doing=doing, timeout=timeout, note=self._terminal.print_note):
            self._lock_owner_threads[key] = get_ident()
            try:
                yield
            finally:
                del self._lock_owner_threads[key]
                self.release_reservation(key)

    def holds_lock(self, key: str) -> bool:
        """Tell whether this thread holds the credential's lock."""
        return self._lock_owner_threads.get(key) == get_ident()

    def ensure_subdir(self, name: str) -> Path:
        """Return a folder of the store, made and checked."""
        # The folder above may be one that the user chose, with other things in it.
        ensure_private_dir(self.root, chosen=True)
        ensure_private_dir(self.root / name)
        return self.root / name

    def release_reservation(self, key: str) -> None:
        """Give up what was prepared for the credential; called as its lock is released."""

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        """Note durably that this refresh token is about to be spent."""
        self.ensure_subdir("journal")
        self.journal.record_refresh_start(self.file_stem(key), refresh_token, self._clock.now())

    def end_refresh(self, key: str) -> None:
        """Note that the spending begun is over."""
        self.journal.record_refresh_end(self.file_stem(key))

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether an earlier run began to spend this very refresh token and never concluded."""
        return self.journal.is_refresh_unfinished(self.file_stem(key), refresh_token)

    @property
    def journal(self) -> Journal:
        """Return the journal beside the locks."""
        return Journal(self.root / "journal")

    def file_stem(self, key: str, profile: str | None = None) -> str:
        """Return the name, without suffix, of the files that belong to a credential."""
        return profile_file_prefix(profile or self._profile) + key

    def list_known_keys(self, profile: str, *folders: Path) -> list[str]:
        """Return the keys of the profile that have files in these folders, drafts too."""
        mine = profile_file_prefix(profile)
        found = (
            name.lstrip(".").removeprefix(mine).split(".")[0]
            for folder in folders
            for name in list_names(folder)
            if name.lstrip(".").startswith(mine)
        )
        return sorted(set(found))

"""Base class of the stores that have files: the lock and the journal of each credential."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import get_ident

from tokencli.errors import StorageError
from tokencli.models import Secret, StoredTokenSet
from tokencli.protocols import Clock, Terminal
from tokencli.system import private_files
from tokencli.system.file_lock import hold_lock
from tokencli.system.private_files import ensure_private_dir, list_names
from tokencli.system.user_dirs import explain_missing_runtime_dir

JOURNAL_VERSION = 1

_lock_owner_threads: dict[Path, int] = {}
"""Lock file -> the thread that holds it. Stores with the same directory share their locks."""


def profile_file_prefix(profile: str) -> str:
    """Return the prefix of the names of all files that belong to the profile."""
    return sha256(profile.encode()).hexdigest()[:16] + "-"


class Journal:
    """Which refresh token a run was about to use: one file for each credential.

    A server that rotates refresh tokens may have replied to a run that was killed before it saved the
    reply. The next run recognizes this and can say so. Only a hash of the refresh token is stored.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def record_refresh_start(self, name: str, refresh_token: Secret, now: float) -> None:
        """Record durably that `refresh_token` is about to be used."""
        entry = {
            "version": JOURNAL_VERSION,
            "spent": _hash_refresh_token(name, refresh_token),
            "at": now,
        }
        private_files.write_atomically(self._entry_path(name), json.dumps(entry).encode("ascii"))

    def record_refresh_end(self, name: str) -> bool:
        """Record that the refresh has ended, and tell whether one had started."""
        return private_files.remove_file(self._entry_path(name))

    def is_refresh_unfinished(self, name: str, refresh_token: Secret) -> bool:
        """Tell whether a run started to use this refresh token and never finished."""
        try:
            entry = json.loads(private_files.read_private_file(self._entry_path(name)) or b"null")
        except (ValueError, RecursionError, StorageError):
            return False  # an unreadable entry is ignored and overwritten by the next refresh
        return (
            isinstance(entry, dict)
            and entry.get("version") == JOURNAL_VERSION
            and entry.get("spent") == _hash_refresh_token(name, refresh_token)
        )

    def _entry_path(self, name: str) -> Path:
        return self.directory / f"{name}.json"


class LockedStore(ABC):
    """Locks and a journal for the credentials of one profile, in the directory `root`.

    Without a `root` the store isn't available on this system, and every use raises StorageError.
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

    @property
    def loss_reason(self) -> None:
        """None: files and keyrings keep tokens."""
        return

    @property
    def root(self) -> Path:
        """Return the directory; raises StorageError if there is none."""
        if self._root is None:
            raise StorageError(
                "there is no private runtime directory in memory",
                cause=explain_missing_runtime_dir(),
                fix=f"tokencli profiles edit {self._profile} --set store=file",
            )
        return self._root

    @contextmanager
    def lock_credential(
        self,
        key: str,
        timeout: float,
        unless: Callable[[], StoredTokenSet | None] = lambda: None,
    ) -> Iterator[StoredTokenSet | None]:
        """Hold the credential's lock; a thread that already holds it continues.

        See `protocols.TokenStore`.
        """
        if self.holds_lock(key):
            yield None
            return
        self.ensure_subdir("locks")
        path = self._lock_path(key)
        doing = f"getting a token for profile {self._profile!r}"
        show_wait = self._terminal.show_wait
        with hold_lock(
            path, doing=doing, timeout=timeout, show_wait=show_wait, unless=unless
        ) as found:
            if found is not None:
                yield found
                return
            _lock_owner_threads[path] = get_ident()
            try:
                yield None
            finally:
                del _lock_owner_threads[path]
                self.release_reservation(key)

    def holds_lock(self, key: str) -> bool:
        """Tell whether this thread holds the credential's lock."""
        return _lock_owner_threads.get(self._lock_path(key)) == get_ident()

    def _lock_path(self, key: str) -> Path:
        return self.root / "locks" / f"{self.file_stem(key)}.lock"

    def ensure_subdir(self, name: str) -> Path:
        """Return a directory of the store after creating and checking it."""
        # The user may have chosen `root`, with other files in it.
        ensure_private_dir(self.root, chosen=True)
        ensure_private_dir(self.root / name)
        return self.root / name

    @abstractmethod
    def load(self, key: str) -> StoredTokenSet | None:
        """Return the token set stored under `key`, or None."""

    def fingerprint(self, key: str) -> object | None:  # noqa: ARG002  # part of the protocol
        """Return None: only loading what is stored tells whether it has changed."""
        return None

    @abstractmethod
    def delete_stored(self, key: str) -> bool:
        """Delete the token set, and tell whether there was one; the caller holds the lock."""

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Delete the token set; with `only`, only if that is its refresh token."""
        with self.lock_credential(key, self._lock_timeout):
            if only is not None:
                stored = self.load(key)
                if stored is None or stored.token.refresh_token != only:
                    return False
            self.end_refresh(key)
            return self.delete_stored(key)

    def release_reservation(self, key: str) -> None:  # noqa: B027  # only some stores reserve space
        """Release reserved space; called when the credential's lock is released."""

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        """Record durably that this refresh token is about to be used."""
        self.ensure_subdir("journal")
        self.journal.record_refresh_start(self.file_stem(key), refresh_token, self._clock.now())

    def end_refresh(self, key: str) -> None:
        """Record that the refresh has ended."""
        self.journal.record_refresh_end(self.file_stem(key))

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Tell whether an earlier run started to use this refresh token and never finished."""
        return self.journal.is_refresh_unfinished(self.file_stem(key), refresh_token)

    @property
    def journal(self) -> Journal:
        """Return the journal, which is next to the locks."""
        return Journal(self.root / "journal")

    def file_stem(self, key: str, profile: str | None = None) -> str:
        """Return the name, without suffix, of a credential's files."""
        return profile_file_prefix(profile or self._profile) + key

    def list_known_keys(self, profile: str, *directories: Path) -> list[str]:
        """Return the keys of the profile that have files in these directories, including drafts."""
        prefix = profile_file_prefix(profile)
        keys = {
            name.lstrip(".").removeprefix(prefix).split(".")[0]
            for directory in directories
            for name in list_names(directory)
            if name.lstrip(".").startswith(prefix)
        }
        return sorted(keys)


def _hash_refresh_token(name: str, refresh_token: Secret) -> str:
    """Hash the token with the credential's name, so that two entries can't be compared."""
    return sha256(f"{name}\n{refresh_token.reveal()}".encode(errors="surrogatepass")).hexdigest()

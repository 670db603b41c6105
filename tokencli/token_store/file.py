"""Tokens in files that only their user can open, one file for each credential; encrypted on Windows."""

from contextlib import suppress
from pathlib import Path

from tokencli import platforms
from tokencli.errors import StorageError
from tokencli.models import Profile, StoredTokenSet
from tokencli.protocols import Clock, Terminal, TokenStore
from tokencli.system import private_files
from tokencli.system.private_files import build_storage_error, ensure_private_dir, sync_dir
from tokencli.system.user_dirs import state_dir
from tokencli.token_store import StoreContext, token_record
from tokencli.token_store.locked_store import LockedStore

_RECORD_OVERHEAD_BYTES = 1024
"""Size of a record without the tokens themselves."""


def open_store(profile: Profile, context: StoreContext) -> TokenStore:
    """Return the store in the profile's `state_dir`, or the user's; locks and journals are there too."""
    return FileStore(
        context.once(f"state_dir {profile.state_dir}", lambda: state_dir(profile.state_dir)),
        profile.name,
        terminal=context.terminal,
        clock=context.clock,
        lock_timeout=profile.lock_timeout,
    )


class FileStore(LockedStore):
    """Token sets in the directory `tokens` of `root`."""

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
        self._pending_writes: dict[str, private_files.AtomicWrite] = {}

    @property
    def name(self) -> str:
        """`file` or `runtime`."""
        return self._name

    def load(self, key: str) -> StoredTokenSet | None:
        """Return the token set stored under `key`, or None if there is none or it is damaged.

        A damaged file is renamed only under the lock: without it, a valid file might just have
        replaced it.
        """
        if not ensure_private_dir(self.root, create=False, chosen=True):
            return None
        if not ensure_private_dir(self._tokens_dir, create=False):
            return None
        path = self._token_path(key)
        try:
            data = private_files.read_private_file(path)
            if data is None:
                return None
            stored = token_record.parse_record(platforms.current().decrypt(data, str(path)))
            if stored.binding.key != key:
                raise ValueError("belongs to another credential")
        except ValueError:
            if self.holds_lock(key):
                backup = private_files.set_aside_damaged_file(path)
                self._terminal.print_warning(
                    f"a stored token of profile {self._profile!r} is damaged; the file was renamed to"
                    f" {backup}"
                )
            return None
        if not platforms.current().is_encrypted(data):
            self._encrypt_file(key, data)
        return stored

    def _encrypt_file(self, key: str, data: bytes) -> None:
        """Encrypt what 0.1 has left in clear text on Windows, unless another process has the lock."""
        path = self._token_path(key)
        with suppress(StorageError), self.lock_credential(key, 0):
            if private_files.read_private_file(path) == data:
                private_files.write_atomically(path, _encrypt(data, path))

    def fingerprint(self, key: str) -> object | None:
        """Return the times, size and number of the token file, which each `save` replaces."""
        return private_files.stat_stamp(self._token_path(key))

    def reserve_space(self, key: str, size: int) -> None:
        """Reserve `size` bytes on the disk for the next `save`, and remove drafts of killed runs."""
        directory = self.ensure_subdir("tokens")
        try:
            # A run that was killed may have left a token set that a power cut would undo.
            sync_dir(directory)
        except OSError as error:
            raise build_storage_error(error, directory) from None
        self.release_reservation(key)
        if self.holds_lock(key):
            for draft in list(private_files.find_leftover_drafts(self._token_path(key))):
                private_files.remove_file(draft)
        self._pending_writes[key] = private_files.AtomicWrite(
            self._token_path(key), size + _RECORD_OVERHEAD_BYTES
        )

    def save(self, stored: StoredTokenSet) -> None:
        """Save durably; if this fails, the old token set stays."""
        key = stored.binding.key
        data = _encrypt(token_record.dump_record(stored), self._token_path(key))
        draft = self._pending_writes.pop(key, None)
        if draft is None:
            self.ensure_subdir("tokens")
            draft = private_files.AtomicWrite(self._token_path(key), len(data))
        draft.commit(data)
        self.end_refresh(key)

    def delete_stored(self, key: str) -> bool:
        """Delete the token file, and tell whether there was one."""
        return private_files.remove_file(self._token_path(key), durably=True)

    def list_credential_keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of the profile may be stored."""
        return [] if self._root is None else self.list_known_keys(profile, self._tokens_dir)

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:  # noqa: ARG002  # part of the protocol
        """Delete everything of the profile, with journals and leftovers; count token sets."""
        if self._root is None:
            return 0
        count = 0
        for key in self.list_known_keys(profile, self._tokens_dir, self.journal.directory):
            with self.lock_credential(key, self._lock_timeout):
                count += private_files.remove_file(self._token_path(key, profile), durably=True)
                self.journal.record_refresh_end(self.file_stem(key, profile))
                self._remove_leftovers(self.file_stem(key, profile))
        return count

    def release_reservation(self, key: str) -> None:
        """Release the space that `reserve_space` reserved, unless `save` has used it."""
        draft = self._pending_writes.pop(key, None)
        if draft is not None:
            draft.discard()

    @property
    def _tokens_dir(self) -> Path:
        return self.root / "tokens"

    def _token_path(self, key: str, profile: str | None = None) -> Path:
        return self._tokens_dir / f"{self.file_stem(key, profile)}.json"

    def _remove_leftovers(self, entry: str) -> None:
        """Remove drafts and damaged files."""
        for directory in (self._tokens_dir, self.journal.directory):
            for path in directory.glob(f"*{entry}.*"):
                private_files.remove_file(path)


def _encrypt(record: bytes, path: Path) -> bytes:
    """Return what is written to the disk; raises StorageError."""
    try:
        return platforms.current().encrypt(record)
    except OSError as error:
        raise StorageError(f"can't encrypt {path}: {error.strerror or error}") from None

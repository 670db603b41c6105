"""Tokens in the OS keyring: one item for each credential, or several where items are small."""

from pathlib import Path

from tokencli.errors import KeyringError
from tokencli.models import Profile, Secret, StoredTokenSet
from tokencli.protocols import Clock, Terminal, TokenStore
from tokencli.secret_sources.keyring_client import OsKeyring, get_os_keyring
from tokencli.system import safe_file
from tokencli.system.user_dirs import state_dir
from tokencli.token_store import StoreContext, chunks, token_record
from tokencli.token_store.locked_store import LockedStore

_RECORD_OVERHEAD_CHARS = 1024
"""Characters of a record beside the tokens themselves."""
_CORRUPT_ITEM, _PROBE_ITEM = "corrupt", "trial"


def open_store(profile: Profile, context: StoreContext) -> TokenStore:
    """Return the store in the OS keyring.

    Its locks are in the user's own state directory, whatever the environment says: two shells with
    different variables, or two configurations, share the keyring and so must share the lock.
    """
    return KeyringStore(
        state_dir(),
        profile.name,
        keyring=get_os_keyring(context.environ, context.terminal),
        terminal=context.terminal,
        clock=context.clock,
        lock_timeout=profile.lock_timeout,
    )


class KeyringStore(LockedStore):
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
        self._verified_keys: set[str] = set()

    @property
    def name(self) -> str:
        """`keyring`."""
        return "keyring"

    def load(self, key: str) -> StoredTokenSet | None:
        """Return what is stored under `key`; damage is a miss, and is set aside under the lock."""
        text = self._keyring.get_item(*self._item_address(key))
        if text is None:
            return None
        self._verified_keys.add(key)
        try:
            stored = token_record.parse_record(self._join_chunks(key, text).encode())
            if stored.binding.key != key:
                raise ValueError("of another credential")
        except ValueError:
            if self.holds_lock(key):
                self._record_key(key)
                self._keyring.set_item(*self._item_address(key, _CORRUPT_ITEM), text)
                self._keyring.delete_item(*self._item_address(key))
                self._terminal.print_warning(
                    f"a stored token of profile {self._profile!r} could not be read; it is set"
                    f" aside in the keyring as {' '.join(self._item_address(key, _CORRUPT_ITEM))}"
                )
            return None
        return stored

    def reserve_space(self, key: str, size: int) -> None:
        """See that the keyring takes an item and gives it back, and that `size` bytes would fit.

        Raises:
            KeyringError: it does not. StorageError: the key can't be noted.
        """
        if self._keyring.item_size_limit is not None:
            chunks.split_text(" " * (size + _RECORD_OVERHEAD_CHARS), self._keyring.item_size_limit)
        self._record_key(key)
        # A keyring that has just given back what it once took needs no trial; nor one that would
        # ask the person whether the trial may be removed.
        if (
            key not in self._verified_keys
            and self._keyring.require_usable()
            and not self._keyring.prompts_before_change
        ):
            self._keyring.set_item(*self._item_address(key, _PROBE_ITEM), _PROBE_ITEM)
            self._keyring.delete_item(*self._item_address(key, _PROBE_ITEM))

    def save(self, stored: StoredTokenSet) -> None:
        """Save and read back; what was there goes only then."""
        key, text = stored.binding.key, token_record.dump_record(stored).decode("ascii")
        self._record_key(key)
        if self._keyring.item_size_limit is None:
            self._keyring.set_item(*self._item_address(key), text)
        else:
            self._save_in_chunks(key, text, self._keyring.item_size_limit)
        self.end_refresh(key)

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Forget what is stored under `key`; with `only`, just if its refresh token is that one."""
        with self.lock_credential(key, self._lock_timeout):
            if only is not None:
                stored = self.load(key)
                if stored is None or stored.token.refresh_token != only:
                    return False
            self.end_refresh(key)
            return self._delete_item(key, self._profile)

    def list_credential_keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of that profile may be stored."""
        return self.list_known_keys(profile, self._keys_dir)

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        """Forget everything of that profile, parts, journals and leftovers too; count token sets.

        A keyring that can't be asked is no error where nothing was ever kept in it. Else it is, and
        with `force` it is forgotten nevertheless that there was something.
        """
        known = self.list_known_keys(profile, self._keys_dir, self.journal.folder)
        count = 0
        for key in known:
            with self.lock_credential(key, self._lock_timeout):
                try:
                    self._delete_item(key, profile, _CORRUPT_ITEM)
                    self._delete_item(key, profile, _PROBE_ITEM)
                    count += self._delete_item(key, profile)
                except KeyringError:
                    if not force:
                        raise
                self.journal.record_refresh_end(self.file_stem(key, profile))
                safe_file.remove_file(self._keys_dir / self.file_stem(key, profile))
        try:
            count += self._keyring.delete_items(_token_service(profile))
        except KeyringError:
            if known:
                raise
        return count

    @property
    def _keys_dir(self) -> Path:
        return self.root / "keys"

    def _record_key(self, key: str) -> None:
        """Note that the keyring may hold something under `key`, so that `forget` finds it."""
        path = self.ensure_subdir("keys") / self.file_stem(key)
        if safe_file.read_private_file(path) is None:
            safe_file.write_atomically(path, b"")

    def _item_address(
        self, key: str, part: str = "", profile: str | None = None
    ) -> tuple[str, str]:
        """Return service and user name of an item."""
        service, username = (
            _token_service(profile or self._profile),
            f"{key}.{part}" if part else key,
        )
        if self._keyring.item_size_limit is None:
            return service, username
        # On Windows a second user name under a service would make the backend move the first item.
        return f"{service}:{username}", username

    def _join_chunks(self, key: str, text: str) -> str:
        head = chunks.parse_header(text)
        if head is None:
            return text
        items = (self._item_address(key, f"{head.generation}{n}") for n in range(head.chunk_count))
        return chunks.join_chunks(head, [self._keyring.get_item(*item) for item in items])

    def _save_in_chunks(self, key: str, text: str, limit: int) -> None:
        before = chunks.parse_header(self._keyring.get_item(*self._item_address(key)))
        if len(text) <= limit:
            self._keyring.set_item(*self._item_address(key), text)
        else:
            parts = chunks.split_text(text, limit)
            head = chunks.build_header(text, len(parts), before)
            for n, part in enumerate(parts):
                self._keyring.set_item(*self._item_address(key, f"{head.generation}{n}"), part)
            self._keyring.set_item(*self._item_address(key), head.to_json())
            self._delete_chunks(key, head.generation, self._profile, start=len(parts))
        if before is not None:
            self._delete_chunks(key, before.generation, self._profile, sure=before.chunk_count)

    def _delete_item(self, key: str, profile: str, which: str = "") -> bool:
        """Forget an item with all its parts, and tell whether it was there."""
        item = self._item_address(key, which, profile)
        if self._keyring.item_size_limit is not None:
            head = chunks.parse_header(self._keyring.get_item(*item))
            for generation in ("a", "b"):
                sure = head.chunk_count if head is not None and head.generation == generation else 0
                self._delete_chunks(key, generation, profile, sure=sure)
        return self._keyring.delete_item(*item)

    def _delete_chunks(
        self, key: str, generation: str, profile: str, *, start: int = 0, sure: int = 0
    ) -> None:
        """Forget the parts of a generation from `start` on, up to `sure` and then to the first gap."""
        n = start
        while (
            self._keyring.delete_item(*self._item_address(key, f"{generation}{n}", profile))
            or n < sure
        ):
            n += 1


def _token_service(profile: str) -> str:
    return f"tokencli:{profile}:token"

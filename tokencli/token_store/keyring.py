"""Tokens in the OS keyring: one item for each credential."""

from pathlib import Path

from tokencli.errors import KeyringError, NoKeyringError
from tokencli.models import Profile, StoredTokenSet
from tokencli.protocols import Clock, Terminal, TokenStore
from tokencli.secret_sources.keyring_client import DamagedItemError, OsKeyring, get_os_keyring
from tokencli.system import private_files
from tokencli.system.user_dirs import state_dir
from tokencli.token_store import StoreContext, token_record
from tokencli.token_store.locked_store import LockedStore

_RECORD_OVERHEAD_CHARS = 1024
"""Length of a record without the tokens themselves."""
_CORRUPT_ITEM, _PROBE_ITEM = "corrupt", "trial"


def open_store(profile: Profile, context: StoreContext) -> TokenStore:
    """Return the store in the OS keyring.

    Its locks are in the user's own state directory, whatever the environment says: two shells with
    different variables, or two configurations, share the keyring and so must share the lock.
    """
    return KeyringStore(
        context.once("state_dir None", state_dir),
        profile.name,
        keyring=get_os_keyring(context.environ, context.terminal),
        terminal=context.terminal,
        clock=context.clock,
        lock_timeout=profile.lock_timeout,
    )


class KeyringStore(LockedStore):
    """Items of the service `tokencli:PROFILE:token`; `root` records which keys are in use."""

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
        """Return the token set stored under `key`, or None; a damaged one is moved away under the lock."""
        text: str | None = None
        try:
            text = self._keyring.get_item(*self._item_address(key))
            if text is None:
                return None
            self._verified_keys.add(key)
            stored = token_record.parse_record(text.encode())
            if stored.binding.key != key:
                raise ValueError("belongs to another credential")
        except (ValueError, DamagedItemError) as error:
            damaged = error.stored_text if isinstance(error, DamagedItemError) else text
            if self.holds_lock(key):
                self._record_key(key)
                self._keyring.set_item(*self._item_address(key, _CORRUPT_ITEM), damaged or "")
                self._keyring.delete_item(*self._item_address(key))
                self._terminal.print_warning(
                    f"a stored token of profile {self._profile!r} is damaged; it was moved to the"
                    f" keyring item {' '.join(self._item_address(key, _CORRUPT_ITEM))}"
                )
            return None
        return stored

    def reserve_space(self, key: str, size: int) -> None:
        """Check that the keyring stores and returns an item, and that `size` bytes would fit.

        Raises:
            KeyringError: it doesn't. StorageError: the key can't be recorded.
        """
        if key not in self._verified_keys:
            self._keyring.require_usable()  # so that nothing is recorded if there is no keyring
        limit = self._keyring.text_size_limit
        if limit is not None and size + _RECORD_OVERHEAD_CHARS > limit:
            raise KeyringError(
                f"a token set of {size} characters is too long for this system's keyring",
                fix=f"tokencli profiles edit {self._profile} --set store=file",
            )
        self._record_key(key)
        # Not if the keyring has just returned an item, or if it would ask the user whether the probe
        # may be deleted.
        if key not in self._verified_keys and not self._keyring.prompts_before_change:
            self._keyring.set_item(*self._item_address(key, _PROBE_ITEM), _PROBE_ITEM)
            self._keyring.delete_item(*self._item_address(key, _PROBE_ITEM))

    def save(self, stored: StoredTokenSet) -> None:
        """Save and read back; the old token set stays until then."""
        key, text = stored.binding.key, token_record.dump_record(stored).decode("ascii")
        self._record_key(key)
        self._keyring.set_item(*self._item_address(key), text)
        self.end_refresh(key)

    def delete_stored(self, key: str) -> bool:
        """Delete the item, and tell whether there was one."""
        return self._keyring.delete_item(*self._item_address(key))

    def list_credential_keys(self, profile: str) -> list[str]:
        """Return the keys under which token sets of the profile may be stored."""
        return self.list_known_keys(profile, self._keys_dir)

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        """Delete everything of the profile, with chunks, journals and leftovers; count token sets.

        An unavailable keyring is an error only if something was ever stored in it, else a remark
        says that it wasn't searched. With `force` the record of that is deleted all the same.
        """
        recorded_keys = self.list_known_keys(profile, self._keys_dir)
        # The journal is shared with the file store, so it doesn't show that the keyring was used.
        keys = recorded_keys or self.list_known_keys(profile, self.journal.directory)
        count = 0
        for key in keys:
            with self.lock_credential(key, self._lock_timeout):
                try:
                    for suffix in (_CORRUPT_ITEM, _PROBE_ITEM, ""):
                        address = self._item_address(key, suffix, profile)
                        count += self._keyring.delete_item(*address) and not suffix
                except KeyringError:
                    if recorded_keys and not force:
                        raise
                self.journal.record_refresh_end(self.file_stem(key, profile))
                private_files.remove_file(self._keys_dir / self.file_stem(key, profile))
        names: list[str] = []

        def note_name(name: str) -> bool:
            names.append(name)
            return True

        try:
            self._keyring.delete_items(_token_service(profile), note_name)
        except KeyringError as error:
            if recorded_keys:
                raise
            is_missing = isinstance(error, NoKeyringError)
            tell = self._terminal.print_detail if is_missing else self._terminal.print_note
            tell(f"the keyring was not searched for older tokens: {error.message}")
        return count + sum("." not in name for name in names)

    @property
    def _keys_dir(self) -> Path:
        return self.root / "keys"

    def _record_key(self, key: str) -> None:
        """Record that the keyring may have an item for `key`, so that it can be deleted later."""
        path = self.ensure_subdir("keys") / self.file_stem(key)
        if private_files.read_private_file(path) is None:
            private_files.write_atomically(path, b"")

    def _item_address(
        self, key: str, suffix: str = "", profile: str | None = None
    ) -> tuple[str, str]:
        """Return service and user name of an item."""
        service = _token_service(profile or self._profile)
        username = f"{key}.{suffix}" if suffix else key
        if self._keyring.item_size_limit is None:
            return service, username
        # In the Credential Manager, a service has one item.
        return f"{service}:{username}", username


def _token_service(profile: str) -> str:
    return f"tokencli:{profile}:token"

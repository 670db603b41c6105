"""The OS keyring: every call has a timeout, and every write is read back."""

import os
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from tokencli import platforms
from tokencli.errors import KeyringError
from tokencli.protocols import Terminal, WaitStatus
from tokencli.secret_sources import keyring_errors
from tokencli.secret_sources.keyring_backend import backend_name, choose_backend, load_libraries
from tokencli.secret_sources.secret_service import SecretServiceStatus, find_session_bus
from tokencli.system.timeout import run_with_timeout
from tokencli.system.user_dirs import state_dir

if TYPE_CHECKING:
    from tokencli.machine import KeyringReport
    from tokencli.platforms.platform import Platform
    from tokencli.secret_sources.keyring_backend import Backend
    from tokencli.secret_sources.keyring_chunks import ChunkHeader
    from tokencli.secret_sources.keyring_index import KeyringIndex

CALL_TIMEOUT_S = 10.0
"""Seconds for one call …"""
UNLOCK_TIMEOUT_S = 60.0
"""… if the user may be typing the keyring's password."""
UNLOCK_NOTICE_S = 2.0
"""Seconds after which the user is told of the keyring's window, if stderr can't show the wait."""
_FAILURE_CACHE_S = 60.0
"""Seconds for which a keyring that failed isn't tried again, so that a run reports it once."""
_MAX_DUPLICATES = 8
"""Limit of items with one name; other programs may have stored some."""
MAX_ITEMS = 1000
"""Limit of items of one service."""

_MAX_READS = 3
"""Limit of attempts to read an item in chunks while another process replaces it."""
_HEADER_START = '{"version": 1, "parts": '
"""What an item begins with that names chunks, so that other texts needn't be parsed."""
_SPARE_ITEM = "new"
"""Suffix of the item that holds a new text while the old one is being replaced."""

_loading_process: int | None = None
"""The process in which a backend's libraries were loaded."""

T = TypeVar("T")


class DamagedItemError(KeyringError):
    """Chunks of an item are missing, or aren't its own."""

    stored_text = ""
    """The text of the item that names the chunks."""


class OsKeyring:
    """Calls the keyring backend, with a timeout and with errors that say what to do.

    A text that is too long for one item is stored in several. Whatever is interrupted, the old or the
    new text is there.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        terminal: Terminal,
        *,
        timeout: float | None = None,
        platform: "Platform | None" = None,
    ) -> None:
        self._environ = environ
        self._terminal = terminal
        self._platform = platform or platforms.current()
        self._can_prompt = self._platform.can_keyring_prompt(
            environ, is_interactive=terminal.interactive
        )
        self._timeout = timeout or (UNLOCK_TIMEOUT_S if self._can_prompt else CALL_TIMEOUT_S)
        self._note_after = UNLOCK_NOTICE_S if self._can_prompt else None
        self._call_lock = Lock()
        """Held during a call: a backend's connection can't be used by two threads at a time."""
        self._backend: Backend | None = None
        self._secret_service_status: SecretServiceStatus | None = None
        self._failed_until = 0.0
        self._failure: tuple[type[KeyringError], str, str | None, str | None]
        self.item_size_limit = self._platform.keyring_item_limit
        """UTF-16 units of one item, or None for no limit."""

    @property
    def text_size_limit(self) -> int | None:
        """UTF-16 units of a text, which may be in several items; None if there is no limit."""
        if self.item_size_limit is None:
            return None
        from tokencli.secret_sources.keyring_chunks import MAX_CHUNKS

        return self.item_size_limit * MAX_CHUNKS

    def require_usable(self) -> str:
        """Return the name of the keyring backend.

        Raises:
            KeyringError: it is missing, locked or not safe for secrets.
        """
        return self._call_backend(backend_name)

    def get_item(self, service: str, username: str) -> str | None:
        """Return the text of an item, or None.

        Raises:
            DamagedItemError: it is in chunks, and they aren't complete.
        """
        return self._complete_text(service, username, self._read_item(service, username))

    def find_first_item(self, service: str) -> tuple[str | None, str] | None:
        """Return user name and text of a service's first item, if there is one that can be found.

        The text of a damaged item is empty.
        """

        def search(backend: "Backend") -> tuple[str | None, str] | None:
            item = backend.get_credential(service, None)
            return (item.username, item.password) if item else None

        if (index := self._find_index(service)) is not None:
            for name in index.list_usernames(service):
                if (indexed := self._read_item(service, name)) is not None:
                    return name, indexed
                index.forget(service, name)
        found = self._call_backend(search)
        if found is None:
            return None
        username, text = found
        try:
            return username, self._complete_text(service, username or "", text) or ""
        except DamagedItemError:
            return username, ""

    def set_item(self, service: str, username: str, text: str) -> None:
        """Store `text` and read it back; an older text stays until then.

        Raises:
            KeyringError: it is too long, or can't be read back. StorageError: its name can't be
                recorded, for a keyring that lists no items.
        """
        self.require_usable()
        if (index := self._find_index(service)) is not None:
            index.record(service, username)
        limit = self.item_size_limit
        if limit is None:
            self._replace_item(service, username, text)
            if index is not None:  # a process that found no item meanwhile has forgotten it
                index.record(service, username)
            return
        from tokencli.secret_sources import keyring_chunks as chunks

        parts = chunks.split_text(text, limit)
        if len(parts) > chunks.MAX_CHUNKS:
            raise keyring_errors.ITEM_TOO_LONG.build_error(
                size=len(text), limit=limit * chunks.MAX_CHUNKS
            )
        previous = chunks.parse_header(self._read_item(service, username))
        if len(parts) <= 1:
            self._replace_item(service, username, text)
        else:
            header = chunks.build_header(text, len(parts), previous)
            for n, part in enumerate(parts):
                self._replace_item(*_chunk_address(service, username, header.generation, n), part)
            self._replace_item(service, username, header.to_json())
            self._delete_chunks(service, username, header.generation, start=len(parts))
        if previous is not None:
            self._delete_chunks(
                service, username, previous.generation, at_least=previous.chunk_count
            )

    def delete_item(self, service: str, username: str) -> bool:
        """Delete an item with all its chunks, and tell whether there was one.

        Raises:
            KeyringError: it can't be deleted. StorageError: that can't be recorded.
        """
        if self.item_size_limit is not None:
            from tokencli.secret_sources.keyring_chunks import GENERATIONS, parse_header

            header = parse_header(self._read_item(service, username))
            for generation in GENERATIONS:
                in_use = header is not None and header.generation == generation
                count = header.chunk_count if header is not None and in_use else 0
                self._delete_chunks(service, username, generation, at_least=count)
        spare_deleted = self._platform.keyring_deletes_before_adding and self._delete_single(
            *_append_suffix(service, username, _SPARE_ITEM)
        )
        deleted = self._delete_single(service, username) or spare_deleted
        if (index := self._find_index(service)) is not None:
            index.forget(service, username)
        return deleted

    def delete_items(
        self, service: str, should_delete: Callable[[str], bool] = lambda _: True
    ) -> int:
        """Delete the items of a service until `should_delete` rejects a user name; count them.

        A search by service alone returns one item, the same one each time.
        """
        count = 0
        while count < MAX_ITEMS and (item := self.find_first_item(service)) and item[0]:
            if not should_delete(item[0]) or not self.delete_item(service, item[0]):
                break
            count += 1
        return count

    def test_round_trip(self) -> "KeyringReport":
        """Store, read and delete an item, unless the keyring would ask the user before the last.

        Raises:
            KeyringError: that doesn't work.
        """
        from secrets import token_hex  # start-up cost, as the next one: only `doctor` needs them

        from tokencli.machine import KeyringReport

        started = monotonic()
        backend = self.require_usable()
        if self.prompts_before_change:
            return KeyringReport(backend, monotonic() - started, is_tested=False)
        service, username = "tokencli:doctor", f"{os.getpid()}-{token_hex(4)}"
        try:
            self.set_item(service, username, token_hex(16))
        finally:
            self.delete_item(service, username)
        if self.get_item(service, username) is not None:
            raise keyring_errors.NOT_DELETED.build_error(name=backend, service=service)
        return KeyringReport(backend, monotonic() - started)

    @property
    def prompts_before_change(self) -> bool:
        """Whether it may open a dialog before an item is changed or deleted, as KeePassXC does."""
        return (
            self._secret_service_status is not None
            and self._secret_service_status.prompts_before_change
        )

    def _find_index(self, service: str) -> "KeyringIndex | None":
        """Return the index of tokencli's own items, if the keyring can't list them."""
        if self._platform.keyring_lists_items or not service.startswith("tokencli:"):
            return None
        from tokencli.secret_sources.keyring_index import KeyringIndex

        return KeyringIndex(state_dir() / "keyring_items")

    def _complete_text(self, service: str, username: str, text: str | None) -> str | None:
        """Return the text of an item, joined if the item names chunks."""
        if text is None or not text.startswith(_HEADER_START):
            return text
        from tokencli.secret_sources.keyring_chunks import join_chunks, parse_header

        for _ in range(_MAX_READS):
            header = parse_header(text)
            if header is None:
                return text
            parts = self._read_chunks(service, username, header)
            if (whole := join_chunks(header, parts)) is not None:
                return whole
            text = self._read_item(service, username)  # it may just have been replaced
        error = DamagedItemError(
            f"the item {service} in the OS keyring is incomplete",
            cause="it is too long for one item, and one of its parts is missing or was changed",
            fix="tokencli login --again",
        )
        error.affects_whole_keyring = False
        error.stored_text = text or ""
        raise error

    def _read_chunks(self, service: str, username: str, header: "ChunkHeader") -> list[str | None]:
        return [
            self._read_item(*_chunk_address(service, username, header.generation, n))
            for n in range(header.chunk_count)
        ]

    def _delete_chunks(
        self, service: str, username: str, generation: str, *, start: int = 0, at_least: int = 0
    ) -> None:
        """Delete a generation's chunks from `start` on: `at_least` so many, then to the first gap.

        The last one is deleted first, so that an interruption leaves no gap before others.
        """
        end = start
        while end < at_least or self._read_item(
            *_chunk_address(service, username, generation, end)
        ):
            end += 1
        for n in reversed(range(start, end)):
            self._delete_single(*_chunk_address(service, username, generation, n))

    def _read_item(self, service: str, username: str) -> str | None:
        """Return the text of one item; if replacing it was interrupted, the text that replaces it."""

        def read(backend: "Backend") -> str | None:
            text = backend.get_password(service, username)
            if text is None and self._platform.keyring_deletes_before_adding:
                text = backend.get_password(*_append_suffix(service, username, _SPARE_ITEM))
            return text

        return self._call_backend(read)

    def _replace_item(self, service: str, username: str, text: str) -> None:
        """Store the text of one item, so that the old or the new one is there at any moment."""
        if not self._platform.keyring_deletes_before_adding:
            self._write_verified(service, username, text)
            return
        spare = _append_suffix(service, username, _SPARE_ITEM)
        if self._call_backend(lambda backend: backend.get_password(service, username)) is not None:
            self._write_verified(*spare, text)
        self._write_verified(service, username, text)
        self._delete_single(*spare)

    def _write_verified(self, service: str, username: str, text: str) -> None:
        def read(backend: "Backend") -> str | None:
            return backend.get_password(service, username)

        self._write_item(service, username, text)
        for _ in range(_MAX_DUPLICATES):
            stored = self._call_backend(read)
            if stored == text:
                return
            # Another program stored an item of the same name, which is found first. It is deleted
            # now that ours is stored.
            if stored is None or not self._call_backend(
                lambda backend: _delete_first_item(backend, service, username)
            ):
                break
        self._write_item(service, username, text)
        if self._call_backend(read) != text:
            raise keyring_errors.NOT_PERSISTED.build_error(name=self.require_usable())

    def _delete_single(self, service: str, username: str) -> bool:
        """Delete one item, and tell whether there was one."""
        from keyring.errors import PasswordDeleteError

        def remove(backend: "Backend") -> bool:
            for count in range(_MAX_DUPLICATES):
                if backend.get_password(service, username) is None:
                    return count > 0
                try:
                    backend.delete_password(service, username)
                except PasswordDeleteError:
                    if backend.get_password(service, username) is not None:
                        raise
                    return count > 0  # another process was faster
            return True

        return self._call_backend(remove)

    def _write_item(self, service: str, username: str, text: str) -> None:
        self._call_backend(lambda backend: backend.set_password(service, username, text), hide=text)

    def _call_backend(self, work: Callable[["Backend"], T], *, hide: str = "") -> T:
        with self._call_lock:
            return self._call_backend_alone(work, hide)

    def _call_backend_alone(self, work: Callable[["Backend"], T], hide: str) -> T:
        if monotonic() < self._failed_until:
            error_type, message, cause, fix = self._failure
            raise error_type(message, cause=cause, fix=fix)
        try:
            with self._terminal.show_wait(self._describe_wait, note_after=self._note_after):
                if self._backend is None:
                    load_libraries(self._environ)
                return run_with_timeout(lambda: work(self._get_backend()), self._timeout)
        except KeyringError as error:
            self._remember_failure(error)
            raise
        except Exception as error:  # noqa: BLE001  # backends raise anything, see keyring_errors
            template = keyring_errors.classify_keyring_exception(error, self._environ)
            name = backend_name(self._backend) if self._backend else "keyring"
            reason = keyring_errors.summarize_exception(error)
            if hide and hide in reason:
                reason = type(error).__name__
            translated = template.build_error(name=name, reason=reason, seconds=self._timeout)
            if template.persistent:
                self._remember_failure(translated)
            if isinstance(error, TimeoutError):
                self._backend = None  # the thread that was left behind still uses its connection
            raise translated from None

    def _remember_failure(self, error: KeyringError) -> None:
        """Keep the error's texts, not the error itself, whose traceback keeps the connection open."""
        self._failed_until = monotonic() + _FAILURE_CACHE_S
        self._failure = type(error), error.message, error.cause, error.fix

    def _describe_wait(self) -> WaitStatus:
        hint = "; if it is locked, look for its window" if self._can_prompt else ""
        return WaitStatus(f"waiting for the OS keyring{hint}", self._timeout)

    def _get_backend(self) -> "Backend":
        global _loading_process
        if not self._platform.keyring_survives_fork and _loading_process not in (None, os.getpid()):
            raise keyring_errors.FORKED_PROCESS.build_error(name=self._platform.keyring_name)
        _loading_process = os.getpid()
        if self._backend is None:
            self._backend, self._secret_service_status = choose_backend(
                self._environ, can_prompt=self._can_prompt
            )
        return self._backend


def _chunk_address(service: str, username: str, generation: str, n: int) -> tuple[str, str]:
    return _append_suffix(service, username, f"{generation}{n}")


def _append_suffix(service: str, username: str, suffix: str) -> tuple[str, str]:
    """Return service and user name of an item that belongs to another one.

    Each has its own service, because a service has one item in the Credential Manager, except for
    tokens, whose service has many.
    """
    if service.endswith(":token"):
        return service, f"{username}.{suffix}"
    return f"{service}.{suffix}", f"{username}.{suffix}"


def _delete_first_item(backend: "Backend", service: str, username: str) -> bool:
    """Remove the first item of that name, and tell whether there was one."""
    from keyring.errors import PasswordDeleteError

    try:
        backend.delete_password(service, username)
    except PasswordDeleteError:
        return False
    return True


_BACKEND_VARIABLES = (
    "PYTHON_KEYRING_BACKEND",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)
"""Environment variables that, with the session bus, decide which keyring is used."""
_INSTANCES: dict[tuple[object, ...], OsKeyring] = {}


def get_os_keyring(environ: Mapping[str, str], terminal: Terminal) -> OsKeyring:
    """Return the process's `OsKeyring` for this environment, which remembers whether it works.

    A forked process gets its own, as its parent goes on using the connection.
    """
    bus = find_session_bus(environ)
    key = (
        os.getpid(),
        terminal.interactive,
        bus,
        *(environ.get(name) for name in _BACKEND_VARIABLES),
    )
    if key not in _INSTANCES:
        _INSTANCES[key] = OsKeyring(environ, terminal)
    return _INSTANCES[key]

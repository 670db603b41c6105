"""The OS keyring: every call has a timeout, and every write is read back."""

import os
import sys
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from tokencli import platforms
from tokencli.errors import KeyringError
from tokencli.protocols import Terminal, WaitStatus
from tokencli.secret_sources import keyring_errors
from tokencli.secret_sources.keyring_backend import backend_name, choose_backend
from tokencli.secret_sources.secret_service import SecretServiceStatus, find_session_bus
from tokencli.system.timeout import run_with_timeout

if TYPE_CHECKING:
    from tokencli.machine import KeyringReport
    from tokencli.secret_sources.keyring_backend import Backend

CALL_TIMEOUT_S = 10.0
"""Seconds for one call …"""
UNLOCK_TIMEOUT_S = 60.0
"""… if the user may be typing the keyring's password."""
UNLOCK_NOTICE_S = 2.0
"""Seconds after which the user is told of the keyring's window, if stderr can't show the wait."""
ITEM_SIZE_LIMITS = {"win32": 1280}
"""UTF-16 units of one item: 2560 bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE)."""
_FAILURE_CACHE_S = 60.0
"""Seconds for which a keyring that failed isn't tried again, so that a run reports it once."""
_MAX_DUPLICATES = 8
"""Limit of items with one name; other programs may have stored some."""
MAX_ITEMS = 1000
"""Limit of items of one service."""

T = TypeVar("T")


class OsKeyring:
    """Calls the keyring backend, with a timeout and with errors that say what to do."""

    def __init__(
        self,
        environ: Mapping[str, str],
        terminal: Terminal,
        *,
        timeout: float | None = None,
        limit: int | None = ITEM_SIZE_LIMITS.get(sys.platform),
    ) -> None:
        self._environ = environ
        self._terminal = terminal
        self._can_prompt = platforms.current().can_keyring_prompt(
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
        self.item_size_limit = limit
        """UTF-16 units of one item, or None for no limit."""

    def require_usable(self) -> str:
        """Return the name of the keyring backend.

        Raises:
            KeyringError: it is missing, locked or not safe for secrets.
        """
        return self._call_backend(backend_name)

    def get_item(self, service: str, username: str) -> str | None:
        """Return the text of an item, or None."""
        return self._call_backend(lambda backend: backend.get_password(service, username))

    def find_first_item(self, service: str) -> tuple[str | None, str] | None:
        """Return user name and text of a service's first item, if the keyring can search."""

        def search(backend: "Backend") -> tuple[str | None, str] | None:
            item = backend.get_credential(service, None)
            return (item.username, item.password) if item else None

        return self._call_backend(search)

    def set_item(self, service: str, username: str, text: str) -> None:
        """Store `text` and read it back; an older text stays until then.

        Raises:
            KeyringError: it is too long, or can't be read back.
        """
        if (
            self.item_size_limit is not None
            and len(text.encode("utf-16-le", "surrogatepass")) // 2 > self.item_size_limit
        ):
            raise keyring_errors.ITEM_TOO_LONG.build_error(
                size=len(text), limit=self.item_size_limit
            )
        self.require_usable()
        self._write_item(service, username, text)
        for _ in range(_MAX_DUPLICATES):
            stored = self.get_item(service, username)
            if stored == text:
                return
            # Another program stored an item of the same name, which is found first. It is deleted
            # now that ours is stored.
            if stored is None or not self._call_backend(
                lambda backend: _delete_first_item(backend, service, username)
            ):
                break
        self._write_item(service, username, text)
        if self.get_item(service, username) != text:
            raise keyring_errors.NOT_PERSISTED.build_error(name=self.require_usable())

    def delete_item(self, service: str, username: str) -> bool:
        """Delete an item, and tell whether there was one."""

        def remove(backend: "Backend") -> bool:
            for count in range(_MAX_DUPLICATES):
                if backend.get_password(service, username) is None:
                    return count > 0
                if not _delete_first_item(backend, service, username):
                    return count > 0
            return True

        return self._call_backend(remove)

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
        if self._backend is None:
            self._backend, self._secret_service_status = choose_backend(
                self._environ, can_prompt=self._can_prompt
            )
        return self._backend


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

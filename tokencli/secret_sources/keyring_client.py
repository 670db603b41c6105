"""The OS keyring: bounded, checked before it is trusted, and read back after each write."""

import sys
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from tokencli.errors import KeyringError
from tokencli.protocols import Terminal
from tokencli.secret_sources import keyring_errors
from tokencli.secret_sources.keyring_backend import backend_name, choose_backend
from tokencli.secret_sources.secret_service import SecretServiceStatus
from tokencli.system.timeout import run_with_timeout

if TYPE_CHECKING:
    from tokencli.secret_sources.keyring_backend import Backend

CALL_TIMEOUT_S = 10.0
"""Seconds that one call may take …"""
UNLOCK_TIMEOUT_S = 60.0
"""… where somebody may be typing the keyring's password."""
ITEM_SIZE_LIMITS = {"win32": 1280}
"""UTF-16 units that one item takes: 2560 bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE)."""
_FAILURE_CACHE_S = 60.0
"""A keyring that failed is not asked again for so long: a run says it once."""
_MAX_DUPLICATES = 8
"""Items of one name that other programs may have left."""
MAX_ITEMS = 1000
"""Items of one service that are looked through."""

T = TypeVar("T")


class OsKeyring:
    """Ask the keyring library, with a deadline and with errors that say what to do."""

    def __init__(
        self,
        environ: Mapping[str, str],
        terminal: Terminal,
        *,
        patience: float | None = None,
        limit: int | None = ITEM_SIZE_LIMITS.get(sys.platform),
    ) -> None:
        self._environ = environ
        self._terminal = terminal
        self._can_prompt = terminal.interactive and any(
            environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
        )
        self._timeout = patience or (UNLOCK_TIMEOUT_S if self._can_prompt else CALL_TIMEOUT_S)
        self._backend: Backend | None = None
        self._secret_service_status: SecretServiceStatus | None = None
        self._failed_until = 0.0
        self._failure: tuple[type[KeyringError], str, str | None] = KeyringError, "", None
        self.item_size_limit = limit
        """UTF-16 units that one item takes, or None for no limit."""

    def require_usable(self) -> str:
        """Return the name of the keyring, if it is there, unlocked and fit for secrets.

        Raises:
            KeyringError: it is not, and why.
        """
        return self._call_backend(lambda backend: backend_name(backend))

    def get_item(self, service: str, username: str) -> str | None:
        """Return the text kept under service and user name, or None."""
        return self._call_backend(lambda backend: backend.get_password(service, username))

    def find_first_item(self, service: str) -> tuple[str | None, str] | None:
        """Return the first user name and text kept under a service, where the keyring can search."""

        def search(backend: "Backend") -> tuple[str | None, str] | None:
            found = backend.get_credential(service, None)
            return (found.username, found.password) if found else None

        return self._call_backend(search)

    def set_item(self, service: str, username: str, text: str) -> None:
        """Keep `text`, and see that it can be read back; until then what was there stays.

        Raises:
            KeyringError: it is too long, or did not stay.
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
            found = self.get_item(service, username)
            if found == text:
                return
            # Another program stored an item of the same name, and it is found first: it goes now
            # that ours is there, too.
            if found is None or not self._call_backend(
                lambda ring: _delete_first_item(ring, service, username)
            ):
                break
        self._write_item(service, username, text)
        if self.get_item(service, username) != text:
            raise keyring_errors.NOT_PERSISTED.build_error(name=self.require_usable())

    def delete_item(self, service: str, username: str) -> bool:
        """Forget what is kept under service and user name, and tell whether there was anything."""

        def remove(backend: "Backend") -> bool:
            for count in range(_MAX_DUPLICATES):
                if backend.get_password(service, username) is None:
                    return count > 0
                if not _delete_first_item(backend, service, username):
                    return count > 0
            return True

        return self._call_backend(remove)

    def delete_items(self, service: str, which: Callable[[str], bool] = lambda _: True) -> int:
        """Forget what can be found under a service, until `which` spares a user name; count it.

        A keyring that is asked for a service alone names one item, the same one each time.
        """
        count = 0
        while count < MAX_ITEMS and (found := self.find_first_item(service)) and found[0]:
            if not which(found[0]) or not self.delete_item(service, found[0]):
                break
            count += 1
        return count

    @property
    def prompts_before_change(self) -> bool:
        """Whether it may open a dialogue before an item is changed or goes, as KeePassXC's does."""
        return (
            self._secret_service_status is not None
            and self._secret_service_status.prompts_before_change
        )

    def _write_item(self, service: str, username: str, text: str) -> None:
        self._call_backend(lambda backend: backend.set_password(service, username, text), hide=text)

    def _call_backend(self, work: Callable[["Backend"], T], *, hide: str = "") -> T:
        if monotonic() < self._failed_until:
            kind, message, fix = self._failure
            raise kind(message, fix=fix)
        try:
            return run_with_timeout(
                lambda: work(self._get_backend()), self._timeout, on_slow=self._note_unlock_prompt
            )
        except KeyringError as error:
            self._remember_failure(error)
            raise
        except Exception as error:  # noqa: BLE001  # backends raise what they like, see diagnosis
            found = keyring_errors.classify_keyring_exception(error)
            name = backend_name(self._backend) if self._backend else "keyring"
            words = keyring_errors.summarize_exception(error)
            if hide and hide in words:
                words = type(error).__name__
            told = found.build_error(name=name, reason=words, seconds=self._timeout)
            if found.persistent:
                self._remember_failure(told)
            if isinstance(error, TimeoutError):
                self._backend = None  # the call left behind still has its connection
            raise told from None

    def _remember_failure(self, error: KeyringError) -> None:
        """Keep what to say, not the error itself: that holds on to the connection it came from."""
        self._failed_until = monotonic() + _FAILURE_CACHE_S
        self._failure = type(error), error.message, error.fix

    def _note_unlock_prompt(self) -> None:
        if self._can_prompt:
            self._terminal.print_note("the OS keyring wants to be unlocked: look for its window")

    def _get_backend(self) -> "Backend":
        if self._backend is None:
            self._backend, self._secret_service_status = choose_backend(
                self._environ, person=self._can_prompt
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
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)
"""Variables that decide which keyring it is; the keyring library itself reads them."""
_INSTANCES: dict[tuple[object, ...], OsKeyring] = {}


def get_os_keyring(environ: Mapping[str, str], terminal: Terminal) -> OsKeyring:
    """Return the process's one `OsKeyring`, which remembers whether the keyring works."""
    surroundings = (terminal.interactive, *(environ.get(name) for name in _BACKEND_VARIABLES))
    if surroundings not in _INSTANCES:
        _INSTANCES[surroundings] = OsKeyring(environ, terminal)
    return _INSTANCES[surroundings]

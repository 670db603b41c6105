"""The OS keyring: bounded, checked before it is trusted, and read back after each write."""

import sys
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from tokencli.errors import KeyringError
from tokencli.ports import Terminal
from tokencli.sources import diagnosis
from tokencli.sources.backend import choose, name_of
from tokencli.sources.bounded import bounded
from tokencli.sources.secret_service import Service

if TYPE_CHECKING:
    from tokencli.sources.backend import Backend

PATIENCE_S = 10.0
"""Seconds that one call may take …"""
PATIENCE_WITH_A_PERSON_S = 60.0
"""… where somebody may be typing the keyring's password."""
LIMITS = {"win32": 1280}
"""UTF-16 units that one item takes: 2560 bytes (CRED_MAX_CREDENTIAL_BLOB_SIZE)."""
_REMEMBERED_S = 60.0
"""A keyring that failed is not asked again for so long: a run says it once."""
_DUPLICATES = 8
"""Items of one name that other programs may have left."""
MOST = 1000
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
        limit: int | None = LIMITS.get(sys.platform),
    ) -> None:
        self._environ = environ
        self._terminal = terminal
        self._person = terminal.interactive and any(
            environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
        )
        self._patience = patience or (PATIENCE_WITH_A_PERSON_S if self._person else PATIENCE_S)
        self._backend: Backend | None = None
        self._service: Service | None = None
        self._failed_until = 0.0
        self._failure: tuple[type[KeyringError], str, str | None] = KeyringError, "", None
        self.limit = limit
        """UTF-16 units that one item takes, or None for no limit."""

    def check(self) -> str:
        """Return the name of the keyring, if it is there, unlocked and fit for secrets.

        Raises:
            KeyringError: it is not, and why.
        """
        return self._bounded(lambda backend: name_of(backend))

    def get(self, service: str, username: str) -> str | None:
        """Return the text kept under service and user name, or None."""
        return self._bounded(lambda backend: backend.get_password(service, username))

    def find(self, service: str) -> tuple[str | None, str] | None:
        """Return the first user name and text kept under a service, where the keyring can search."""

        def search(backend: "Backend") -> tuple[str | None, str] | None:
            found = backend.get_credential(service, None)
            return (found.username, found.password) if found else None

        return self._bounded(search)

    def put(self, service: str, username: str, text: str) -> None:
        """Keep `text`, and see that it can be read back; until then what was there stays.

        Raises:
            KeyringError: it is too long, or did not stay.
        """
        if (
            self.limit is not None
            and len(text.encode("utf-16-le", "surrogatepass")) // 2 > self.limit
        ):
            raise diagnosis.FULL.error(size=len(text), limit=self.limit)
        self.check()
        self._set(service, username, text)
        for _ in range(_DUPLICATES):
            found = self.get(service, username)
            if found == text:
                return
            # Another program stored an item of the same name, and it is found first: it goes now
            # that ours is there, too.
            if found is None or not self._bounded(lambda ring: _remove(ring, service, username)):
                break
        self._set(service, username, text)
        if self.get(service, username) != text:
            raise diagnosis.FORGETFUL.error(name=self.check())

    def drop(self, service: str, username: str) -> bool:
        """Forget what is kept under service and user name, and tell whether there was anything."""

        def remove(backend: "Backend") -> bool:
            for count in range(_DUPLICATES):
                if backend.get_password(service, username) is None:
                    return count > 0
                if not _remove(backend, service, username):
                    return count > 0
            return True

        return self._bounded(remove)

    def drop_all(self, service: str, which: Callable[[str], bool] = lambda _: True) -> int:
        """Forget what can be found under a service, until `which` spares a user name; count it.

        A keyring that is asked for a service alone names one item, the same one each time.
        """
        count = 0
        while count < MOST and (found := self.find(service)) and found[0]:
            if not which(found[0]) or not self.drop(service, found[0]):
                break
            count += 1
        return count

    @property
    def asks_first(self) -> bool:
        """Whether it may open a dialogue before an item is changed or goes, as KeePassXC's does."""
        return self._service is not None and self._service.asks_first

    def _set(self, service: str, username: str, text: str) -> None:
        self._bounded(lambda backend: backend.set_password(service, username, text), hide=text)

    def _bounded(self, work: Callable[["Backend"], T], *, hide: str = "") -> T:
        if monotonic() < self._failed_until:
            kind, message, hint = self._failure
            raise kind(message, hint=hint)
        try:
            return bounded(lambda: work(self._opened()), self._patience, late=self._late)
        except KeyringError as error:
            self._remember(error)
            raise
        except Exception as error:  # noqa: BLE001  # backends raise what they like, see diagnosis
            found = diagnosis.trouble(error)
            name = name_of(self._backend) if self._backend else "keyring"
            words = diagnosis.reason(error)
            if hide and hide in words:
                words = type(error).__name__
            told = found.error(name=name, reason=words, seconds=self._patience)
            if found.lasts:
                self._remember(told)
            if isinstance(error, TimeoutError):
                self._backend = None  # the call left behind still has its connection
            raise told from None

    def _remember(self, error: KeyringError) -> None:
        """Keep what to say, not the error itself: that holds on to the connection it came from."""
        self._failed_until = monotonic() + _REMEMBERED_S
        self._failure = type(error), error.message, error.hint

    def _late(self) -> None:
        if self._person:
            self._terminal.note("the OS keyring wants to be unlocked: look for its window")

    def _opened(self) -> "Backend":
        if self._backend is None:
            self._backend, self._service = choose(self._environ, person=self._person)
        return self._backend


def _remove(backend: "Backend", service: str, username: str) -> bool:
    """Remove the first item of that name, and tell whether there was one."""
    from keyring.errors import PasswordDeleteError

    try:
        backend.delete_password(service, username)
    except PasswordDeleteError:
        return False
    return True


_DECIDING = (
    "PYTHON_KEYRING_BACKEND",
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)
"""Variables that decide which keyring it is; the keyring library itself reads them."""
_KNOWN: dict[tuple[object, ...], OsKeyring] = {}


def os_keyring(environ: Mapping[str, str], terminal: Terminal) -> OsKeyring:
    """Return the process's one `OsKeyring`, which remembers whether the keyring works."""
    surroundings = (terminal.interactive, *(environ.get(name) for name in _DECIDING))
    if surroundings not in _KNOWN:
        _KNOWN[surroundings] = OsKeyring(environ, terminal)
    return _KNOWN[surroundings]

"""The Secret Service of a Linux desktop: GNOME Keyring, KeePassXC or KWallet.

Reading a secret from a locked Secret Service opens a dialog and waits for the user. So its status is
read first, which never does.

`SecretServiceBackend` replaces the keyring library's backend for the sake of start-up time: loading
the library takes longer than a lookup, and for each call it opens a new connection and agrees on a
key with 1024-bit numbers. Measured for a cold `get` with two secrets in gnome-keyring, as medians of
31 whole processes on 2 busy cores: 838 ms instead of 897 ms (CPU time: 345 instead of 395 ms) if
tokens are in the keyring as well, and 668 ms instead of 761 ms if they aren't. Attributes and labels
are the library's, so the library and `secret-tool` find these items and vice versa.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from tokencli.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SecretServiceStatus:
    """The status of the Secret Service on the session bus."""

    process_name: str
    """Empty if it can't be read."""
    locked: bool
    """Whether its default collection must be unlocked first."""
    lacks_default_collection: bool
    """Whether its default collection must be created first."""

    @property
    def prompts_before_change(self) -> bool:
        """Whether it opens a dialog before it overwrites an item: KeePassXC does, also sandboxed."""
        return self.process_name in ("keepassxc", "xdg-dbus-proxy")


def find_session_bus(environ: Mapping[str, str]) -> str | None:
    """Return the address of the session bus; None if there is none.

    If DBUS_SESSION_BUS_ADDRESS is unset, as in many SSH sessions and services, it is the socket that
    systemd creates in the runtime directory, see sd_bus_default_user(3).
    """
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    path = Path(environ.get("XDG_RUNTIME_DIR") or ".", "bus")
    if not path.is_absolute() or not path.is_socket() or path.stat().st_uid != os.geteuid():
        return None
    # jeepney decodes each %XX to a character, so only ASCII can be encoded.
    return "unix:path=" + re.sub(r"[^\w/.*-]", lambda match: f"%{ord(match[0]):02x}", str(path))


def find_foreign_bus_owner(address: str) -> int | None:
    """Return the uid of the session bus's owner if it is another user; None if unknown."""
    transport, _, path = address.partition(":path=")
    try:
        owner = Path(unquote(path.split(",")[0])).stat().st_uid
    except (OSError, ValueError):
        return None
    return owner if transport == "unix" and owner != os.geteuid() else None


def probe_secret_service() -> SecretServiceStatus | None:
    """Return the status of the Secret Service, or None if there is none on the bus.

    Raises:
        Exception: of `secretstorage`, `jeepney` or the socket, if the bus doesn't work.
    """
    import secretstorage

    try:
        bus = secretstorage.dbus_init()
    except TimeoutError:
        raise
    except (OSError, secretstorage.SecretServiceNotAvailableException):
        return None  # the address is that of an old session or of another machine
    with closing(bus) as connection:
        if not secretstorage.check_service_availability(connection):
            return None
        try:
            collection = secretstorage.Collection(connection)
            locked = collection.is_locked()
        except secretstorage.ItemNotFoundException:
            return SecretServiceStatus(
                _read_service_process_name(connection), locked=False, lacks_default_collection=True
            )
        except secretstorage.SecretServiceNotAvailableException:
            return None  # it can be started by name, but did not start
        return SecretServiceStatus(
            _read_service_process_name(connection), locked=locked, lacks_default_collection=False
        )


def _read_service_process_name(connection: Any) -> str:
    from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]

    bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    request = new_method_call(bus, "GetConnectionUnixProcessID", "s", ("org.freedesktop.secrets",))
    try:
        pid = connection.send_and_get_reply(request).body[0]
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, IndexError):
        return ""


class Credential(NamedTuple):
    """The user name and the text of an item."""

    username: str | None
    password: str


class SecretServiceBackend:
    """The methods of the keyring library's `KeyringBackend` that are used, over one connection."""

    known_as = "keyring.backends.SecretService.Keyring"
    """The backend that it replaces."""

    def __init__(self) -> None:
        self._collection: Any = None

    def get_password(self, service: str, username: str) -> str | None:
        """Return the text stored under service and user name, or None."""
        credential = self.get_credential(service, username)
        return credential.password if credential else None

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return the first item of the service, or of service and user name."""
        for item in self._search_items(service, username):
            _unlock_item(item)
            username = username or item.get_attributes().get("username")
            return Credential(username, item.get_secret().decode("utf-8"))
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store the text under service and user name.

        An existing item is changed in one step. So the old text stays until the new one is stored,
        and there is no dialog, which KeePassXC opens if an item is created over another.
        """
        items = list(self._search_items(service, username))
        for item in items:  # also other programs' items, which may be found first
            _unlock_item(item)
            item.set_secret(password.encode("utf-8"))
        if items:
            return
        attributes = {
            "username": username,
            "service": service,
            "application": "Python keyring library",
        }
        label = f"Password for '{username}' on '{service}'"
        self._open_collection().create_item(
            label, attributes, password.encode("utf-8"), replace=True
        )

    def delete_password(self, service: str, username: str) -> None:
        """Delete the first item under service and user name, if there is one."""
        for item in self._search_items(service, username):
            item.delete()
            return

    def _search_items(self, service: str, username: str | None) -> Iterator[Any]:
        attributes = {"service": service} | ({"username": username} if username else {})
        items: Iterator[Any] = self._open_collection().search_items(attributes)
        return items

    def _open_collection(self) -> Any:
        """Return the default collection, unlocked, on the open connection or a new one."""
        import secretstorage
        from secretstorage.util import open_session

        if self._collection is None or not _is_connection_alive(self._collection):
            collection = secretstorage.get_default_collection(
                BusConnection(secretstorage.dbus_init())
            )
            if collection.is_locked() and collection.unlock():
                raise _locked_error("collection")
            collection.session = open_session(collection.connection)
            self._collection = collection
        return self._collection


class BusConnection:
    """A connection to the bus that is closed by the garbage collector."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __del__(self) -> None:
        self._connection.close()


def _is_connection_alive(collection: Any) -> bool:
    try:
        return not collection.is_locked()
    except Exception:  # noqa: BLE001  # a new connection gives the better error
        return False


def _unlock_item(item: Any) -> None:
    if item.is_locked() and item.unlock():
        raise _locked_error("item")


def _locked_error(what: str) -> Exception:
    from secretstorage import LockedException

    return LockedException(f"the {what} stayed locked")

"""The items of the Secret Service, as the keyring library keeps them, over one connection.

The library itself is left out: loading it takes longer than a lookup, and for each call it connects
anew and agrees on a key by numbers of 1024 bits, which takes longer still. Attributes and labels are
the library's own, so that it and `secret-tool` find these items, and these find theirs.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Credential(NamedTuple):
    """A user name and what is kept under it."""

    username: str | None
    password: str


class SecretServiceBackend:
    """The part of the keyring library's `KeyringBackend` that is needed here."""

    known_as = "keyring.backends.SecretService.Keyring"
    """The backend that it stands for."""

    def __init__(self) -> None:
        self._collection: Any = None

    def get_password(self, service: str, username: str) -> str | None:
        """Return the text kept under service and user name, or None."""
        found = self.get_credential(service, username)
        return found.password if found else None

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return the first item of the service, or of service and user name."""
        for item in self._search_items(service, username):
            _unlock_item(item)
            known = username or item.get_attributes().get("username")
            return Credential(known, item.get_secret().decode("utf-8"))
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep the text under service and user name.

        An item that is there gets it in one step: so the old text is there until the new one is,
        and no dialogue opens, as KeePassXC's does where an item is created over another.
        """
        found = list(self._search_items(service, username))
        for item in found:  # another program's are among them, and might be found first
            _unlock_item(item)
            item.set_secret(password.encode("utf-8"))
        if found:
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
        """Remove the first item under service and user name, if there is one."""
        for item in self._search_items(service, username):
            item.delete()
            return

    def _search_items(self, service: str, username: str | None) -> Iterator[Any]:
        attributes = {"service": service} | ({"username": username} if username else {})
        found: Iterator[Any] = self._open_collection().search_items(attributes)
        return found

    def _open_collection(self) -> Any:
        """Return the default collection, unlocked, over the connection that is there or a new one."""
        import secretstorage
        from secretstorage.util import open_session

        if self._collection is None or not _is_connection_alive(self._collection):
            found = secretstorage.get_default_collection(BusConnection(secretstorage.dbus_init()))
            if found.is_locked() and found.unlock():
                raise _locked_error("collection")
            found.session = open_session(found.connection)
            self._collection = found
        return self._collection


class BusConnection:
    """A connection to the bus that is closed when nobody has it any more."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __del__(self) -> None:
        self._connection.close()


def _is_connection_alive(collection: Any) -> bool:
    try:
        return not collection.is_locked()
    except Exception:  # noqa: BLE001  # whatever it is, a new connection tells it better
        return False


def _unlock_item(item: Any) -> None:
    if item.is_locked() and item.unlock():
        raise _locked_error("item")


def _locked_error(what: str) -> Exception:
    from secretstorage import LockedException

    return LockedException(f"the {what} stayed locked")

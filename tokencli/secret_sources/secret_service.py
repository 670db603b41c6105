"""The Secret Service of a Linux desktop (GNOME Keyring, KeePassXC, KWallet), looked at before use.

Asking it for a secret while it is locked opens a dialogue and waits for an answer. So it is asked
first whether it is locked, which never does.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tokencli.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SecretServiceStatus:
    """What is known of the Secret Service on the session bus."""

    process_name: str
    """The name of the process behind it, empty where that can't be seen."""
    locked: bool
    """Whether somebody has to unlock its default collection first."""
    lacks_default_collection: bool
    """Whether it has no default collection yet, which would have to be made."""

    @property
    def prompts_before_change(self) -> bool:
        """Whether it opens a dialogue before it overwrites an item: KeePassXC does, also sandboxed."""
        return self.process_name in ("keepassxc", "xdg-dbus-proxy")


def has_session_bus(environ: Mapping[str, str]) -> bool:
    """Tell whether there is a session bus to look at."""
    return bool(environ.get("DBUS_SESSION_BUS_ADDRESS"))


def probe_secret_service() -> SecretServiceStatus | None:
    """Return what is known of the Secret Service, or None where there is none on the bus.

    Raises:
        Exception: of `secretstorage`, `jeepney` or the socket, where the bus can't be talked to.
    """
    import secretstorage

    try:
        bus = secretstorage.dbus_init()
    except TimeoutError:
        raise
    except (OSError, secretstorage.SecretServiceNotAvailableException):
        return None  # the address leads nowhere: an old session's, or another machine's
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
    ask = new_method_call(bus, "GetConnectionUnixProcessID", "s", ("org.freedesktop.secrets",))
    try:
        pid = connection.send_and_get_reply(ask).body[0]
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, IndexError):
        return ""

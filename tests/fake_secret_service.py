"""A Secret Service that behaves badly, as a process on a private bus.

    silent          owns the name and answers nothing
    prompt-never    is locked; unlocking opens a prompt that nobody ever answers
    keepassxc       works, but creating an item over another opens such a prompt
    keepassxc-locks as that one, but once it has an item, writing fails, as when its database locks
    keepassxc-asks  as keepassxc, and removing an item opens such a prompt, too
    forgetful       takes what is stored and holds nothing

Run as `python -m tests.fake_secret_service MODE`; it says `ready` once it owns the name.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.keyring_session import ended, private_bus

MODES = (
    "silent",
    "prompt-never",
    "keepassxc",
    "keepassxc-locks",
    "keepassxc-asks",
    "forgetful",
)
COLLECTION = "/org/freedesktop/secrets/collection/fake"
PROMPT = "/org/freedesktop/secrets/prompt/p1"


@contextmanager
def fake_secret_service(mode: str, place: Path) -> Iterator[str]:
    """Run one on its own bus and yield the bus's address."""
    with private_bus(place) as address:
        service = subprocess.Popen(
            [sys.executable, "-m", "tests.fake_secret_service", mode],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address},
            cwd=Path(__file__).parent.parent,
        )
        with ended(service):
            assert service.stdout is not None
            assert service.stdout.readline() == "ready\n"
            yield address


class Service:
    """The answers of the Secret Service API (freedesktop.org, draft 0.2), as far as they are asked for."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.locked = mode == "prompt-never"
        self.items: dict[str, tuple[dict[str, str], bytes]] = {}
        self.made = 0

    def answer(self, path: str, member: str, body: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        """Return signature and values of the reply; KeyError means that there is no such object."""
        match member:
            case "OpenSession":
                return "vo", (("s", ""), "/org/freedesktop/secrets/session/s1")
            case "Get":
                return "v", (self.property(path, body[1]),)
            case "Unlock":
                return "aoo", ([], PROMPT if self.locked else "/")
            case "Prompt":
                return "", ()
            case "SearchItems":
                return "ao", ([name for name, item in self.items.items() if _in(body[0], item[0])],)
            case "CreateItem":
                return "oo", self.create(body[0], body[1])
            case "GetSecret":
                secret = self.items[path][1]
                return "(oayays)", (
                    ("/org/freedesktop/secrets/session/s1", b"", secret, "text/plain"),
                )
            case "SetSecret":
                if self.mode == "keepassxc-locks":
                    raise PermissionError
                self.items[path] = self.items[path][0], bytes(body[0][2])
                return "", ()
            case "Delete":
                if self.mode == "keepassxc-asks":
                    return "o", (PROMPT,)
                del self.items[path]
                return "o", ("/",)
            case _:
                raise KeyError(member)

    def property(self, path: str, name: str) -> tuple[str, object]:
        """Return a property as a variant."""
        if path.startswith(COLLECTION + "/"):
            attributes = self.items[path][0]
        values: dict[str, tuple[str, object]] = {
            "Locked": ("b", self.locked),
            "Label": ("s", "fake"),
        }
        return ("a{ss}", attributes) if name == "Attributes" else values[name]

    def create(self, properties: dict[str, Any], secret: tuple[Any, ...]) -> tuple[str, str]:
        """Store an item, or prompt first."""
        attributes = properties["org.freedesktop.Secret.Item.Attributes"][1]
        same = [name for name, item in self.items.items() if item[0] == attributes]
        if same and self.mode == "keepassxc-locks":
            raise PermissionError
        if same and self.mode.startswith("keepassxc"):
            return "/", PROMPT
        self.made += 1
        name = same[0] if same else f"{COLLECTION}/i{self.made}"
        if self.mode != "forgetful":
            self.items[name] = (attributes, bytes(secret[2]))
        else:
            self.items[name] = (attributes, b"")
        return name, "/"


def _in(wanted: dict[str, str], attributes: dict[str, str]) -> bool:
    return all(attributes.get(name) == value for name, value in wanted.items())


def serve(mode: str) -> None:
    """Own the name and answer until killed."""
    from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
    from jeepney.io.blocking import open_dbus_connection

    if mode.startswith("keepassxc"):
        Path("/proc/self/comm").write_text("keepassxc")
    service = Service(mode)
    with open_dbus_connection() as connection:
        connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
        print("ready", flush=True)  # noqa: T201
        while True:
            message = connection.receive()
            if message.header.message_type is not MessageType.method_call or mode == "silent":
                continue
            fields = message.header.fields
            path, member = fields[HeaderFields.path], fields[HeaderFields.member]
            if member == "OpenSession" and message.body[0] != "plain":
                connection.send(new_error(message, "org.freedesktop.DBus.Error.NotSupported"))
                continue
            try:
                signature, body = service.answer(path, member, message.body)
            except KeyError:
                connection.send(new_error(message, "org.freedesktop.Secret.Error.NoSuchObject"))
            except PermissionError:
                connection.send(new_error(message, "org.freedesktop.Secret.Error.IsLocked"))
            else:
                connection.send(new_method_return(message, signature or None, body))


if __name__ == "__main__":
    serve(sys.argv[1])

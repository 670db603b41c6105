"""A keyring in one JSON file, for the fixtures of release 0.1: {service: {user name: text}}.

Select it with PYTHON_KEYRING_BACKEND=json_keyring.JsonKeyring, this folder on the module path, and
the file's path in JSON_KEYRING_FILE. It is a test double and keeps no secret.
"""

import json
import os
import sys
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.credentials import Credential, SimpleCredential
from keyring.errors import PasswordDeleteError


class JsonKeyring(KeyringBackend):
    """Keep items in the file that JSON_KEYRING_FILE names."""

    priority = 1

    @property
    def _file(self) -> Path:
        return Path(os.environ["JSON_KEYRING_FILE"])

    def _items(self) -> dict[str, dict[str, str]]:
        if not self._file.exists():
            return {}
        found: dict[str, dict[str, str]] = json.loads(self._file.read_text())
        return found

    def _write(self, items: dict[str, dict[str, str]]) -> None:
        self._file.write_text(json.dumps(items, indent=1, sort_keys=True) + "\n")

    def get_password(self, service: str, username: str) -> str | None:
        """Return the text of an item.

        Where items are small, as on Windows, 0.1 names the service of a token's item
        `tokencli:PROFILE:token:USERNAME`. So that these items can be read elsewhere, too, they are
        found under the shorter service as well.
        """
        items = self._items()
        found = items.get(service, {}).get(username)
        if found is None and sys.platform != "win32":
            found = items.get(f"{service}:{username}", {}).get(username)
        return found

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return the item, or without a user name the first item of the service."""
        if username is None:
            username = min(self._items().get(service, {}), default=None)
        text = None if username is None else self.get_password(service, username)
        return None if username is None or text is None else SimpleCredential(username, text)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep the text."""
        items = self._items()
        items.setdefault(service, {})[username] = password
        self._write(items)

    def delete_password(self, service: str, username: str) -> None:
        """Remove the item."""
        items = self._items()
        try:
            del items[service][username]
        except KeyError:
            raise PasswordDeleteError("there is no such item") from None
        self._write({name: kept for name, kept in items.items() if kept})

"""The Credential Manager and the macOS Keychain, in memory, as the keyring library shows them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import FakeTerminal
from tokencli.platforms import select_platform
from tokencli.secret_sources.credential_manager import CredentialManager
from tokencli.secret_sources.keyring_client import OsKeyring


class Stop(BaseException):
    """The power fails."""


class ApiError(Exception):
    """The `error` of pywintypes, or of the keyring library's API of the Keychain."""

    def __init__(self, winerror: int) -> None:
        super().__init__(winerror)
        self.winerror = winerror


@dataclass
class _Steps:
    """Counts changes, and stops before the n-th."""

    changes: int = 0
    stop_at: int = 0

    def step(self) -> None:
        self.changes += 1
        if self.changes == self.stop_at:
            raise Stop


@dataclass
class FakeCredentials(_Steps):
    """`win32cred`: names without regard to case, items of at most 2560 bytes."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure: int = 0
    """The error code of each call, if there is one."""

    def CredRead(self, TargetName: str, Type: int) -> dict[str, Any]:
        if self.failure:
            raise ApiError(self.failure)
        if TargetName.upper() not in self.items:
            raise ApiError(1168)
        return dict(self.items[TargetName.upper()])

    def CredWrite(self, Credential: dict[str, Any]) -> None:
        blob = Credential["CredentialBlob"].encode("utf-16-le", "surrogatepass")
        if len(blob) > 2560:
            raise ApiError(1783)
        self.step()
        self.items[Credential["TargetName"].upper()] = {**Credential, "CredentialBlob": blob}

    def CredDelete(self, TargetName: str, Type: int) -> None:
        self.step()
        if self.items.pop(TargetName.upper(), None) is None:
            raise ApiError(1168)

    def CredEnumerate(self, Filter: str) -> list[dict[str, Any]]:
        prefix = Filter.removesuffix("*").upper()
        found = [item for name, item in self.items.items() if name.startswith(prefix)]
        if not found:
            raise ApiError(1168)
        return found

    def write(self, name: str, username: str, text: str) -> None:
        """Store an item as another program does."""
        self.CredWrite(
            {"TargetName": name, "UserName": username, "CredentialBlob": text, "Persist": 3}
        )

    @property
    def names(self) -> set[str]:
        """The names of all items, as they are spelled."""
        return {item["TargetName"] for item in self.items.values()}


@dataclass
class FakeKeychain(_Steps):
    """The keyring library's backend for macOS: deletes and adds, and lists nothing."""

    items: dict[tuple[str, str], str] = field(default_factory=dict)

    def get_password(self, service: str, username: str) -> str | None:
        return self.items.get((service, username))

    def get_credential(self, service: str, username: str | None) -> None:
        assert username is None

    def set_password(self, service: str, username: str, password: str) -> None:
        if (service, username) in self.items:
            self.step()
            del self.items[service, username]
        self.step()
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.step()
        del self.items[service, username]

    @property
    def names(self) -> set[tuple[str, str]]:
        """Service and user name of all items."""
        return set(self.items)


class KeyringOver(OsKeyring):
    """The keyring of a platform over a fake of its items."""

    def __init__(self, backend: Any, system: str) -> None:
        super().__init__(os.environ, FakeTerminal(), platform=select_platform(system))
        self._backend = backend

    def require_usable(self) -> str:
        return "fake"


def windows_keyring(items: FakeCredentials) -> OsKeyring:
    """Return the keyring of Windows."""
    return KeyringOver(CredentialManager(items), "win32")


def macos_keyring(items: FakeKeychain) -> OsKeyring:
    """Return the keyring of macOS."""
    return KeyringOver(items, "darwin")


FAKE_KEYRINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], OsKeyring]]] = {
    "windows": (FakeCredentials, windows_keyring),
    "macos": (FakeKeychain, macos_keyring),
}
"""Platform -> what makes its items, and the keyring over them."""

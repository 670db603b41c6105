"""The Windows Credential Manager (CredReadW and its siblings in wincred.h), by pywin32-ctypes.

The items are those of the keyring library's backend, which tokencli 0.1 used. That one keeps a copy of
every text that it overwrites, as `USER@SERVICE`; stores items for the user's whole roaming profile;
and, as Windows does, takes `corp` and `Corp` for the same name.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Protocol, cast

from tokencli.platforms.windows import is_own_keyring_service, name_credential
from tokencli.secret_sources.secret_service import Credential

_GENERIC = 1
"""CRED_TYPE_GENERIC."""
_LOCAL_MACHINE = 2
"""CRED_PERSIST_LOCAL_MACHINE: not on the user's other computers, whose locks are their own."""
_NOT_FOUND = 1168
"""ERROR_NOT_FOUND."""


class CredentialCalls(Protocol):
    """The functions of `win32cred`; each raises an exception with `winerror`."""

    def CredRead(self, TargetName: str, Type: int) -> dict[str, Any]: ...  # noqa: D102 - see the class
    def CredWrite(self, Credential: dict[str, Any]) -> None: ...  # noqa: D102 - see the class
    def CredDelete(self, TargetName: str, Type: int) -> None: ...  # noqa: D102 - see the class
    def CredEnumerate(self, Filter: str) -> list[dict[str, Any]]: ...  # noqa: D102 - see the class


class CredentialManager:
    """The methods of the keyring library's `KeyringBackend` that are used.

    A service of tokencli has one item, whoever it is for; see `name_credential` for its name. Items of
    other programs are named as that library names them.
    """

    known_as = "keyring.backends.Windows.WinVaultKeyring"
    """The backend that it replaces."""

    def __init__(self, calls: CredentialCalls | None = None) -> None:
        self._calls = calls or load_calls()

    def require_session(self) -> None:
        """Raise ERROR_NO_SUCH_LOGON_SESSION if this logon has no credentials, e.g. over SSH."""
        self._read("tokencli:doctor")

    def get_password(self, service: str, username: str) -> str | None:
        """Return the text stored under service and user name, or None."""
        credential = self.get_credential(service, username)
        return credential.password if credential else None

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return the item of the service, or of service and user name; of tokens the first one."""
        item = self._find(service, username)
        return Credential(item["UserName"], _decode_text(item["CredentialBlob"])) if item else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store the text under service and user name, in one step."""
        target = name_credential(service)
        existing = self._read(target)
        if is_own_keyring_service(service):
            if existing is not None and existing["TargetName"] != target:
                self._move_away(existing)
        elif existing is not None and existing["UserName"] != username:
            target = _compound_name(service, username)
        self._write(target, username, password)
        if is_own_keyring_service(service):
            self._delete_superseded(service, username)

    def delete_password(self, service: str, username: str) -> None:
        """Delete the items under service and user name, also those that release 0.1 left.

        Raises:
            PasswordDeleteError: there is none.
        """
        found = self._find(service, username)
        if found is not None:
            self._calls.CredDelete(found["TargetName"], _GENERIC)
        if is_own_keyring_service(service):
            self._delete_superseded(service, username)
        elif found is None:
            from keyring.errors import PasswordDeleteError  # start-up cost

            raise PasswordDeleteError(service)

    def _find(self, service: str, username: str | None) -> dict[str, Any] | None:
        for target in _list_names(service, username):
            item = self._read(target)
            if item is None or (username and item["UserName"] != username):
                continue
            if item["TargetName"] == target or not is_own_keyring_service(service):
                return item
        if not username and service.endswith(":token"):
            return next(self._enumerate(name_credential(service) + ":"), None)
        return None

    def _delete_superseded(self, service: str, username: str) -> None:
        """Delete what release 0.1 stored under other names for the same service and user name."""
        current = name_credential(service)
        for target in (service, _compound_name(service, username)):
            item = self._read(target)
            if target != current and item is not None and item["TargetName"] == target:
                self._calls.CredDelete(target, _GENERIC)

    def _move_away(self, item: dict[str, Any]) -> None:
        """Give an item of release 0.1 for `Corp` its own name before one is stored for `corp`."""
        target = name_credential(item["TargetName"])
        if self._read(target) is None:
            self._write(target, item["UserName"], _decode_text(item["CredentialBlob"]))
        self._calls.CredDelete(item["TargetName"], _GENERIC)

    def _read(self, target: str) -> dict[str, Any] | None:
        try:
            return self._calls.CredRead(target, _GENERIC)
        except Exception as error:
            if getattr(error, "winerror", None) == _NOT_FOUND:
                return None
            raise

    def _write(self, target: str, username: str, text: str) -> None:
        self._calls.CredWrite(
            {
                "Type": _GENERIC,
                "TargetName": target,
                "UserName": username,
                "CredentialBlob": text,
                "Comment": "Stored by tokencli",
                "Persist": _LOCAL_MACHINE,
            }
        )

    def _enumerate(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield the items whose names begin with `prefix`, in this spelling."""
        try:
            found = self._calls.CredEnumerate(f"{prefix}*")
        except Exception as error:
            if getattr(error, "winerror", None) == _NOT_FOUND:
                return
            raise
        for item in found:
            if item["TargetName"].startswith(prefix):
                yield item


def load_calls() -> CredentialCalls:
    """Return the functions of Windows; it imports many modules."""
    calls: Any = import_module("win32ctypes.pywin32.win32cred")
    return cast("CredentialCalls", calls)


def _list_names(service: str, username: str | None) -> list[str]:
    """Return the names under which an item of service and user name can be, the newest form first."""
    names = [name_credential(service)]
    if not is_own_keyring_service(service):
        return [*names, _compound_name(service, username)] if username else names
    if username and service.endswith(":token"):
        names.append(name_credential(f"{service}:{username}"))
    if names[0] != service:
        names.append(service)  # release 0.1, or cmdkey
    return names


def _compound_name(service: str, username: str) -> str:
    """Return the name that the keyring library gives the second item of a service."""
    return f"{username}@{service}"


def _decode_text(blob: bytes) -> str:
    """Return the text of an item: UTF-16, or UTF-8 from some programs."""
    try:
        return blob.decode("utf-16")
    except UnicodeDecodeError:
        return blob.decode("utf-8")

"""Secrets in the OS keyring: the default source."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from tokencli import platforms
from tokencli.errors import KeyringError, StorageError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal
from tokencli.providers.endpoint_urls import is_other_origin
from tokencli.secret_sources import default_keyring_service, normalize_secret
from tokencli.secret_sources.keyring_client import (
    MAX_ITEMS,
    DamagedItemError,
    OsKeyring,
    get_os_keyring,
)
from tokencli.system import private_files
from tokencli.system.user_dirs import state_dir

RECORD_VERSION = 1
"""Version of the records of accounts."""


class KeyringSource:
    """Reads, writes and deletes secrets in the OS keyring."""

    interaction: ClassVar[Interaction] = "none"

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        terminal: Terminal,
        keyring: OsKeyring | None = None,
    ) -> None:
        self._keyring = keyring or get_os_keyring(environ, terminal)

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        """Return a fix: the login that stores it."""
        return None, f"tokencli login {ref.profile}"

    def check_usable(self) -> None:
        """Check that secrets can be stored; raises KeyringError."""
        self._keyring.require_usable()

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the secret that is stored for the profile's server, or manually for the profile.

        Raises:
            KeyringError: the stored secret is for another server.
        """
        service, username = ref.target
        try:
            text = self._keyring.get_item(service, username)
        except DamagedItemError as damage:
            damage.fix = f"tokencli login {ref.profile} --again"
            raise
        if (
            text is None
            and _is_bound_to_origin(ref)
            and (item := self._keyring.find_first_item(service))
        ):
            if is_other_origin(item[0] or "", username):
                error = KeyringError(
                    f"the {ref.name} of profile {ref.profile!r} was stored for {item[0]}, but the"
                    f" profile now names {username}",
                    cause="a stored secret is sent only to the server it was stored for",
                    fix=f"tokencli login {ref.profile} --again",
                )
                error.affects_whole_keyring = False
                raise error
            text = item[1]
        return normalize_secret(text or "", f"the keyring item {service}")

    def read_account(self, ref: SecretRef) -> Mapping[str, str] | None:
        """Return the account that the secret was stored for.

        None if there is no record, because release 0.1 or another program stored the secret, or if
        the record is of another server's secret.
        """
        try:
            record = json.loads(_read_record(ref) or b"null")
            if record["version"] != RECORD_VERSION or record["server"] != ref.target[1]:
                return None
            return {str(key): str(value) for key, value in record["account"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def record_account(self, ref: SecretRef, secret: Secret, account: Mapping[str, str]) -> None:
        """Record the account of a secret that release 0.1 stored, unless another one replaced it.

        An item that a person or another program manages has another user name and gets no record.

        Raises:
            KeyringError, StorageError: the item can't be read, or the record can't be written.
        """
        if self._keyring.get_item(*ref.target) == secret.reveal():
            _write_record(ref, _dump_record(ref, account))

    def store_secret(
        self, ref: SecretRef, secret: Secret, account: Mapping[str, str] | None = None
    ) -> Callable[[], bool]:
        """Store the secret as the only item of its service, and read it back.

        The account is recorded afterwards, so that an older secret is never taken for its own.

        Returns a function that restores the previous state and tells whether there was an older
        secret.

        Raises:
            KeyringError: it could not be stored; the previous state is restored. StorageError: the
                same for the account's record.
        """
        service, username = ref.target
        self._keyring.require_usable()
        before: list[tuple[str, str]] = []
        with suppress(KeyringError):  # an unreadable item is going to be replaced
            if (old := self._keyring.get_item(service, username)) is not None:
                before.append((username, old))
        record = _read_record(ref)
        restore = partial(self._restore_items, ref, before, record)
        try:
            if _is_bound_to_origin(ref):
                for item in self._iterate_other_items(service, username):
                    before.append(item)
                    self._keyring.delete_item(service, item[0])
            self._keyring.set_item(service, username, secret.reveal())
            _write_record(ref, _dump_record(ref, account) if account else None)
        except (KeyringError, StorageError):
            with suppress(KeyringError, StorageError):
                restore()
            raise
        return restore

    def delete_secret(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        """Delete the secret, also one stored manually for the profile; tell whether there was one.

        A secret for another server is only deleted with `everywhere`.
        """
        service, username = ref.target
        deleted = self._keyring.delete_item(service, username)
        if not _is_bound_to_origin(ref):
            return deleted
        if everywhere or self.read_account(ref) is not None:
            _write_record(ref, None)
        count = self._keyring.delete_items(
            service, lambda other: everywhere or not is_other_origin(other, username)
        )
        return count > 0 or deleted

    def delete_command(self, service: str, username: str = "") -> str:
        """Return the system's command that deletes an item, or the first item of the service."""
        from tokencli.shell_words import join  # start-up cost

        return join(platforms.current().keyring_delete_command(service, username))

    def _iterate_other_items(self, service: str, username: str) -> Iterator[tuple[str, str]]:
        """Yield the other items of a service; the caller must delete each before the next."""
        for _ in range(MAX_ITEMS):
            name, text = self._keyring.find_first_item(service) or (None, "")
            if not name or name == username:
                return
            yield name, text

    def _restore_items(
        self, ref: SecretRef, before: list[tuple[str, str]], record: bytes | None
    ) -> bool:
        service, username = ref.target
        _write_record(ref, record)
        for name, text in before:
            self._keyring.set_item(service, name, text)
        if all(name != username for name, _ in before):
            self._keyring.delete_item(service, username)
        return bool(before)


def _is_bound_to_origin(ref: SecretRef) -> bool:
    """Tell whether the item is tokencli's own, with the server's origin as its user name."""
    service, username = ref.target
    return service == default_keyring_service(ref.profile, ref.name) and is_other_origin(
        username, ""
    )


def _record_path(ref: SecretRef) -> Path:
    """Return the file that records for which account the secret was stored.

    It is in the directory that doesn't depend on the environment, as the keyring doesn't.
    """
    return state_dir() / "accounts" / sha256(ref.target[0].encode()).hexdigest()


def _dump_record(ref: SecretRef, account: Mapping[str, str]) -> bytes:
    record = {"version": RECORD_VERSION, "server": ref.target[1], "account": dict(account)}
    return json.dumps(record).encode()


def _read_record(ref: SecretRef) -> bytes | None:
    try:
        return private_files.read_private_file(_record_path(ref))
    except (ValueError, StorageError):
        return None


def _write_record(ref: SecretRef, record: bytes | None) -> None:
    """Write the record, or remove it if it is None."""
    path = _record_path(ref)
    if record is None:
        private_files.remove_file(path)
    elif _is_bound_to_origin(ref):
        private_files.ensure_private_dir(path.parent.parent, chosen=True)
        private_files.ensure_private_dir(path.parent)
        private_files.write_atomically(path, record)

"""Secrets in the OS keyring: the place where they rest unless the profile says otherwise."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import ClassVar

from tokencli.errors import KeyringError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal
from tokencli.providers.endpoint_urls import is_other_origin
from tokencli.secret_sources import default_keyring_service
from tokencli.secret_sources.keyring_client import MAX_ITEMS, OsKeyring, get_os_keyring
from tokencli.secret_sources.normalize import normalize_secret


class KeyringSource:
    """Reads, writes and deletes secrets in the OS keyring."""

    interaction: ClassVar[Interaction] = "none"
    missing_secret_fix: ClassVar[str] = "tokencli login {profile}"

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        terminal: Terminal,
        keyring: OsKeyring | None = None,
    ) -> None:
        self._keyring = keyring or get_os_keyring(environ, terminal)

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the secret: what is stored for the profile's server, or by hand for the profile.

        Raises:
            KeyringError: what is there was stored for another server.
        """
        service, username = ref.target
        text = self._keyring.get_item(service, username)
        if (
            text is None
            and _is_bound_to_origin(ref)
            and (found := self._keyring.find_first_item(service))
        ):
            if is_other_origin(found[0] or "", username):
                error = KeyringError(
                    f"the {ref.name} of profile {ref.profile!r} was stored for {found[0]}, but the"
                    f" profile now names {username}",
                    fix=f"tokencli login {ref.profile} --again   (if that change is right)",
                )
                error.affects_whole_keyring = False
                raise error
            text = found[1]
        return normalize_secret(text or "", f"the keyring item {service}")

    def store_secret(self, ref: SecretRef, secret: Secret) -> Callable[[], bool]:
        """Store the secret and read it back, alone in its service; return what undoes that, and tells
        whether there was an older one that it put back.

        Raises:
            KeyringError: it did not stay; then what was there before is put back.
        """
        service, username = ref.target
        self._keyring.require_usable()
        before: list[tuple[str, str]] = []
        with suppress(KeyringError):  # what can't be read is what this is to replace
            if (old := self._keyring.get_item(service, username)) is not None:
                before.append((username, old))
        back = partial(self._restore_items, service, username, before)
        try:
            if _is_bound_to_origin(ref):
                for found in self._iterate_other_items(service, username):
                    before.append(found)
                    self._keyring.delete_item(service, found[0])
            self._keyring.set_item(service, username, secret.reveal())
        except KeyringError:
            with suppress(KeyringError):
                back()
            raise
        return back

    def delete_secret(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        """Forget the secret, and what was stored by hand for the profile; tell whether there was one.

        What was stored for another server stays, unless it is to go `everywhere`.
        """
        service, username = ref.target
        gone = self._keyring.delete_item(service, username)
        if not _is_bound_to_origin(ref):
            return gone
        more = self._keyring.delete_items(
            service, lambda other: everywhere or not is_other_origin(other, username)
        )
        return more > 0 or gone

    def _iterate_other_items(self, service: str, username: str) -> Iterator[tuple[str, str]]:
        """Yield what else is found in a service, for whoever takes it away before the next."""
        for _ in range(MAX_ITEMS):
            name, text = self._keyring.find_first_item(service) or (None, "")
            if not name or name == username:
                return
            yield name, text

    def _restore_items(self, service: str, username: str, before: list[tuple[str, str]]) -> bool:
        for name, text in before:
            self._keyring.set_item(service, name, text)
        if all(name != username for name, _ in before):
            self._keyring.delete_item(service, username)
        return bool(before)


def _is_bound_to_origin(ref: SecretRef) -> bool:
    """Tell whether the secret rests in its own service, under the origin of the server it is for."""
    service, username = ref.target
    return service == default_keyring_service(ref.profile, ref.name) and is_other_origin(
        username, ""
    )

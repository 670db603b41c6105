"""Secrets in the OS keyring: the place where they rest unless the profile says otherwise."""

from collections.abc import Mapping

from tokencli.errors import KeyringError
from tokencli.model import Secret, SecretRef
from tokencli.ports import Terminal
from tokencli.providers.address import is_foreign
from tokencli.sources import default_service
from tokencli.sources.clean import clean
from tokencli.sources.os_keyring import OsKeyring, os_keyring


class KeyringSource:
    """Read, write and remove secrets in the OS keyring."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        terminal: Terminal,
        keyring: OsKeyring | None = None,
    ) -> None:
        self._keyring = keyring or os_keyring(environ, terminal)

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the secret: what is stored for the profile's server, or by hand for the profile.

        Raises:
            KeyringError: what is there was stored for another server.
        """
        service, username = ref.target
        text = self._keyring.get(service, username)
        if text is None and _bound(ref) and (found := self._keyring.find(service)):
            if is_foreign(found[0] or "", username):
                raise KeyringError(
                    f"the {ref.name} of profile {ref.profile!r} was stored for {found[0]}, but the"
                    f" profile now names {username}",
                    hint=f"tokencli login {ref.profile} --again   (if that change is right)",
                )
            text = found[1]
        return clean(text or "", f"the keyring item {service}")

    def write(self, ref: SecretRef, secret: Secret) -> None:
        """Store the secret and read it back, alone in its service; raises KeyringError where it did
        not stay."""
        service, username = ref.target
        self._keyring.check()
        if _bound(ref):
            self._keyring.drop_all(service, lambda other: other != username)
        self._keyring.put(service, username, secret.reveal())

    def delete(self, ref: SecretRef) -> bool:
        """Forget the secret, and what was stored by hand for the profile; tell whether there was one.

        What was stored for another server stays.
        """
        service, username = ref.target
        gone = self._keyring.drop(service, username)
        if not _bound(ref):
            return gone
        by_hand = self._keyring.drop_all(service, lambda other: not is_foreign(other, username))
        return by_hand > 0 or gone


def _bound(ref: SecretRef) -> bool:
    """Tell whether the secret rests in its own service, under the origin of the server it is for."""
    service, username = ref.target
    return service == default_service(ref.profile, ref.name) and is_foreign(username, "")

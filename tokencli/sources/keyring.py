"""Secrets in the OS keyring: the place where they rest unless the profile says otherwise."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from tokencli.errors import KeyringError
from tokencli.model import Secret, SecretRef
from tokencli.ports import Terminal
from tokencli.providers.address import is_foreign
from tokencli.sources import default_service
from tokencli.sources.clean import clean
from tokencli.sources.os_keyring import MOST, OsKeyring, os_keyring


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
                error = KeyringError(
                    f"the {ref.name} of profile {ref.profile!r} was stored for {found[0]}, but the"
                    f" profile now names {username}",
                    hint=f"tokencli login {ref.profile} --again   (if that change is right)",
                )
                error.lasting = False
                raise error
            text = found[1]
        return clean(text or "", f"the keyring item {service}")

    def write(self, ref: SecretRef, secret: Secret) -> Callable[[], bool]:
        """Store the secret and read it back, alone in its service; return what undoes that, and tells
        whether there was an older one that it put back.

        Raises:
            KeyringError: it did not stay; then what was there before is put back.
        """
        service, username = ref.target
        self._keyring.check()
        before: list[tuple[str, str]] = []
        with suppress(KeyringError):  # what can't be read is what this is to replace
            if (old := self._keyring.get(service, username)) is not None:
                before.append((username, old))
        back = partial(self._put_back, service, username, before)
        try:
            if _bound(ref):
                for found in self._others(service, username):
                    before.append(found)
                    self._keyring.drop(service, found[0])
            self._keyring.put(service, username, secret.reveal())
        except KeyringError:
            with suppress(KeyringError):
                back()
            raise
        return back

    def delete(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        """Forget the secret, and what was stored by hand for the profile; tell whether there was one.

        What was stored for another server stays, unless it is to go `everywhere`.
        """
        service, username = ref.target
        gone = self._keyring.drop(service, username)
        if not _bound(ref):
            return gone
        more = self._keyring.drop_all(
            service, lambda other: everywhere or not is_foreign(other, username)
        )
        return more > 0 or gone

    def _others(self, service: str, username: str) -> Iterator[tuple[str, str]]:
        """Yield what else is found in a service, for whoever takes it away before the next."""
        for _ in range(MOST):
            name, text = self._keyring.find(service) or (None, "")
            if not name or name == username:
                return
            yield name, text

    def _put_back(self, service: str, username: str, before: list[tuple[str, str]]) -> bool:
        for name, text in before:
            self._keyring.put(service, name, text)
        if all(name != username for name, _ in before):
            self._keyring.drop(service, username)
        return bool(before)


def _bound(ref: SecretRef) -> bool:
    """Tell whether the secret rests in its own service, under the origin of the server it is for."""
    service, username = ref.target
    return service == default_service(ref.profile, ref.name) and is_foreign(username, "")

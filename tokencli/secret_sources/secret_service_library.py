"""The keyring library's Secret Service backend, for users who set `KEYRING_PROPERTY_…` variables.

Only the library knows their meaning, so `secret_service.SecretServiceBackend` can't replace it here.
"""

from contextlib import closing

from keyring.backends.SecretService import Keyring


class LibrarySecretServiceBackend(Keyring):
    """The library's backend, except that an item is overwritten in one step."""

    known_as = "keyring.backends.SecretService.Keyring"

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store the text under service and user name; an older one stays until then."""
        collection = self.get_preferred_collection()  # type: ignore[no-untyped-call]
        with closing(collection.connection):
            items = list(collection.search_items(self._query(service, username)))
            for item in items:
                self.unlock(item)  # type: ignore[no-untyped-call]
                item.set_secret(password.encode("utf-8"))
        if not items:
            super().set_password(service, username, password)  # type: ignore[no-untyped-call]

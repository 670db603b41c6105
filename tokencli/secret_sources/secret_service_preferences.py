"""The keyring library's own Secret Service, for who sets `KEYRING_PROPERTY_…`: it knows their meaning."""

from contextlib import closing

from keyring.backends.SecretService import Keyring


class PreferredSecretServiceBackend(Keyring):
    """The library's items, overwritten in one step, as `SecretServiceItems` does it."""

    known_as = "keyring.backends.SecretService.Keyring"

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep the text under service and user name; until then the old one stays."""
        collection = self.get_preferred_collection()  # type: ignore[no-untyped-call]
        with closing(collection.connection):
            found = list(collection.search_items(self._query(service, username)))
            for item in found:
                self.unlock(item)  # type: ignore[no-untyped-call]
                item.set_secret(password.encode("utf-8"))
        if not found:
            super().set_password(service, username, password)  # type: ignore[no-untyped-call]

"""The names of keyring items, for a keyring that can't list them (macOS, through the keyring library)."""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.system import private_files


class KeyringIndex:
    """One file for each item, so that two processes can record theirs at a time.

    The directory is named after the service's hash. A file contains the user name, which is a server's
    origin or the hash of a credential, and no secret.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def record(self, service: str, username: str) -> None:
        """Record that there may be an item of this name; raises StorageError."""
        path = self._item_path(service, username)
        if private_files.read_private_file(path) is None:
            for directory in (self._root.parent, self._root, path.parent):
                private_files.ensure_private_dir(directory, chosen=directory == self._root.parent)
            private_files.write_atomically(path, username.encode())

    def forget(self, service: str, username: str) -> None:
        """Record that there is no such item any more; raises StorageError."""
        private_files.remove_file(self._item_path(service, username))

    def list_usernames(self, service: str) -> list[str]:
        """Return the user names under which the service may have items."""
        directory = self._service_dir(service)
        found = []
        for name in private_files.list_names(directory):
            with suppress(StorageError, ValueError):
                content = private_files.read_private_file(directory / name)
                found.append((content or b"").decode())
        return sorted(filter(None, found))

    def _service_dir(self, service: str) -> Path:
        return self._root / _hash_name(service)

    def _item_path(self, service: str, username: str) -> Path:
        return self._service_dir(service) / _hash_name(username)


def _hash_name(name: str) -> str:
    return sha256(name.encode(errors="surrogatepass")).hexdigest()

"""The journal of spent refresh tokens: what a run was about to do when it was cut off.

A server that rotates refresh tokens may have answered a run that never got to save the answer. The
next run sees it here and can say so. Only a hash of the refresh token is kept.
"""

import json
from hashlib import sha256
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.model import Secret
from tokencli.stores import files

VERSION = 1


class Journal:
    """One entry for each credential, in files of the folder `place`, which its owner makes."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def begin(self, name: str, refresh_token: Secret, now: float) -> None:
        """Note durably that `refresh_token` is about to be spent."""
        entry = {"version": VERSION, "spent": _mark(name, refresh_token), "at": now}
        files.write(self._path(name), json.dumps(entry).encode("ascii"))

    def conclude(self, name: str) -> bool:
        """Note that the spending is over, and tell whether one had begun."""
        return files.remove(self._path(name))

    def interrupted(self, name: str, refresh_token: Secret) -> bool:
        """Tell whether a run began to spend this very refresh token and never came to its end."""
        try:
            entry = json.loads(files.read(self._path(name)) or b"null")
        except (ValueError, RecursionError, StorageError):
            return False  # what can't be read says nothing; `begin` writes it anew
        return (
            isinstance(entry, dict)
            and entry.get("version") == VERSION
            and entry.get("spent") == _mark(name, refresh_token)
        )

    def _path(self, name: str) -> Path:
        return self.place / f"{name}.json"


def _mark(name: str, refresh_token: Secret) -> str:
    """Hash the token together with whose it is, so that two entries can't be matched."""
    return sha256(f"{name}\n{refresh_token.reveal()}".encode(errors="surrogatepass")).hexdigest()

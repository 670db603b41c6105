"""The journal of spent refresh tokens: what a run was about to do when it was cut off.

A server that rotates refresh tokens may have answered a run that never got to save the answer. The
next run sees it here and can say so. Only a hash of the refresh token is kept.
"""

import json
from hashlib import sha256
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.models import Secret
from tokencli.system import safe_file

JOURNAL_VERSION = 1


class Journal:
    """One entry for each credential, in files of the folder `place`, which its owner makes."""

    def __init__(self, place: Path) -> None:
        self.folder = place

    def record_refresh_start(self, name: str, refresh_token: Secret, now: float) -> None:
        """Note durably that `refresh_token` is about to be spent."""
        entry = {
            "version": JOURNAL_VERSION,
            "spent": _hash_refresh_token(name, refresh_token),
            "at": now,
        }
        safe_file.write_atomically(self._entry_path(name), json.dumps(entry).encode("ascii"))

    def record_refresh_end(self, name: str) -> bool:
        """Note that the spending is over, and tell whether one had begun."""
        return safe_file.remove_file(self._entry_path(name))

    def is_refresh_unfinished(self, name: str, refresh_token: Secret) -> bool:
        """Tell whether a run began to spend this very refresh token and never came to its end."""
        try:
            entry = json.loads(safe_file.read_private_file(self._entry_path(name)) or b"null")
        except (ValueError, RecursionError, StorageError):
            return False  # what can't be read says nothing; `begin` writes it anew
        return (
            isinstance(entry, dict)
            and entry.get("version") == JOURNAL_VERSION
            and entry.get("spent") == _hash_refresh_token(name, refresh_token)
        )

    def _entry_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _hash_refresh_token(name: str, refresh_token: Secret) -> str:
    """Hash the token together with whose it is, so that two entries can't be matched."""
    return sha256(f"{name}\n{refresh_token.reveal()}".encode(errors="surrogatepass")).hexdigest()

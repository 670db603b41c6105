"""The journal of refreshes: which refresh token a run was about to use.

A server that rotates refresh tokens may have replied to a run that was killed before it saved the
reply. The next run recognizes this and can say so. Only a hash of the refresh token is stored.
"""

import json
from hashlib import sha256
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.models import Secret
from tokencli.system import safe_file

JOURNAL_VERSION = 1


class Journal:
    """One file for each credential in a directory that the store creates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def record_refresh_start(self, name: str, refresh_token: Secret, now: float) -> None:
        """Record durably that `refresh_token` is about to be used."""
        entry = {
            "version": JOURNAL_VERSION,
            "spent": _hash_refresh_token(name, refresh_token),
            "at": now,
        }
        safe_file.write_atomically(self._entry_path(name), json.dumps(entry).encode("ascii"))

    def record_refresh_end(self, name: str) -> bool:
        """Record that the refresh has ended, and tell whether one had started."""
        return safe_file.remove_file(self._entry_path(name))

    def is_refresh_unfinished(self, name: str, refresh_token: Secret) -> bool:
        """Tell whether a run started to use this refresh token and never finished."""
        try:
            entry = json.loads(safe_file.read_private_file(self._entry_path(name)) or b"null")
        except (ValueError, RecursionError, StorageError):
            return False  # an unreadable entry is ignored and overwritten by the next refresh
        return (
            isinstance(entry, dict)
            and entry.get("version") == JOURNAL_VERSION
            and entry.get("spent") == _hash_refresh_token(name, refresh_token)
        )

    def _entry_path(self, name: str) -> Path:
        return self.directory / f"{name}.json"


def _hash_refresh_token(name: str, refresh_token: Secret) -> str:
    """Hash the token with the credential's name, so that two entries can't be compared."""
    return sha256(f"{name}\n{refresh_token.reveal()}".encode(errors="surrogatepass")).hexdigest()

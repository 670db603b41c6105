"""What `tokencli keep` watches: the configuration, files with secrets, and the stored token."""

from contextlib import suppress
from pathlib import Path
from time import monotonic

from tokencli.app import App
from tokencli.errors import TokencliError
from tokencli.models import Profile
from tokencli.token_store.credential_key import derive_binding

STORE_INTERVAL_S = 30.0
"""Seconds between two checks of a store that can't be checked cheaply."""


class ChangeWatch:
    """Notices what other processes have changed since the last look."""

    def __init__(self, app: App, profile: Profile) -> None:
        self.accept_files(app, profile)
        self._fingerprint = _read_fingerprint(app, profile)
        self._store_due = 0.0

    def accept_files(self, app: App, profile: Profile) -> None:
        """Note the configuration and the secrets' files as they are now."""
        self._stamps = self._new_stamps = _read_stamps(app, profile)

    def have_files_changed(self, app: App, profile: Profile) -> bool:
        """Tell whether the configuration or a secret's file has changed, and is no longer changing."""
        before, self._new_stamps = self._new_stamps, _read_stamps(app, profile)
        return self._new_stamps != self._stamps and self._new_stamps == before

    def has_store_changed(self, app: App, profile: Profile, *, is_failing: bool) -> bool:
        """Tell whether another process renewed the token, signed in or logged out.

        A store that can't be asked cheaply, such as the keyring, is read only if a renewal failed.
        """
        before, self._fingerprint = self._fingerprint, _read_fingerprint(app, profile)
        if self._fingerprint is None and is_failing and monotonic() >= self._store_due:
            self._store_due = monotonic() + STORE_INTERVAL_S
            return True
        return self._fingerprint != before


def _read_stamps(app: App, profile: Profile) -> list[object]:
    """Return what changes whenever the configuration or a file with a secret does."""
    directory = app.config_path.parent
    secrets = (ref for ref in profile.secrets.values() if ref.kind == "file")
    paths = [directory / Path(ref.target[0]).expanduser() for ref in secrets]
    stamps: list[object] = []
    for path in (app.config_path, *paths):
        try:
            status = path.stat()  # of the file itself: Kubernetes replaces a link on the way to it
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev))
    return stamps


def _read_fingerprint(app: App, profile: Profile) -> object:
    with suppress(TokencliError):
        return app.token_store(profile).fingerprint(derive_binding(profile).key)
    return None

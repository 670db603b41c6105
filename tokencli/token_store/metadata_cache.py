"""The cache of issuers' metadata: one file for each profile and issuer, next to the locks."""

from hashlib import sha256

from tokencli.models import Profile
from tokencli.system.private_files import (
    ensure_private_dir,
    read_private_file,
    set_aside_damaged_file,
    write_atomically,
)
from tokencli.system.user_dirs import state_dir
from tokencli.token_store.locked_store import profile_file_prefix

METADATA_DIR_NAME = "issuers"


class MetadataCacheFile:
    """The cached metadata of a profile's issuer; not secret, but trusted."""

    def __init__(self, profile: Profile) -> None:
        self._root = state_dir(profile.state_dir)
        name = sha256((profile.issuer or "").encode()).hexdigest()[:32]
        self._path = (
            self._root / METADATA_DIR_NAME / f"{profile_file_prefix(profile.name)}{name}.json"
        )

    def load(self) -> bytes | None:
        """Return the saved metadata, or None; raises StorageError if the directory is not safe."""
        if not ensure_private_dir(self._root, create=False, chosen=True):
            return None
        if not ensure_private_dir(self._path.parent, create=False):
            return None
        try:
            return read_private_file(self._path)
        except ValueError:
            set_aside_damaged_file(self._path)
            return None

    def save(self, data: bytes) -> None:
        """Save the metadata atomically; raises StorageError."""
        ensure_private_dir(self._root, chosen=True)
        ensure_private_dir(self._path.parent)
        write_atomically(self._path, data)

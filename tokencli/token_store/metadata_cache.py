"""What is remembered about servers, next to the locks: issuers' metadata, and spellings that they accept."""

import json
from hashlib import sha256

from tokencli.models import Profile
from tokencli.system.private_files import (
    ensure_private_dir,
    read_private_file,
    remove_file,
    set_aside_damaged_file,
    write_atomically,
)
from tokencli.system.user_dirs import state_dir
from tokencli.token_store.locked_store import profile_file_prefix

METADATA_DIR_NAME = "issuers"
SPELLINGS_DIR_NAME = "spellings"


class ServerStateFile:
    """A file about a server in a directory of its own; not secret, but trusted."""

    def __init__(self, profile: Profile, directory: str, file_name: str) -> None:
        self._root = state_dir(profile.state_dir)
        self._path = self._root / directory / file_name

    def load(self) -> bytes | None:
        """Return what was saved, or None; raises StorageError if the directory is not safe."""
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
        """Save it atomically; raises StorageError."""
        ensure_private_dir(self._root, chosen=True)
        ensure_private_dir(self._path.parent)
        write_atomically(self._path, data)

    def move_to(self, other: "ServerStateFile") -> None:
        """Save the content in another file instead, if there is any."""
        if (data := self.load()) is not None:
            other.save(data)
            remove_file(self._path)


class MetadataCacheFile(ServerStateFile):
    """The cached metadata of a profile's issuer."""

    def __init__(self, profile: Profile) -> None:
        name = sha256((profile.issuer or "").encode()).hexdigest()[:32]
        super().__init__(
            profile, METADATA_DIR_NAME, f"{profile_file_prefix(profile.name)}{name}.json"
        )


class SpellingFile(ServerStateFile):
    """The spelling of a constant that a token endpoint accepted, as JSON, for all profiles that use it."""

    def __init__(self, profile: Profile, name: str) -> None:
        key = json.dumps([profile.token_url, name])
        file_name = f"{sha256(key.encode()).hexdigest()[:32]}.json"
        super().__init__(profile, SPELLINGS_DIR_NAME, file_name)

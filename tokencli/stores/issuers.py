"""What issuers said of themselves: one file for each profile and issuer, beside its locks."""

from hashlib import sha256
from pathlib import Path

from tokencli.model import Profile
from tokencli.stores.files import read, set_aside, write
from tokencli.stores.folders import directory
from tokencli.stores.guarded import owner
from tokencli.stores.places import state_dir

FOLDER = "issuers"


class IssuerFile:
    """The file of one profile's issuer; it holds nothing that is secret, but is trusted."""

    def __init__(self, profile: Profile) -> None:
        self._root = Path(profile.state_dir) if profile.state_dir else state_dir()
        name = sha256((profile.issuer or "").encode()).hexdigest()[:32]
        self._path = self._root / FOLDER / f"{owner(profile.name)}{name}.json"

    def load(self) -> bytes | None:
        """Return what was saved; raises StorageError where the place is not safe."""
        if not directory(self._root, create=False, chosen=True):
            return None
        if not directory(self._path.parent, create=False):
            return None
        try:
            return read(self._path)
        except ValueError:
            set_aside(self._path)
            return None

    def save(self, data: bytes) -> None:
        """Save it all or nothing; raises StorageError."""
        directory(self._root, chosen=True)
        directory(self._path.parent)
        write(self._path, data)

"""The lock of the configuration: held from reading the file to writing it, a moment at most.

It is one for all of a user's configuration files, so that it matters not by which path one is known,
nor whether it is there yet; and no file appears beside anybody's configuration.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tokencli.stores.folders import directory
from tokencli.stores.lock import hold
from tokencli.stores.places import state_dir

_PATIENCE_S = 30.0


@contextmanager
def editing(note: Callable[[str], None], root: Path | None = None) -> Iterator[None]:
    """Hold the lock for the block.

    Raises:
        LockTimeout: another process has it. StorageError: there can be no lock.
    """
    root = root or state_dir()
    directory(root, chosen=True)
    directory(root / "locks")
    doing = "changing a configuration file"
    path = root / "locks" / "config.lock"
    with hold(path, doing=doing, timeout=_PATIENCE_S, note=note, longer="try again"):
        yield

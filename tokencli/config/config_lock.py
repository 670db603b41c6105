"""The lock of the configuration: held from reading the file to writing it, a moment at most.

It is one for all of a user's configuration files, so that it matters not by which path one is known,
nor whether it is there yet; and no file appears beside anybody's configuration.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tokencli.system.private_dir import ensure_private_dir
from tokencli.system.user_dirs import state_dir
from tokencli.token_store.lock import hold_lock

_LOCK_TIMEOUT_S = 30.0


@contextmanager
def hold_config_lock(note: Callable[[str], None], root: Path | None = None) -> Iterator[None]:
    """Hold the lock for the block.

    Raises:
        LockTimeout: another process has it. StorageError: there can be no lock.
    """
    root = root or state_dir()
    ensure_private_dir(root, chosen=True)
    ensure_private_dir(root / "locks")
    doing = "changing a configuration file"
    path = root / "locks" / "config.lock"
    with hold_lock(path, doing=doing, timeout=_LOCK_TIMEOUT_S, note=note, longer="try again"):
        yield

"""The lock for changing configuration files, held from reading the file to writing it.

There is one lock for all configuration files of a user, so it doesn't matter by which path a file is
known or whether it exists yet, and no lock file appears next to a configuration.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.protocols import ShowWait
from tokencli.system.file_lock import hold_lock
from tokencli.system.private_files import ensure_private_dir
from tokencli.system.user_dirs import state_dir

_LOCK_TIMEOUT_S = 30.0


@contextmanager
def hold_config_lock(show_wait: ShowWait, root: Path | None = None) -> Iterator[None]:
    """Hold the lock inside the block.

    Raises:
        LockTimeoutError: another process holds it. StorageError: it can't be created.
    """
    root = root or state_dir()
    try:
        ensure_private_dir(root, chosen=True)
        ensure_private_dir(root / "locks")
    except StorageError as error:
        if error.cause:  # it is about token stores
            error.cause = (
                "a lock is needed there while a configuration is changed; XDG_STATE_HOME can name"
                " another directory"
            )
        raise
    doing = "changing a configuration file"
    path = root / "locks" / "config.lock"
    with hold_lock(
        path,
        doing=doing,
        timeout=_LOCK_TIMEOUT_S,
        show_wait=show_wait,
        timeout_cause="run the command again",
    ):
        yield

"""Where this user's files may rest: places that follow the user, not the environment.

What shares a keyring has to share a lock, and the keyring belongs to the user. So the state folder
comes from the user database and not from HOME, TMPDIR or XDG variables.
"""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from tokencli.fastpath.reader import APP_DIR, runtime_base_dirs

_MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})


def state_dir() -> Path:
    """Return the folder for locks, journals and the file store; it need not be there yet.

    Where the home folder is missing or can't be written to, it is one under /tmp: by a fixed name,
    so that all processes of the user meet there, and checked like any other before it is used.
    """
    if sys.platform == "win32":
        import platformdirs

        return platformdirs.user_data_path("tokencli", appauthor=False)
    home = _home_dir()
    if home is not None:
        inside = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
        place = home / inside / "tokencli"
        if _is_creatable(place):
            return place
    return Path(f"/tmp/tokencli-{os.geteuid()}")  # noqa: S108  # checked before use, see files.py


def runtime_dir(environ: Mapping[str, str]) -> Path | None:
    """Return the folder for what may not touch a disk, or None where there is no safe one.

    It lies in the user's runtime directory (XDG Base Directory Specification), if that is the
    user's own, closed to others, and kept in memory.
    """
    if sys.platform != "linux":
        return None
    for base in runtime_base_dirs(environ):
        if base.startswith("/") and _is_private_dir(Path(base)) and is_memory_backed(Path(base)):
            return Path(base) / APP_DIR
    return None


def is_memory_backed(path: Path) -> bool:
    """Tell whether `path` lies on a file system that is kept in memory (Linux, from mountinfo)."""
    try:
        device = path.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[2:3] == [number]:
            return rest.split()[0] in _MEMORY_FILE_SYSTEMS
    return False


def _home_dir() -> Path | None:
    import pwd

    try:
        home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # a container's user that no database knows
        return None
    return home if home.is_absolute() and home.is_dir() else None


def _is_creatable(place: Path) -> bool:
    """Tell whether `place` can be written to, or made in the nearest folder above it that is there."""
    effective = os.access in os.supports_effective_ids
    for folder in (place, *place.parents):
        if os.path.lexists(folder):
            return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
    return False


def _is_private_dir(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )

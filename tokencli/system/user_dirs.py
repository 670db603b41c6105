"""The user's directories for state and for data in memory.

Processes that share a keyring must share a lock, and the keyring belongs to the user. So the state
directory comes from the user database and not from HOME, TMPDIR or XDG variables.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tokencli import platforms
from tokencli.errors import StorageError
from tokencli.system.private_files import ensure_private_dir, read_private_file, write_atomically

_RUNTIME_DIRS_FILE = "runtime_dirs"
SANDBOX_DIR_PREFIX = "tokencli-sandbox-"
"""Start of the names of the temporary directories of `tokencli sandbox`."""
_HAND_OVER_DIR = "exec"
_MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})


def state_dir(chosen: str | None = None) -> Path:
    """Return the directory for locks, journals and the file store; it may not exist yet.

    It is the one that the configuration chose, or else the user's.
    """
    if chosen:
        return Path(platforms.current().extend_path(str(Path(chosen).expanduser())))
    *usual, last = map(Path, platforms.current().list_state_dirs())
    return next(filter(is_creatable, usual), last)


def runtime_dir(environ: Mapping[str, str]) -> Path | None:
    """Return the directory for data that must not be written to a disk, or None.

    It is in the user's runtime directory (XDG Base Directory Specification).
    """
    if not platforms.current().has_memory_directories:
        return None
    base = find_memory_dir((environ.get("XDG_RUNTIME_DIR", ""), _usual_runtime_dir()))
    return None if base is None else base / "tokencli"


def hand_over_dir(environ: Mapping[str, str]) -> Path | None:
    """Return the directory in memory for the token files of running commands, or None.

    It is in /dev/shm if there is no runtime directory, as in containers and cron jobs.
    """
    base = runtime_dir(environ) or _shared_memory_dir()
    return None if base is None else base / _HAND_OVER_DIR


def list_hand_over_dirs(environ: Mapping[str, str], state: Path) -> list[Path]:
    """Return the directories that may have token files of any of the user's commands."""
    bases = (runtime_dir(environ), *(b / "tokencli" for b in list_runtime_dirs(state)))
    found = [base for base in (*bases, _shared_memory_dir()) if base is not None]
    return [base / _HAND_OVER_DIR for base in dict.fromkeys(found)]


def explain_missing_runtime_dir() -> str:
    """Say why there is no directory in memory, for a message."""
    if not platforms.current().has_memory_directories:
        return f"{platforms.current().name} has no directory that is known to be in memory only"
    named, wanted = (
        os.environ.get("XDG_RUNTIME_DIR"),
        "a directory on tmpfs that only you can enter",
    )
    if not named:
        return f"XDG_RUNTIME_DIR is not set; it must be {wanted}"
    try:
        owner = Path(named).stat().st_uid
    except (OSError, ValueError):
        return f"XDG_RUNTIME_DIR is {named}, which does not exist; it must be {wanted}"
    if owner != os.geteuid():
        return f"XDG_RUNTIME_DIR is {named}, which belongs to uid {owner}, and you are uid {os.geteuid()}"
    return f"XDG_RUNTIME_DIR is {named}; it must be {wanted}"


def find_memory_dir(paths: Iterable[str]) -> Path | None:
    """Return the first directory that belongs to the user, is closed to others and is in memory (Linux)."""
    for path in map(Path, paths):
        if path.is_absolute() and _is_private_dir(path) and is_memory_backed(path):
            return path
    return None


def remember_runtime_dir(base: Path, state: Path) -> bool:
    """Record in the state directory that `base` may have tokens, and tell whether that succeeded.

    So a logout finds them although its own XDG_RUNTIME_DIR is another one.
    """
    if str(base) == platforms.current().encrypted_dir():
        return True
    if str(base) == _usual_runtime_dir() or str(base) in _read_runtime_dirs(state):
        return True
    try:
        ensure_private_dir(state, chosen=True)
        existing = [path for path in _read_runtime_dirs(state) if os.path.isdir(path)]  # noqa: PTH112 - strings
        text = "".join(f"{path}\n" for path in (*existing, base))
        write_atomically(state / _RUNTIME_DIRS_FILE, text.encode("utf-8", "surrogateescape"))
    except StorageError:
        return False
    return "\n" not in str(base)


def list_runtime_dirs(state: Path) -> list[Path]:
    """Return the runtime directories that may have tokens of any of the user's processes."""
    if not platforms.current().has_memory_directories:
        return []
    paths = dict.fromkeys((_usual_runtime_dir(), *_read_runtime_dirs(state)))
    return [base for path in paths if (base := find_memory_dir((path,))) is not None]


def list_copy_dirs(state: Path) -> list[Path]:
    """Return the directories that may have hot copies of any of the user's processes."""
    encrypted = platforms.current().encrypted_dir()
    return list_runtime_dirs(state) if encrypted is None else [Path(encrypted)]


def is_memory_backed(path: Path) -> bool:
    """Tell whether `path` is on a file system in memory (Linux)."""
    return find_file_system(path) in _MEMORY_FILE_SYSTEMS


def find_file_system(path: Path) -> str | None:
    """Return the type of the file system that `path` is on, e.g. `tmpfs`; None if unknown.

    It is found in mountinfo, see proc_pid_mountinfo(5), so only on Linux. A Windows drive in WSL is
    `drvfs`, though its type is 9p since WSL 2.
    """
    try:
        device = path.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[2:3] == [number]:
            return "drvfs" if "aname=drvfs" in rest else rest.split()[0]
    return None


def _shared_memory_dir() -> Path | None:
    """Return a directory of the user in /dev/shm (Linux); it is checked before it is used."""
    base = Path("/dev/shm")  # noqa: S108 - see private_files
    if not platforms.current().has_memory_directories or not is_memory_backed(base):
        return None
    return base / f"tokencli-{os.geteuid()}"


def _usual_runtime_dir() -> str:
    return f"/run/user/{os.geteuid()}"


def _read_runtime_dirs(state: Path) -> list[str]:
    try:
        data = read_private_file(state / _RUNTIME_DIRS_FILE) or b""
    except (StorageError, ValueError):
        return []
    return data.decode("utf-8", "surrogateescape").splitlines()


def is_creatable(path: Path) -> bool:
    """Tell whether `path` is writable, or can be created in the nearest existing parent directory."""
    effective = os.access in os.supports_effective_ids
    for directory in (path, *path.parents):
        if os.path.lexists(directory):
            return os.access(directory, os.W_OK | os.X_OK, effective_ids=effective)
    return False


def _is_private_dir(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & 0o077
    )

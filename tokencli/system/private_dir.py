"""Private directories: owned by this user and closed to everyone else."""

import errno
import os
import shlex
import stat
import sys
from contextlib import suppress
from pathlib import Path

from tokencli.errors import StorageError

_OTHER_STORE_FIX = (
    'use a local disk (state_dir = "/…" with store = "file"), or store = "runtime" or "none"'
)
_UNSUPPORTED = ("its file system lacks a required feature such as locks", _OTHER_STORE_FIX)
_REASONS_BY_ERRNO = {
    errno.ENOLCK: ("its file system has no locks", _OTHER_STORE_FIX),
    errno.ENOSYS: _UNSUPPORTED,
    errno.EOPNOTSUPP: _UNSUPPORTED,
    errno.EIO: ("the disk or the network failed (input/output error)", _OTHER_STORE_FIX),
    errno.ENOSPC: ("the disk is full", "df -h {parent}"),
    errno.EDQUOT: ("your disk quota is used up", "quota"),
    errno.EFBIG: ("the file size limit is reached", "ulimit -f unlimited"),
    errno.EROFS: (
        "the file system is read-only",
        "set state_dir or store to a writable location",
    ),
    errno.ELOOP: ("it is a symbolic link", "rm {path}"),
    errno.ENOTDIR: ("a file is in the way", "ls -ld {path} {parent}"),
    errno.EISDIR: ("a directory is in the way", "ls -la {path}"),
    errno.EACCES: ("permission denied", "ls -la {parent}"),
    errno.EPERM: ("permission denied", "ls -la {parent}"),
}
"""errno -> reason and fix."""


def build_storage_error(error: OSError, path: Path) -> StorageError:
    """Return the error that says why `path` can't be used."""
    unknown = ((error.strerror or "unknown error").lower(), "ls -la {parent}")
    reason, fix = _REASONS_BY_ERRNO.get(error.errno or 0, unknown)
    return StorageError(
        f"can't use {path}: {reason}",
        fix=fix.format(path=shlex.quote(str(path)), parent=shlex.quote(str(path.parent))),
    )


def foreign_owner_error(path: Path, owner: int) -> StorageError:
    """Return the error for a path that belongs to another user."""
    quoted = shlex.quote(str(path))
    message = f"{path} belongs to another user (uid {owner})"
    if _can_rename_inside(path.parent):
        return StorageError(message, fix=f"mv {quoted} {quoted}.foreign")
    return StorageError(
        message,
        cause="only that user or an administrator can remove it",
        fix='set state_dir to your own directory with store = "file", or store = "runtime" or "none"',
    )


def _can_rename_inside(directory: Path) -> bool:
    """Tell whether we may rename other users' files in the directory; not in /tmp (sticky bit)."""
    if sys.platform == "win32" or os.geteuid() == 0:
        return True
    try:
        status = directory.stat()
    except OSError:
        return True
    return not status.st_mode & stat.S_ISVTX or status.st_uid == os.geteuid()


def ensure_private_dir(path: Path, *, create: bool = True, chosen: bool = False) -> bool:
    """Make sure that no other user can enter the directory `path`; tell whether it exists.

    If it is open to others, it is closed. If the user may have `chosen` it, it may contain other
    files, so its mode is left alone: others may read it, but not write. With `create` it is created
    with mode 0700 if it is missing.

    Raises:
        StorageError: it isn't a directory, isn't ours, isn't safe, or can't be created or closed.
    """
    try:
        if create:
            _make_private_dirs(path)
        status = path.lstat()
        if sys.platform == "win32":  # protected by the access list of the user's profile directory
            return True
        if status.st_uid != os.geteuid():
            raise foreign_owner_error(path, status.st_uid)
        if stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, "symbolic link")
        if not stat.S_ISDIR(status.st_mode):
            raise OSError(errno.ENOTDIR, "not a directory")
        mode = stat.S_IMODE(status.st_mode)
        if chosen:
            _require_safe_mode(path, mode)
        elif mode & 0o777 != 0o700:
            path.chmod((mode & ~0o077) | 0o700)
            if path.lstat().st_mode & 0o077:
                raise StorageError(
                    f"this file system can't protect {path} from other users",
                    fix='set store = "keyring" or "runtime", or state_dir to another location',
                )
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not create:
            return False
        raise build_storage_error(error, path) from None
    return True


def _require_safe_mode(path: Path, mode: int) -> None:
    """Refuse a directory in which others can write, or we can't."""
    quoted = shlex.quote(str(path))
    if mode & 0o022:
        # Directories such as /tmp are meant to be like that.
        shared = mode & stat.S_ISVTX
        raise StorageError(
            f"other users can write to {path}, so nothing in it is safe",
            cause="state_dir must be a directory in which only you can write",
            fix=f"mkdir -m 700 {quoted}/tokencli" if shared else f"chmod go-w {quoted}",
        )
    if mode & 0o700 != 0o700:
        raise StorageError(f"you don't have full access to {path}", fix=f"chmod u+rwx {quoted}")


def list_names(directory: Path, *, prefix: str = "") -> list[str]:
    """Return the names in a directory that start with `prefix`; empty if it doesn't exist."""
    try:
        names = (entry.name for entry in directory.iterdir())
        return sorted(name for name in names if name.startswith(prefix))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise build_storage_error(error, directory) from None


def sync_dir(directory: Path) -> None:
    """Make sure that names created, changed or removed in the directory survive a power cut."""
    if sys.platform == "win32":
        return
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.EOPNOTSUPP,
        ):  # not supported by every file system
            raise
    finally:
        os.close(fd)


def _make_private_dirs(path: Path) -> None:
    """Create a directory and its missing parents, each closed to others from the start."""
    missing = []
    parent = path
    while not os.path.lexists(parent):
        missing.append(parent)
        parent = parent.parent
    for directory in reversed(missing):
        try:
            directory.mkdir(mode=0o700)
            directory.chmod(0o700)  # in case of an unusual umask
        except FileExistsError:  # another process was faster
            continue
        with suppress(PermissionError):  # a parent may be accessible but not readable
            sync_dir(directory.parent)

"""The safe folder: it is this user's own, and nobody else can enter it."""

import errno
import os
import shlex
import stat
import sys
from contextlib import suppress
from pathlib import Path

from tokencli.errors import StorageError

_OTHER_STORES_HINT = (
    'keep it on a local disk: state_dir = "/…" with store = "file"; or set store = "runtime" or'
    ' "none" in the profile'
)
_UNSUPPORTED_CAUSE = (
    "its file system lacks what is needed here, such as locks",
    _OTHER_STORES_HINT,
)
_CAUSES_BY_ERRNO = {
    errno.ENOLCK: ("its file system offers no locks", _OTHER_STORES_HINT),
    errno.ENOSYS: _UNSUPPORTED_CAUSE,
    errno.EOPNOTSUPP: _UNSUPPORTED_CAUSE,
    errno.EIO: ("the disk or its network fails (input/output error)", _OTHER_STORES_HINT),
    errno.ENOSPC: ("the disk is full", "make room, then try again: df -h {place}"),
    errno.EDQUOT: ("your disk quota is used up", "make room, then try again: quota"),
    errno.EFBIG: ("the limit for the size of a file is reached", "ulimit -f unlimited"),
    errno.EROFS: (
        "the file system is read-only",
        "make it writable: mount -o remount,rw …; or, for tokens to come, set store or state_dir to"
        " another place",
    ),
    errno.ELOOP: ("it is a symbolic link", "see where it leads, then remove it: rm {path}"),
    errno.ENOTDIR: ("a file is in the way", "see what it is: ls -ld {path} {place}"),
    errno.EISDIR: ("a directory is in the way", "see what it is: ls -la {path}"),
    errno.EACCES: ("permission is denied", "see whose it is: ls -la {place}"),
    errno.EPERM: ("permission is denied", "see whose it is: ls -la {place}"),
}


def build_storage_error(error: OSError, path: Path) -> StorageError:
    """Say in words why `path` can't be used, and what mends it."""
    unknown = ((error.strerror or "it failed").lower(), "see whose it is: ls -la {place}")
    cause, mend = _CAUSES_BY_ERRNO.get(error.errno or 0, unknown)
    fix = mend.format(path=shlex.quote(str(path)), place=shlex.quote(str(path.parent)))
    return StorageError(f"{path} can't be used: {cause}", fix=fix)


def foreign_owner_error(path: Path, owner: int) -> StorageError:
    """Say that `path` belongs to somebody else."""
    mend = f"see whose it is, then move it out of the way: ls -ld {shlex.quote(str(path))}"
    if not _can_rename_inside(path.parent):
        mend = (
            "only that user or an administrator can remove it; without them:"
            ' state_dir = "/…", a folder of your own, with store = "file"; or set store = "runtime" or'
            ' "none" in the profile'
        )
    return StorageError(f"{path} belongs to another user (uid {owner})", fix=mend)


def _can_rename_inside(folder: Path) -> bool:
    """Tell whether we may rename what belongs to others in the folder; not so in /tmp (sticky)."""
    if sys.platform == "win32" or os.geteuid() == 0:
        return True
    try:
        found = folder.stat()
    except OSError:
        return True
    return not found.st_mode & stat.S_ISVTX or found.st_uid == os.geteuid()


def ensure_private_dir(path: Path, *, create: bool = True, chosen: bool = False) -> bool:
    """Make sure that nobody else can enter the folder `path`; tell whether it is there.

    One of ours that is open to others is closed. One that somebody may have `chosen`, with other
    things in it, is left as it is: others may read there, but not write. With `create` it is made,
    with mode 0700, where it is missing.

    Raises:
        StorageError: it is not a folder, not ours, not safe, or can't be made or closed.
    """
    try:
        if create:
            _make_private_dirs(path)
        found = path.lstat()
        if sys.platform == "win32":  # the access list of the profile folder stands for all of this
            return True
        if found.st_uid != os.geteuid():
            raise foreign_owner_error(path, found.st_uid)
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, "symbolic link")
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, "not a folder")
        mode = stat.S_IMODE(found.st_mode)
        if chosen:
            _require_safe_mode(path, mode)
        elif mode & 0o777 != 0o700:
            path.chmod((mode & ~0o077) | 0o700)
            if path.lstat().st_mode & 0o077:
                raise StorageError(
                    f"{path} can't be closed to other users on this file system",
                    fix='set store = "keyring" or "runtime", or state_dir to another place',
                )
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not create:
            return False
        raise build_storage_error(error, path) from None
    return True


def _require_safe_mode(path: Path, mode: int) -> None:
    """Refuse a folder in which others can write, or we can't."""
    quoted = shlex.quote(str(path))
    if mode & 0o022:
        own = f"set state_dir to a folder of your own: mkdir -m 700 {quoted}/tokencli"
        # /tmp and the like are meant to be so.
        mend = "" if mode & stat.S_ISVTX else f"; or close this one: chmod go-w {quoted}"
        raise StorageError(
            f"{path} can be written to by other users, so nothing is safe in it", fix=own + mend
        )
    if mode & 0o700 != 0o700:
        raise StorageError(f"{path} is closed even to you", fix=f"chmod u+rwx {quoted}")


def list_names(folder: Path, *, beginning: str = "") -> list[str]:
    """Return the names in a folder that begin so, none where there is no folder."""
    try:
        found = (entry.name for entry in folder.iterdir())
        return sorted(name for name in found if name.startswith(beginning))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise build_storage_error(error, folder) from None


def sync_dir(folder: Path) -> None:
    """See to it that names made, changed or removed in the folder outlast a power cut."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # not every file system knows how
            raise
    finally:
        os.close(fd)


def _make_private_dirs(path: Path) -> None:
    """Make a folder and what is missing above it, each closed to others from its first moment."""
    missing = []
    above = path
    while not os.path.lexists(above):
        missing.append(above)
        above = above.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=0o700)
            folder.chmod(0o700)  # whatever the umask took away
        except FileExistsError:  # another process was faster
            continue
        with suppress(PermissionError):  # a folder above may be one that we can pass but not read
            sync_dir(folder.parent)

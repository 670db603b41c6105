"""Private files and directories: owned by this user and closed to everyone else.

A file is never written in place. A draft is written next to it, flushed to the disk and renamed over
it, and the directory is flushed. Whatever happens in between, a reader finds either the old content
or the new. The draft's disk space is reserved before anything depends on the write.
"""

import errno
import os
import shlex
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tokencli.errors import StorageError

MAX_FILE_BYTES = 512 * 1024
"""Limit of a file that is read."""
_MAX_SET_ASIDE = 3
_DRAFT_SUFFIX = ".draft"
SAFE_OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    # A FIFO or a device of that name must not block the program.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_OTHER_STORE = (
    'choose a local disk (state_dir = "/…" with store = "file"), or store = "runtime" or "none"'
)
_UNSUPPORTED = ("its file system lacks a required feature such as locks", _OTHER_STORE, None)
_REASONS_BY_ERRNO: Mapping[int, tuple[str, str | None, str | None]] = {
    errno.ENOLCK: ("its file system has no locks", _OTHER_STORE, None),
    errno.ENOSYS: _UNSUPPORTED,
    errno.EOPNOTSUPP: _UNSUPPORTED,
    errno.EIO: ("the disk or the network failed (input/output error)", _OTHER_STORE, None),
    errno.ENOSPC: ("the disk is full", None, "df -h {parent}"),
    errno.EDQUOT: ("your disk quota is used up", None, "quota"),
    errno.EFBIG: ("the file size limit is reached", None, "ulimit -f unlimited"),
    errno.EROFS: ("the file system is read-only", _OTHER_STORE, None),
    errno.ELOOP: ("it is a symbolic link", None, "rm {path}"),
    errno.ENOTDIR: ("a file is in the way", None, "ls -ld {path} {parent}"),
    errno.EISDIR: ("a directory is in the way", None, "ls -la {path}"),
    errno.EACCES: ("permission denied", None, "ls -la {parent}"),
    errno.EPERM: ("permission denied", None, "ls -la {parent}"),
}
"""errno -> reason, cause that says what helps, and fix."""


def read_private_file(path: Path) -> bytes | None:
    """Return the content of the file at `path`, or None if it doesn't exist.

    Raises:
        StorageError: it is a link or a FIFO, belongs to another user, or is open to others.
        ValueError: it is larger than MAX_FILE_BYTES.
    """
    try:
        fd = os.open(path, os.O_RDONLY | SAFE_OPEN_FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise build_storage_error(error, path) from None
    try:
        require_private_file(path, os.fstat(fd))
        chunks, size = [], 0
        while chunk := os.read(fd, MAX_FILE_BYTES + 1):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_FILE_BYTES:
                raise ValueError("larger than any token set")
    except OSError as error:
        raise build_storage_error(error, path) from None
    finally:
        os.close(fd)
    return b"".join(chunks)


class AtomicWrite:
    """A draft of the file at `path`, with `size` bytes of disk space reserved.

    Raises:
        StorageError: there is no space, or no permission.
    """

    def __init__(self, path: Path, size: int, mode: int = 0o600) -> None:
        self.path = path
        self._temp_path = path.with_name(f".{path.name}.{os.urandom(8).hex()}{_DRAFT_SUFFIX}")
        self._fd = -1
        try:
            self._fd = os.open(
                self._temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE_OPEN_FLAGS, 0o600
            )
            if sys.platform != "win32":
                os.fchmod(self._fd, mode)  # in case of an unusual umask
            _reserve_space(self._fd, size)
        except OSError as error:
            self.discard()
            raise build_storage_error(error, path) from None

    def commit(self, data: bytes) -> None:
        """Replace the file's content by `data`, durably.

        Raises:
            StorageError: it could not be written; the old content stays.
        """
        try:
            remaining = memoryview(data)
            while remaining:
                remaining = remaining[os.write(self._fd, remaining) :]
            os.ftruncate(self._fd, len(data))
            os.fsync(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
            _replace_file(self._temp_path, self.path)
            sync_dir(self.path.parent)
        except OSError as error:
            self.discard()
            raise build_storage_error(error, self.path) from None

    def discard(self) -> None:
        """Remove the draft."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        with suppress(OSError):  # e.g. on a file system that is read-only, also if there is none
            self._temp_path.unlink()


def stat_stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes whenever the file is written or replaced; None if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to the file at `path`, durably and atomically; raises StorageError."""
    AtomicWrite(path, len(data), mode).commit(data)


def require_replaceable(path: Path) -> None:
    """Raise StorageError unless `write_private_file` may put a file at `path`.

    The directory must exist and be safe (`require_safe_directory`). An existing file must be a regular
    one of this user: a link or a device is neither followed nor replaced.
    """
    directory = path.parent
    try:
        directory.stat()
        status = path.lstat() if os.path.lexists(path) else None
    except FileNotFoundError:
        raise _missing_directory_error(f"can't write {path}", directory) from None
    except OSError as error:
        raise build_storage_error(error, path) from None
    if not directory.is_dir():
        raise build_storage_error(OSError(errno.ENOTDIR, "not a directory"), path)
    is_link = status is not None and stat.S_ISLNK(status.st_mode)
    if is_link:
        with suppress(OSError):  # it leads nowhere
            status = path.stat()
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise StorageError(f"can't write {path}: it is a directory")
    if status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise StorageError(f"can't write {path}: it is not a regular file")
    if is_link:
        raise StorageError(
            f"can't write {path}: it is a symbolic link",
            cause=f"it leads to {os.path.realpath(path)}; name the file itself",
        )
    require_safe_directory(directory)
    if sys.platform != "win32" and status is not None and status.st_uid != os.geteuid():
        raise foreign_owner_error(path, status.st_uid)


def require_safe_directory(directory: Path) -> None:
    """Raise StorageError unless the directory belongs to this user or root, and what is in it is safe.

    If other users can write to it, it must have the sticky bit, as /tmp does: then they can't replace
    this user's files.
    """
    try:
        status = directory.stat()
    except OSError as error:
        raise build_storage_error(error, directory) from None
    if not stat.S_ISDIR(status.st_mode):
        raise build_storage_error(OSError(errno.ENOTDIR, "not a directory"), directory)
    if sys.platform == "win32":
        return
    if status.st_uid not in (0, os.geteuid()):
        raise StorageError(
            f"{directory} belongs to another user (uid {status.st_uid})",
            cause="that user could replace any file in it; choose a directory that belongs to you",
        )
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        raise StorageError(
            f"other users can write to {directory}, so nothing in it is safe",
            fix=f"chmod go-w {shlex.quote(str(directory))}",
        )


def write_private_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data`, which may be a token, to the file at `path` that a user or another program named.

    A reader finds the old content or the new. The file has `mode` afterwards, whatever it was
    before. If it can't be written, the old file stays.

    Raises:
        StorageError: `require_replaceable` refuses the path, or the file can't be written.
    """
    require_replaceable(path)
    write_atomically(path, data, mode)


def remove_file(path: Path, *, durably: bool = False) -> bool:
    """Remove the file at `path`, of any type, and tell whether there was one."""
    try:
        path.unlink()
        if durably:
            sync_dir(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EROFS and not os.path.lexists(path):
            return False
        raise build_storage_error(error, path) from None
    return True


def set_aside_damaged_file(path: Path) -> Path:
    """Rename a damaged file instead of deleting it; the oldest of three such files is overwritten."""
    backups = [path.with_name(f"{path.name}.corrupt-{n}") for n in range(1, _MAX_SET_ASIDE + 1)]
    try:
        ages = {backup: backup.lstat().st_mtime_ns for backup in backups if os.path.lexists(backup)}
        unused = [backup for backup in backups if backup not in ages]
        backup = unused[0] if unused else min(backups, key=lambda each: ages[each])
        _replace_file(path, backup)
    except OSError as error:
        raise build_storage_error(error, path) from None
    return backup


def find_leftover_drafts(path: Path) -> Iterator[Path]:
    """Find drafts of `path` that runs left behind because they were killed."""
    for name in list_names(path.parent):
        if name.startswith(f".{path.name}.") and name.endswith(_DRAFT_SUFFIX):
            yield path.with_name(name)


def require_private_file(path: Path, status: os.stat_result) -> None:
    """Raise StorageError unless this is a regular file that only its owner, this user, can open."""
    quoted = shlex.quote(str(path))
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"{path} is not a regular file", fix=f"mv {quoted} {quoted}.old")
    if sys.platform == "win32":
        return
    if status.st_uid != os.geteuid():
        raise foreign_owner_error(path, status.st_uid)
    if status.st_mode & 0o077:
        raise StorageError(f"other users can read or write {path}", fix=f"chmod 600 {quoted}")
    if status.st_nlink > 1:  # 0 is fine: a writer has replaced it since it was opened
        raise StorageError(
            f"{path} has a second name (a hard link)",
            cause=f"to find the other name: find / -xdev -samefile {quoted}",
            fix=f"rm {quoted}",
        )


def _reserve_space(fd: int, size: int) -> None:
    if size <= 0:
        return
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
        else:
            return
    zeros = memoryview(bytes(size))
    while zeros:
        zeros = zeros[os.write(fd, zeros) :]
    os.lseek(fd, 0, os.SEEK_SET)


def _replace_file(source: Path, target: Path) -> None:
    if sys.platform != "win32":
        source.replace(target)
        return
    from time import sleep

    for attempt in range(20):  # it fails while a reader has the target open
        try:
            source.replace(target)
        except PermissionError:
            if attempt == 19:
                raise
            sleep(0.05)
        else:
            return


def build_storage_error(error: OSError, path: Path) -> StorageError:
    """Return the error that says why `path` can't be used."""
    if error.errno == errno.ENOENT and not path.parent.exists():
        return _missing_directory_error(f"can't use {path}", path.parent)
    unknown = ((error.strerror or "unknown error").lower(), None, "ls -la {parent}")
    reason, cause, fix = _REASONS_BY_ERRNO.get(error.errno or 0, unknown)
    quoted = {"path": shlex.quote(str(path)), "parent": shlex.quote(str(path.parent))}
    return StorageError(
        f"can't use {path}: {reason}", cause=cause, fix=fix.format(**quoted) if fix else None
    )


def _missing_directory_error(problem: str, directory: Path) -> StorageError:
    fix = f"mkdir -p -m 700 {shlex.quote(str(directory))}"
    return StorageError(f"{problem}: its directory does not exist", fix=fix)


def foreign_owner_error(path: Path, owner: int) -> StorageError:
    """Return the error for a path that belongs to another user."""
    quoted = shlex.quote(str(path))
    message = f"{path} belongs to another user (uid {owner})"
    if _can_rename_inside(path.parent):
        return StorageError(message, fix=f"mv {quoted} {quoted}.foreign")
    return StorageError(
        message,
        cause=f"only that user or an administrator can remove it; {_OTHER_STORE}",
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
            make_private_dirs(path)
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
                    cause=_OTHER_STORE,
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
        names = os.listdir(directory)  # noqa: PTH208 - a Path for each of many names takes long
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


def make_private_dirs(path: Path) -> None:
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

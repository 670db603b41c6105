"""Private files and directories: owned by this user and closed to everyone else.

A file is never written in place. A draft is written next to it, flushed to the disk and renamed over
it, and the directory is flushed. Whatever happens in between, a reader finds either the old content
or the new. The draft's disk space is reserved before anything depends on the write.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tokencli import platforms
from tokencli.errors import StorageError
from tokencli.platforms.file_access import FileAccess
from tokencli.shell_words import quote, user_shell

MAX_FILE_BYTES = 512 * 1024
"""Limit of a file that is read."""
_MAX_SET_ASIDE = 3
_DRAFT_SUFFIX = ".draft"
_UNSUPPORTED = ("its file system lacks a required feature such as locks", True, None)
_REASONS_BY_ERRNO: Mapping[int, tuple[str, bool, str | None]] = {
    errno.ENOLCK: ("its file system has no locks", True, None),
    errno.ENOSYS: _UNSUPPORTED,
    errno.EOPNOTSUPP: _UNSUPPORTED,
    errno.ENOTSUP: _UNSUPPORTED,  # another number on macOS
    errno.EIO: ("the disk or the network failed (input/output error)", True, None),
    errno.ENOSPC: ("the disk is full", False, "df -h {parent}"),
    errno.EDQUOT: ("your disk quota is used up", False, "quota"),
    errno.EFBIG: ("the file size limit is reached", False, "ulimit -f unlimited"),
    errno.EROFS: ("the file system is read-only", True, None),
    errno.ELOOP: ("it is a symbolic link", False, "remove_link"),
    errno.ENOTDIR: ("a file is in the way", False, "ls -ld {path} {parent}"),
    errno.EISDIR: ("a directory is in the way", False, "list"),
    errno.EACCES: ("permission denied", False, "list_parent"),
    errno.EPERM: ("permission denied", False, "list_parent"),
}
"""errno -> reason, whether another store helps, and fix: a command of POSIX, or what it does."""


def read_private_file(path: Path) -> bytes | None:
    """Return the content of the file at `path`, or None if it doesn't exist.

    Raises:
        StorageError: it is a link or a FIFO, belongs to another user, or is open to others.
        ValueError: it is larger than MAX_FILE_BYTES.
    """
    try:
        fd = platforms.current().open_private_file(str(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise build_storage_error(error, path) from None
    try:
        require_private_file(path, fd)
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
            self._fd = platforms.current().create_file(str(self._temp_path), mode)
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
            platforms.current().sync_file(self._fd)
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
            platforms.current().retry_busy(self._temp_path.unlink)


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
    if status is not None:
        _require_own(path, _find_access(path))


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
    access = _find_access(directory)
    if access.foreign_owner is not None and access.foreign_owner != "uid 0":
        raise StorageError(
            f"{directory} belongs to another user ({access.foreign_owner})",
            cause="that user could replace any file in it; choose a directory that belongs to you",
        )
    if access.is_writable and not status.st_mode & stat.S_ISVTX:
        raise StorageError(
            f"other users can write to {directory}, so nothing in it is safe",
            cause=_name_others(access),
            fix=platforms.current().deny_writing_command(str(directory), access.others),
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
        platforms.current().retry_busy(path.unlink)
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


def require_private_file(path: Path, descriptor: int) -> None:
    """Raise StorageError unless this is a regular file that only its owner, this user, can open.

    `descriptor` is that of the open file. Raises OSError if it can't be examined.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        fix = user_shell().move_file(str(path), f"{path}.old")
        raise StorageError(f"{path} is not a regular file", fix=fix)
    access = platforms.current().find_access(descriptor)
    _require_own(path, access)
    if access.is_open:
        raise StorageError(
            f"other users can read or write {path}",
            cause=_name_others(access),
            fix=platforms.current().restrict_command(str(path), access.others),
        )
    if status.st_nlink > 1:  # 0 is fine: a writer has replaced it since it was opened
        has_find = user_shell().has_unix_tools
        raise StorageError(
            f"{path} has a second name (a hard link)",
            cause=f"to find the other name: find / -xdev -samefile {quote(str(path))}"
            if has_find
            else f"to find the other name: fsutil hardlink list {quote(str(path))}",
            fix=user_shell().remove_file(str(path)),
        )


def _find_access(path: Path) -> FileAccess:
    """Return who else can access a file or directory; raises StorageError."""
    try:
        return platforms.current().find_access(str(path))
    except OSError as error:
        raise build_storage_error(error, path) from None


def _require_own(path: Path, access: FileAccess) -> None:
    if access.foreign_owner is not None:
        raise foreign_owner_error(path, access.foreign_owner)


def _name_others(access: FileAccess) -> str | None:
    """Say who the others are, for the cause of an error, if the platform knows it."""
    if access.others is None:
        return f"its file system has no access lists; {platforms.current().other_store}"
    names = platforms.current().name_others(access.others)
    return names and f"its access list names {names}"


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
    platforms.current().retry_busy(lambda: source.replace(target))


def build_storage_error(error: OSError, path: Path) -> StorageError:
    """Return the error that says why `path` can't be used."""
    reason = platforms.current().explain_file_error(error, str(path))
    if reason is not None:
        return StorageError(f"can't use {path}: {reason}")
    if error.errno == errno.ENOENT and not path.parent.exists():
        return _missing_directory_error(f"can't use {path}", path.parent)
    unknown = ((error.strerror or "unknown error").lower(), False, "list_parent")
    reason, is_elsewhere_better, fix = _REASONS_BY_ERRNO.get(error.errno or 0, unknown)
    cause = platforms.current().other_store if is_elsewhere_better else None
    return StorageError(f"can't use {path}: {reason}", cause=cause, fix=_write_fix(fix, path))


def _write_fix(fix: str | None, path: Path) -> str | None:
    """Return the command that a row of `_REASONS_BY_ERRNO` names, for the user's shell."""
    shell = user_shell()
    if fix == "list":
        return shell.list_path(str(path), "-la")
    if fix == "list_parent":
        return shell.list_path(str(path.parent), "-la")
    if fix == "remove_link":
        return shell.remove_link(str(path))
    if fix is None or not shell.has_unix_tools:
        return None
    return fix.format(path=shell.quote(str(path)), parent=shell.quote(str(path.parent)))


def _missing_directory_error(problem: str, directory: Path) -> StorageError:
    fix = user_shell().create_private_directory(str(directory))
    return StorageError(f"{problem}: its directory does not exist", fix=fix)


def foreign_owner_error(path: Path, owner: str) -> StorageError:
    """Return the error for a path that belongs to another user, e.g. `uid 1000`."""
    message = f"{path} belongs to another user ({owner})"
    if _can_rename_inside(path.parent):
        return StorageError(message, fix=user_shell().move_file(str(path), f"{path}.foreign"))
    return StorageError(
        message,
        cause=f"only that user or an administrator can remove it; {platforms.current().other_store}",
    )


def _can_rename_inside(directory: Path) -> bool:
    """Tell whether we may rename other users' files in the directory; not in /tmp (sticky bit)."""
    try:
        if not directory.stat().st_mode & stat.S_ISVTX:
            return True
        return (
            platforms.current().find_access(str(directory)).foreign_owner is None
            or not platforms.current().is_bound_by_permissions()
        )
    except OSError:
        return True


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
        access = platforms.current().find_access(str(path))
        _require_own(path, access)
        if stat.S_ISLNK(status.st_mode) or _is_mount_point(status):
            raise OSError(errno.ELOOP, "symbolic link")
        if not stat.S_ISDIR(status.st_mode):
            raise OSError(errno.ENOTDIR, "not a directory")
        if chosen:
            _require_safe_access(path, access, is_shared=bool(status.st_mode & stat.S_ISVTX))
        elif access.is_open or access.is_restricted:
            platforms.current().close_directory(str(path))
            if platforms.current().find_access(str(path)).is_open:
                raise StorageError(
                    f"this file system can't protect {path} from other users",
                    cause=platforms.current().other_store,
                )
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not create:
            return False
        raise build_storage_error(error, path) from None
    return True


def _is_mount_point(status: os.stat_result) -> bool:
    """Tell whether a directory of Windows is another one (a junction)."""
    return getattr(status, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)


def _require_safe_access(path: Path, access: FileAccess, *, is_shared: bool) -> None:
    """Refuse a directory in which others can write, or we can't; /tmp and its like are meant for that."""
    if access.is_writable:
        platform = platforms.current()
        cause = "state_dir must be a directory in which only you can write"
        names = _name_others(access)
        raise StorageError(
            f"other users can write to {path}, so nothing in it is safe",
            cause=f"{cause}; {names}" if names else cause,
            fix=f"mkdir -m 700 {quote(f'{path}/tokencli')}"
            if is_shared
            else platform.deny_writing_command(str(path), access.others),
        )
    if access.is_restricted:
        fix = platforms.current().allow_owner_command(str(path))
        raise StorageError(f"you don't have full access to {path}", fix=fix)


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
    platforms.current().sync_dir(str(directory))


def make_private_dirs(path: Path) -> None:
    """Create a directory and its missing parents, each closed to others from the start."""
    missing = []
    parent = path
    while not os.path.lexists(parent) and parent != parent.parent:  # there may be no such drive
        missing.append(parent)
        parent = parent.parent
    for directory in reversed(missing):
        try:
            platforms.current().make_private_dir(str(directory))
        except FileExistsError:  # another process was faster
            continue
        with suppress(PermissionError):  # a parent may be accessible but not readable
            sync_dir(directory.parent)

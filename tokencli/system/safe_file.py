"""Safe files: written atomically and durably, and read only if no other user can change them.

A file is never written in place. A draft is written next to it, flushed to the disk and renamed over
it, and the directory is flushed. Whatever happens in between, a reader finds either the old content
or the new. The draft's disk space is reserved before anything depends on the write.
"""

import errno
import os
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.system.private_dir import (
    build_storage_error,
    foreign_owner_error,
    list_names,
    sync_dir,
)

MAX_FILE_BYTES = 512 * 1024
"""Limit of a file that is read."""
_MAX_SET_ASIDE = 3
_DRAFT_SUFFIX = ".draft"
_SAFE_OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    # A FIFO or a device of that name must not block the program.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_private_file(path: Path) -> bytes | None:
    """Return the content of the file at `path`, or None if it doesn't exist.

    Raises:
        StorageError: it is a link or a FIFO, belongs to another user, or is open to others.
        ValueError: it is larger than MAX_FILE_BYTES.
    """
    try:
        fd = os.open(path, os.O_RDONLY | _SAFE_OPEN_FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise build_storage_error(error, path) from None
    try:
        _require_private_file(path, os.fstat(fd))
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
                self._temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE_OPEN_FLAGS, 0o600
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
        self._temp_path.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to the file at `path`, durably and atomically; raises StorageError."""
    AtomicWrite(path, len(data), mode).commit(data)


def remove_file(path: Path, *, durably: bool = False) -> bool:
    """Remove the file at `path`, of any type, and tell whether there was one."""
    try:
        path.unlink()
        if durably:
            sync_dir(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
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


def _require_private_file(path: Path, status: os.stat_result) -> None:
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

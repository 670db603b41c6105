"""The safe file: written all or nothing and durably, read only where it can be trusted.

A file is never written in place. It is drafted beside its target, flushed to the disk, renamed over
the target, and the folder is flushed: whatever happens in between, a reader finds the old content
or the new. Room is held in the draft before anything depends on the write.
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
"""Bytes; a larger file is not one of ours."""
_MAX_SET_ASIDE = 3
_DRAFT_SUFFIX = ".draft"
_SAFE_OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    # A FIFO or a device under the name must not hang the program.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_private_file(path: Path) -> bytes | None:
    """Return the content of the file at `path`, or None where there is none.

    Raises:
        StorageError: it is a link, a FIFO, somebody else's, or open to others.
        ValueError: it is larger than `CAP`.
    """
    try:
        fd = os.open(path, os.O_RDONLY | _SAFE_OPEN_FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise build_storage_error(error, path) from None
    try:
        _require_private_file(path, os.fstat(fd))
        pieces, size = [], 0
        while piece := os.read(fd, MAX_FILE_BYTES + 1):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_FILE_BYTES:
                raise ValueError("larger than any token set")
    except OSError as error:
        raise build_storage_error(error, path) from None
    finally:
        os.close(fd)
    return b"".join(pieces)


class AtomicWrite:
    """A new content of the file at `path`, with room for `size` bytes held on the disk.

    Raises:
        StorageError: there is no room, or no permission.
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
                os.fchmod(self._fd, mode)  # whatever the umask took away
            _reserve_space(self._fd, size)
        except OSError as error:
            self.discard()
            raise build_storage_error(error, path) from None

    def commit(self, data: bytes) -> None:
        """Put `data` in the place of what was there, durably.

        Raises:
            StorageError: it could not be written; what was there stays.
        """
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
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
        """Give the room back."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._temp_path.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` in the file at `path`, durably and all or nothing; raises StorageError."""
    AtomicWrite(path, len(data), mode).commit(data)


def remove_file(path: Path, *, durably: bool = False) -> bool:
    """Remove the file at `path`, whatever it is, and tell whether there was one."""
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
    """Rename a damaged file, so that it is out of the way and not lost; the oldest of three goes."""
    places = [path.with_name(f"{path.name}.corrupt-{n}") for n in range(1, _MAX_SET_ASIDE + 1)]
    try:
        ages = {place: place.lstat().st_mtime_ns for place in places if os.path.lexists(place)}
        free = [place for place in places if place not in ages]
        place = free[0] if free else min(places, key=lambda kept: ages[kept])
        _replace_file(path, place)
    except OSError as error:
        raise build_storage_error(error, path) from None
    return place


def find_leftover_drafts(path: Path) -> Iterator[Path]:
    """Find the drafts of `path` that stayed behind when a run was killed."""
    for name in list_names(path.parent):
        if name.startswith(f".{path.name}.") and name.endswith(_DRAFT_SUFFIX):
            yield path.with_name(name)


def _require_private_file(path: Path, found: os.stat_result) -> None:
    quoted = shlex.quote(str(path))
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(
            f"{path} is not a regular file", fix=f"see what it is, then remove it: ls -la {quoted}"
        )
    if sys.platform == "win32":
        return
    if found.st_uid != os.geteuid():
        raise foreign_owner_error(path, found.st_uid)
    if found.st_mode & 0o077:
        raise StorageError(
            f"{path} can be read or written by other users", fix=f"chmod 600 {quoted}"
        )
    if found.st_nlink > 1:  # none at all is fine: a writer replaced it since it was opened
        raise StorageError(
            f"{path} is also known by another name (a hard link)",
            fix=f"remove it, and find the other name: find / -xdev -samefile {quoted}",
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

    for attempt in range(20):  # a reader that has the target open forbids it for a moment
        try:
            source.replace(target)
        except PermissionError:
            if attempt == 19:
                raise
            sleep(0.05)
        else:
            return

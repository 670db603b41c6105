"""A lock among processes and threads: a file that the kernel locks.

The kernel releases it when its holder ends in any way. The file is never removed, since a lock on a
removed file excludes nobody. While the lock is held, the file contains the holder's process id.
"""

import os
import shlex
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tokencli.errors import LockTimeoutError, StorageError
from tokencli.system.private_files import build_storage_error, foreign_owner_error

if TYPE_CHECKING:
    from filelock import BaseFileLock

WAIT_NOTICE_S = 2.0
"""After so many seconds the user is told what the program is waiting for."""
_POLL_S = 0.02


class _LockFileReplacedError(Exception):
    """The locked file is no longer the one with that name."""


@contextmanager
def hold_lock(
    path: Path,
    *,
    doing: str,
    timeout: float,
    note: Callable[[str], None],
    timeout_cause: str | None = "wait longer with --lock-timeout 2m",
) -> Iterator[None]:
    """Hold the lock at `path` during the block; wait at most `timeout` seconds for it.

    `doing` says what the holder is doing, for messages.

    Raises:
        LockTimeoutError: another process has it. StorageError: there can be no lock there.
    """
    lock, fd = _try_lock(path) or _wait_for_lock(
        path, doing, max(timeout, 0.0), note, timeout_cause
    )
    try:
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(fd, 0)
        lock.release()


def read_holder_pid(path: Path) -> int | None:
    """Return the process that holds the lock, or None if it is unknown."""
    try:
        pid = int(path.read_text(encoding="ascii")[:20])
        if pid <= 0:
            return None
        if sys.platform != "win32":  # there, signal 0 would end the process
            os.kill(pid, 0)
    except PermissionError:
        return pid if sys.platform != "win32" else None
    except (OSError, ValueError, OverflowError):
        return None
    return pid


class _HeldLock:
    """A held lock; closing its file releases it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        os.close(self._fd)


def _try_lock(path: Path) -> tuple[_HeldLock, int] | None:
    """Take the lock if it is free; return None if it isn't, or if anything is unusual.

    It is compatible with filelock, which is only loaded to wait: loading it takes longer than
    everything that is done under the lock.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _verify_lock_file(path, fd)
        _write_pid(fd)
    except (OSError, StorageError, _LockFileReplacedError):
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return _HeldLock(fd), fd


def _write_pid(fd: int) -> None:
    """Write our process id into the file."""
    with suppress(OSError):  # on a full disk, only the name of the holder is missing
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode("ascii"))


def _wait_for_lock(
    path: Path, doing: str, timeout: float, note: Callable[[str], None], timeout_cause: str | None
) -> tuple["BaseFileLock", int]:
    from filelock import FileLock, Timeout

    held: list[int] = []

    def on_acquired(fd: int) -> None:
        _verify_lock_file(path, fd)
        held.append(fd)
        _write_pid(fd)

    lock = FileLock(
        path,
        mode=0o600,
        thread_local=False,
        poll_interval=_POLL_S,
        # A soft lock would outlive its holder, so it is an error instead.
        fallback_to_soft=False,
        preserve_lock_file=True,
        on_acquired=on_acquired,
    )
    start, noted = time.monotonic(), False
    while True:
        remaining = timeout - (time.monotonic() - start)
        try:
            lock.acquire(timeout=max(remaining if noted else min(remaining, WAIT_NOTICE_S), 0.0))
        except Timeout:
            remaining = timeout - (time.monotonic() - start)
            if remaining <= 0:
                raise _lock_timeout_error(path, doing, timeout, timeout_cause) from None
            noted = True
            holder = _describe_process(read_holder_pid(path))
            note(f"waiting for {holder}, which is {doing}; at most {remaining:.0f} s more")
        except _LockFileReplacedError:
            continue
        except OSError as error:
            raise build_storage_error(error, path) from None
        else:
            return lock, held[-1]


def _verify_lock_file(path: Path, fd: int) -> None:
    """Check that the locked file is ours and still the one with that name."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"{path} is not a regular file", fix=f"rm {shlex.quote(str(path))}")
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            raise foreign_owner_error(path, status.st_uid)
        if stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(fd, 0o600)
    try:
        current = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        raise _LockFileReplacedError from None
    if (current.st_dev, current.st_ino) != (status.st_dev, status.st_ino):
        raise _LockFileReplacedError


def _describe_process(pid: int | None) -> str:
    return "another process" if pid is None else f"process {pid}"


def _lock_timeout_error(
    path: Path, doing: str, timeout: float, timeout_cause: str | None
) -> LockTimeoutError:
    pid = read_holder_pid(path)
    cause, fix = timeout_cause, None
    if pid is not None and _is_process_stopped(pid):
        cause, fix = f"process {pid} is stopped, e.g. by Ctrl-Z", f"kill -CONT {pid}"
    elif pid is not None:
        fix = f"ps -fp {pid}"
    return LockTimeoutError(
        f"{_describe_process(pid)} has been {doing} for more than {timeout:g} s",
        cause=cause,
        fix=fix,
    )


def _is_process_stopped(pid: int) -> bool:
    """Tell whether a process is stopped (Linux, proc(5))."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b") ")[2][:1] == b"T"

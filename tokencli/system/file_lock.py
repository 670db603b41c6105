"""The lock of one thing, among processes and threads: an empty file, locked by the kernel.

The kernel frees it when its holder ends, however it ends. The file is never removed, since a lock on
a removed file is no lock; while it is held it says by whom.
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
from tokencli.system.private_dir import build_storage_error, foreign_owner_error

if TYPE_CHECKING:
    from filelock import BaseFileLock

WAIT_NOTICE_S = 2.0
"""After so long a person is told what is being waited for."""
_POLL_S = 0.02


class _LockFileReplacedError(Exception):
    """The file that was locked is not the one that has the name any more."""


@contextmanager
def hold_lock(
    path: Path,
    *,
    doing: str,
    timeout: float,
    note: Callable[[str], None],
    longer: str = "wait for longer: --lock-timeout 2m",
) -> Iterator[None]:
    """Hold the lock at `path` for the block, waiting for `timeout` seconds at most.

    `doing` says what its holder is doing, and `longer` what helps where that takes too long.

    Raises:
        LockTimeout: another process has it. StorageError: there can be no lock there.
    """
    lock, fd = _try_lock(path) or _wait_for_lock(path, doing, max(timeout, 0.0), note, longer)
    try:
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(fd, 0)
        lock.release()


def read_holder_pid(path: Path) -> int | None:
    """Return the process that holds the lock, where it can be known."""
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
    """A lock that was free; closing its file frees it again."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        os.close(self._fd)


def _try_lock(path: Path) -> tuple[_HeldLock, int] | None:
    """Take the lock if it is free, or return None where it is not, or where anything is odd.

    It is the same lock as filelock's, whose loading takes longer than all that is done under it.
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
    """Say in the file who holds the lock."""
    with suppress(OSError):  # on a full disk nobody learns who it is, and that is all
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode("ascii"))


def _wait_for_lock(
    path: Path, doing: str, timeout: float, note: Callable[[str], None], longer: str
) -> tuple["BaseFileLock", int]:
    from filelock import FileLock, Timeout

    held: list[int] = []

    def taken(fd: int) -> None:
        _verify_lock_file(path, fd)
        held.append(fd)
        _write_pid(fd)

    lock = FileLock(
        path,
        mode=0o600,
        thread_local=False,
        poll_interval=_POLL_S,
        # A soft lock would outlive its holder: rather none, and say so.
        fallback_to_soft=False,
        preserve_lock_file=True,
        on_acquired=taken,
    )
    start, told = time.monotonic(), False
    while True:
        left = timeout - (time.monotonic() - start)
        try:
            lock.acquire(timeout=max(left if told else min(left, WAIT_NOTICE_S), 0.0))
        except Timeout:
            left = timeout - (time.monotonic() - start)
            if left <= 0:
                raise _lock_timeout_error(path, doing, timeout, longer) from None
            told = True
            note(
                f"waiting for {_describe_process(read_holder_pid(path))}, which is {doing}; {left:.0f} s more at most"
            )
        except _LockFileReplacedError:
            continue
        except OSError as error:
            raise build_storage_error(error, path) from None
        else:
            return lock, held[-1]


def _verify_lock_file(path: Path, fd: int) -> None:
    """See that what was locked is our own file, and still the one of that name."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{path} is not a regular file", fix=f"rm {shlex.quote(str(path))}")
    if sys.platform != "win32":
        if found.st_uid != os.geteuid():
            raise foreign_owner_error(path, found.st_uid)
        if stat.S_IMODE(found.st_mode) != 0o600:
            os.fchmod(fd, 0o600)
    try:
        named = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        raise _LockFileReplacedError from None
    if (named.st_dev, named.st_ino) != (found.st_dev, found.st_ino):
        raise _LockFileReplacedError


def _describe_process(pid: int | None) -> str:
    return "another process" if pid is None else f"process {pid}"


def _lock_timeout_error(path: Path, doing: str, timeout: float, longer: str) -> LockTimeoutError:
    pid = read_holder_pid(path)
    if pid is not None and _is_process_stopped(pid):
        fix = f"it is stopped; let it go on: kill -CONT {pid}"
    elif pid is not None:
        fix = f"see what it does: ps -fp {pid}   or {longer}"
    else:
        fix = longer
    return LockTimeoutError(
        f"{_describe_process(pid)} has been {doing} for more than {timeout:g} s", fix=fix
    )


def _is_process_stopped(pid: int) -> bool:
    """Tell whether a process is stopped, by Ctrl-Z for instance (Linux, proc(5))."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b") ")[2][:1] == b"T"

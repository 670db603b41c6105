"""A lock among processes and threads: a file that the kernel locks.

The kernel releases it when its holder ends in any way. The file is never removed, since a lock on a
removed file excludes nobody. While the lock is held, the file contains the holder's process id.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from tokencli import platforms
from tokencli.errors import LockTimeoutError, StorageError
from tokencli.protocols import ShowWait, WaitStatus, hide_wait
from tokencli.shell_words import user_shell
from tokencli.system.private_files import build_storage_error, foreign_owner_error

T = TypeVar("T")

WAIT_NOTICE_S = 2.0
"""After so many seconds a run without a terminal says what it is waiting for."""
_FIRST_PAUSE_S, _MAX_PAUSE_S, _PAUSE_GROWTH = 0.01, 0.5, 1.4
"""The pauses between two attempts to take a lock; each is shortened at random by up to a half."""


class _LockFileReplacedError(Exception):
    """The locked file is no longer the one with that name."""


@contextmanager
def hold_lock(
    path: Path,
    *,
    doing: str,
    timeout: float,
    show_wait: ShowWait = hide_wait,
    timeout_cause: str | None = "wait longer with --lock-timeout 2m",
    unless: Callable[[], T | None] = lambda: None,
) -> Iterator[T | None]:
    """Hold the lock at `path` during the block; wait at most `timeout` seconds for it.

    `doing` says what the holder is doing, for messages and for `show_wait`. Whenever the lock has changed hands while
    this process waits, `unless` is called. If it returns anything but None, that is yielded, and the
    lock isn't held.

    Raises:
        LockTimeoutError: another process has it. StorageError: there can be no lock there.
    """
    lock, found = _try_lock(path), None
    if lock is None:

        def describe() -> WaitStatus:
            holder = _describe_process(read_holder_pid(path))
            return WaitStatus(f"waiting for {holder}, which is {doing}", timeout)

        with show_wait(describe, note_after=WAIT_NOTICE_S):
            lock, found = _wait_for_lock(path, doing, timeout, timeout_cause, unless)
    if lock is None:
        yield found
        return
    try:
        yield None
    finally:
        lock.release()


def read_holder_pid(path: Path) -> int | None:
    """Return the process that holds the lock, or None if it is unknown."""
    try:
        pid = int(path.read_text(encoding="ascii")[:20])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 and platforms.current().is_process_running(pid) else None


class _HeldLock:
    """A held lock, with our process id in its file."""

    def __init__(self, fd: int, unlock: Callable[[], None]) -> None:
        self._fd = fd
        self._unlock = unlock
        with suppress(OSError):  # on a full disk, only the name of the holder is missing
            os.ftruncate(fd, 0)
            os.write(fd, str(os.getpid()).encode("ascii"))

    def release(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
        self._unlock()


def _try_lock(path: Path) -> _HeldLock | None:
    """Take the lock if it is free; raises StorageError if there can be no lock at `path`."""
    try:
        return _try_flock(path) if platforms.current().has_modes else _try_file_lock(path)
    except _LockFileReplacedError:
        return _try_lock(path)
    except OSError as error:
        raise build_storage_error(error, path) from None


def _try_flock(path: Path) -> _HeldLock | None:
    import fcntl

    fd = platforms.current().open_private_file(str(path), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _verify_lock_file(path, fd)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise

    def unlock() -> None:
        # A child that another thread has forked meanwhile has the same lock, which closing leaves.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

    return _HeldLock(fd, unlock)


def _try_file_lock(path: Path) -> _HeldLock | None:
    from filelock import FileLock, Timeout

    fds: list[int] = []

    def on_acquired(fd: int) -> None:
        _verify_lock_file(path, fd)
        fds.append(fd)

    lock = FileLock(
        path,
        thread_local=False,
        # A soft lock would outlive its holder, so it is an error instead.
        fallback_to_soft=False,
        preserve_lock_file=True,
        on_acquired=on_acquired,
    )
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return _HeldLock(fds[-1], lock.release)


def _wait_for_lock(
    path: Path,
    doing: str,
    timeout: float,
    timeout_cause: str | None,
    unless: Callable[[], T | None],
) -> tuple[_HeldLock | None, T | None]:
    """Wait for the lock, or for what `unless` finds after the lock has changed hands."""
    from random import uniform

    start, pause = time.monotonic(), _FIRST_PAUSE_S
    seen = _read_mtime_ns(path)
    while (remaining := timeout - (time.monotonic() - start)) > 0:
        time.sleep(min(uniform(pause / 2, pause), remaining))  # noqa: S311  # no secret
        pause = min(pause * _PAUSE_GROWTH, _MAX_PAUSE_S)
        changed = _read_mtime_ns(path)
        if changed != seen and (found := unless()) is not None:
            return None, found
        seen = changed
        if (lock := _try_lock(path)) is not None:
            return lock, None
    raise _lock_timeout_error(path, doing, timeout, timeout_cause)


def _read_mtime_ns(path: Path) -> int:
    """Return when the lock last changed hands, because each holder writes into the file; 0 if unknown."""
    try:
        return path.stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return 0


def _verify_lock_file(path: Path, fd: int) -> None:
    """Check that the locked file is ours and still the one with that name."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"{path} is not a regular file", fix=user_shell().remove_file(str(path)))
    if platforms.current().has_modes:
        if status.st_uid != os.geteuid():
            raise foreign_owner_error(path, f"uid {status.st_uid}")
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

"""A background process that works for as long as this process, or the program that replaces it, runs.

Linux only: it relies on /proc.
"""

import os
import select
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from tokencli.system.private_files import list_names

POLL_INTERVAL_S = 0.5
"""Seconds between two looks at a process on kernels without pidfd_open, before Linux 5.3."""
RESTART_DELAY_S = 0.2
"""Seconds until work that failed or was killed is started again."""
_IGNORED_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU")


class ProcessWatch:
    """Notices when a process ends, also if its ID is used again."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start_time = read_start_time(pid)
        self.descriptor = -1
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):  # not supported, or forbidden in a container
                self.descriptor = os.pidfd_open(pid)

    def wait(self, seconds: float) -> bool:
        """Wait for the end for at most that time; tell whether the process has ended."""
        end = monotonic() + max(0.0, seconds)
        if self.descriptor >= 0:
            poll = select.poll()
            poll.register(self.descriptor, select.POLLIN)
            return bool(poll.poll(1000 * max(0.0, seconds)))
        while self._start_time is not None and read_start_time(self._pid) == self._start_time:
            left = end - monotonic()
            if left <= 0:
                return False
            sleep(min(POLL_INTERVAL_S, left))
        return True


def read_start_time(pid: int) -> str | None:
    """Return when a process was started, in clock ticks since boot; None if it has ended.

    Its ID together with this is unique, see proc_pid_stat(5).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *others = fields.rpartition(")")[2].split()
    return None if state in "ZX" else others[18]


def process_dir_name() -> str:
    """Return a directory name for files that are of use only while this process runs."""
    return f"{os.getpid()}.{read_start_time(os.getpid())}"


def delete_abandoned_dirs(parent: Path) -> None:
    """Delete the directories named by `process_dir_name` whose processes have ended.

    Raises:
        StorageError: `parent` can't be read.
    """
    for name in list_names(parent):
        pid, _, start_time = name.partition(".")
        if pid.isdigit() and read_start_time(int(pid)) != start_time:
            shutil.rmtree(parent / name, ignore_errors=True)


def start_companion(
    work: Callable[[ProcessWatch], None], clean_up: Callable[[], None], note: Callable[[str], None]
) -> None:
    """Run `work` in the background until this process ends, then `clean_up`.

    It has its own session, ignores the signals that end or stop the process, and has no open file but
    stderr. If it is killed, that is noted and it is started again. It isn't a child of this process,
    so that the program that replaces it finds no unknown child.

    Raises:
        OSError: no process can be started.
    """
    watch = ProcessWatch(os.getpid())
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _detach(watch.descriptor)
                _supervise(watch, work, clean_up, note)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    if watch.descriptor >= 0:
        os.close(watch.descriptor)


def _detach(kept_descriptor: int) -> None:
    for name in _IGNORED_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, not paths
        if int(name) not in (2, kept_descriptor):
            with suppress(OSError):
                os.close(int(name))
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    if null > 1:
        os.close(null)


def _supervise(
    watch: ProcessWatch,
    work: Callable[[ProcessWatch], None],
    clean_up: Callable[[], None],
    note: Callable[[str], None],
) -> None:
    while not watch.wait(0):
        worker = os.fork()
        if worker == 0:
            try:
                work(watch)
            except BaseException as error:  # noqa: BLE001 - a traceback may quote a secret
                note(f"internal error: {type(error).__name__}")
            finally:
                if sys.stderr is not None:
                    with suppress(OSError, ValueError):
                        sys.stderr.flush()
                os._exit(0)
        _, status = os.waitpid(worker, 0)
        if not watch.wait(RESTART_DELAY_S) and os.WIFSIGNALED(status):
            note(f"was killed by {signal.Signals(os.WTERMSIG(status)).name}; it is started again")
    clean_up()

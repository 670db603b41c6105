"""Run a command as a child process and pass on its signals and exit status."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from types import FrameType

EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126
TERMINAL_SIGNALS = ("SIGINT", "SIGQUIT")
"""Signals that a terminal sends to the command as well as to this process."""
FORWARDED_SIGNALS = ("SIGTERM", "SIGHUP")


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit status, 128+n for signal n, as a shell does.

    Raises:
        OSError: the command doesn't exist or can't be run; `exit_status_of` has the exit status.
    """
    program = shutil.which(command[0], path=environ.get("PATH", os.defpath))
    if program is None:
        exists = os.sep in command[0] and Path(command[0]).exists()
        raise PermissionError if exists else FileNotFoundError
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        if child is None:
            early.append(number)
        elif signal.Signals(number).name in FORWARDED_SIGNALS or not _is_foreground_group():
            child.send_signal(number)

    numbers = [
        getattr(signal, name)
        for name in (*TERMINAL_SIGNALS, *FORWARDED_SIGNALS)
        if hasattr(signal, name)
    ]
    before = {number: signal.signal(number, forward_signal) for number in numbers}
    try:
        child = subprocess.Popen(list(command), executable=program, env=dict(environ))  # noqa: S603 - the user's own command
        for number in early:
            child.send_signal(number)
        status = _wait_for_exit(child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status


def _wait_for_exit(child: "subprocess.Popen[bytes]") -> int:
    """Wait for the command to end and return its return code.

    A signal that arrives just before a blocking waitpid is handled only after it. So a second
    thread waits, and this one wakes up at least once a second.
    """
    ended = Event()

    def wait() -> None:
        child.wait()
        ended.set()

    Thread(target=wait, daemon=True).start()
    while not ended.wait(1.0):
        pass
    return child.returncode


def exit_status_of(error: OSError) -> int:
    """Return the exit status of a shell for a command that could not be run."""
    return EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else EXIT_NOT_EXECUTABLE


def find_tokencli_program() -> Path | None:
    """Return the path of the running `tokencli` program, if there is one."""
    for neighbour in (sys.argv[0], sys.executable):
        program = shutil.which("tokencli", path=str(Path(neighbour).absolute().parent))
        if program is not None:
            return Path(program)
    return None


def _is_foreground_group() -> bool:
    """Tell whether we are in the terminal's foreground, so that the command gets Ctrl-C itself."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

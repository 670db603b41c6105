"""Run a command against a sandbox: its streams are ours, its exit status too."""

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
"""Signals that a terminal sends to the command as well as to us."""
FORWARDED_SIGNALS = ("SIGTERM", "SIGHUP")


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit status, 128+n for signal n, as a shell does.

    Raises:
        OSError: there is no such command, or it can't be run; `failure` has the status for it.
    """
    program = shutil.which(command[0], path=environ.get("PATH", os.defpath))
    if program is None:
        there = os.sep in command[0] and Path(command[0]).exists()
        raise PermissionError if there else FileNotFoundError
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        if child is None:
            early.append(number)
        elif signal.Signals(number).name in FORWARDED_SIGNALS or not _is_foreground_group():
            child.send_signal(number)

    numbers = [
        getattr(signal, name)
        for name in (*TERMINAL_SIGNALS, *FORWARDED_SIGNALS)
        if hasattr(signal, name)
    ]
    before = {number: signal.signal(number, pass_on) for number in numbers}
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
    """Wait for the command's end and return its return code.

    A signal that comes just before a blocking waitpid is seen only after it: so that waits in a
    thread of its own, and this one looks up at least once a second.
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
    """Return the exit status with which a shell says that a command could not be run."""
    return EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else EXIT_NOT_EXECUTABLE


def find_tokencli_program() -> Path | None:
    """Return the path of the `tokencli` that runs now, if there is such a program."""
    for place in (sys.argv[0], sys.executable):
        found = shutil.which("tokencli", path=str(Path(place).absolute().parent))
        if found is not None:
            return Path(found)
    return None


def _is_foreground_group() -> bool:
    """Tell whether we are in the foreground of a terminal, whose Ctrl-C the command hears itself."""
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

"""Run a command as a child process and pass on its signals and exit status."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

from tokencli.errors import UsageError
from tokencli.shell_words import quote

if TYPE_CHECKING:
    from tokencli.system.output_relay import OutputRelay

SHELL = "/bin/sh"
EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126
TERMINAL_SIGNALS = ("SIGINT", "SIGQUIT")
"""Signals that a terminal sends to the command as well as to this process."""
FORWARDED_SIGNALS = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
STOP_GRACE_S = 1.0
"""Seconds that a command has to end after SIGTERM."""


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit status, 128+n for signal n, as a shell does.

    It raises what `run_child` does.
    """
    status = run_child(command, environ)
    return 128 - status if status < 0 else status


def run_child(
    command: Sequence[str], environ: Mapping[str, str], relay: "OutputRelay | None" = None
) -> int:
    """Run a command and return its exit status, or -n if signal n ended it.

    Its output goes through `relay`, until every process that could write there has ended.

    Raises:
        OSError: the command doesn't exist or can't be run; `exit_status_of` has the exit status, and
            `build_start_error` the reason.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        if child is None:
            early.append(number)
        elif signal.Signals(number).name in FORWARDED_SIGNALS or not _is_foreground_group():
            child.send_signal(number)

    def resize(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - likewise
        if relay is not None and child is not None:
            relay.copy_window_size()
            child.send_signal(number)  # it may have looked before

    names = (*TERMINAL_SIGNALS, *FORWARDED_SIGNALS)
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, forward_signal) for number in numbers}
    if relay is not None and hasattr(signal, "SIGWINCH"):
        before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, resize)
    try:
        try:
            child = _start(command, environ, relay)
        except OSError:
            if relay is not None:
                relay.discard()
            raise
        if relay is not None:
            relay.start()
        for number in early:
            child.send_signal(number)
        status = _wait_for_exit(child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    while relay is not None and not relay.wait(1.0):
        pass
    return status


def _start(
    command: Sequence[str], environ: Mapping[str, str], relay: "OutputRelay | None"
) -> "subprocess.Popen[bytes]":
    """Start a command; a text without `#!` is run by a shell, as execvp does (POSIX)."""

    def start(words: Sequence[str], executable: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - the user's own command
            list(words),
            executable=executable,
            env=dict(environ),
            stdout=relay.stdout if relay else None,
            stderr=relay.stderr if relay else None,
            close_fds=os.name == "nt",  # a script's own redirections are the command's
        )

    program = _find_program(command[0], environ)
    try:
        return start(command, program)
    except OSError as error:
        if not is_shell_script(error, program):
            raise
        return start([SHELL, program, *command[1:]], SHELL)


def _find_program(name: str, environ: Mapping[str, str]) -> str:
    """Return the path of a program; raises OSError."""
    path = environ.get("PATH", os.defpath)
    if os.name == "nt":
        program = shutil.which(name, path=path)
        if program is None:
            raise FileNotFoundError
        return program
    existing = [*filter(os.path.lexists, _list_candidates(name, path))]
    for each in existing:
        if os.access(each, os.X_OK) and not os.path.isdir(each):  # noqa: PTH112 - a string
            return each
    raise PermissionError if existing and os.path.exists(existing[0]) else FileNotFoundError  # noqa: PTH110 - likewise


def is_shell_script(error: OSError, path: str) -> bool:
    """Tell whether the system refused a text without `#!`, which a shell runs (POSIX, execvp)."""
    return error.errno == errno.ENOEXEC and b"\0" not in _read_start(Path(path))


def end_like(status: int) -> int:
    """Return an exit status; if a signal ended the command, end this process by the same one."""
    if status < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has dumped its own
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


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


def run_with_limit(
    command: Sequence[str], environ: Mapping[str, str], timeout: float
) -> str | None:
    """Run a command, which is killed after `timeout` seconds; return what went wrong.

    It has no stdin, and its stdout is our stderr. Its whole process group is killed.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            list(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=2,
            start_new_session=True,
        )
    except OSError as error:
        return f"can't be run: {(error.strerror or type(error).__name__).lower()}"
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    finally:
        if process.poll() is None:
            _end_group(process)
        if os.getpid() == 1:
            _reap_orphans()
    if code < 0:
        return f"was killed by signal {-code}"
    return f"exited with code {code}" if code else None


def _reap_orphans() -> None:
    """Collect ended processes whose parents have ended, as process 1 of a container has to."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def build_start_error(program: str, error: OSError, path: str | None) -> UsageError:
    """Return the error that says why a command could not be run; `path` is the child's PATH."""
    found = next(filter(os.path.lexists, _list_candidates(program, path)), None)
    what = f"command {program!r}"
    if found is None:
        where = "there is no such file" if os.sep in program else "no directory in PATH has it"
        return UsageError(f"{what}: not found", cause=where if program else None)
    file = Path(found)
    if file.is_dir():
        return UsageError(f"{what}: can't be run", cause=f"{found} is a directory")
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{what}: can't be run", cause=_explain_missing_part(file))
    if isinstance(error, PermissionError) and not os.access(file, os.X_OK):
        is_script = os.access(file, os.R_OK) and _read_start(file).startswith(b"#!")
        fix = f"chmod u+x {quote(found)}" if is_script and _is_own(file) else None
        return UsageError(f"{what}: can't be run", cause=f"{found} is not executable", fix=fix)
    reason = (error.strerror or "permission denied").lower()
    return UsageError(f"{what}: can't be run", cause=f"{found}: {reason}")


def _list_candidates(program: str, path: str | None) -> list[str]:
    """Return the paths that a command's name stands for, in order, whether there are such files or not."""
    if os.sep in program or not program:
        return [program]
    folders = (os.defpath if path is None else path).split(os.pathsep)
    return [os.path.join(folder or os.curdir, program) for folder in folders]  # noqa: PTH118 - strings


def _explain_missing_part(file: Path) -> str:
    """Say what a file that exists lacks, although the system reports that it is not found."""
    if not file.exists():
        return f"{file} is a link to a file that does not exist"
    line = _read_start(file)
    if not line.startswith(b"#!"):
        return f"the loader that {file} needs does not exist"
    words = line[2:].decode("utf-8", "replace").split()
    interpreter = words[0] if words else "nothing"
    if line.endswith(b"\r\n"):
        return f"the first line of {file} ends with a carriage return, as on Windows"
    return f"the first line of {file} names {interpreter}, which does not exist"


def _read_start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.readline(200)


def _is_own(file: Path) -> bool:
    return sys.platform == "win32" or file.stat().st_uid == os.geteuid()


def open_filled_pipe(data: bytes) -> int | None:
    """Return a descriptor that child processes inherit, to read the data from; None if it is too long."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        if os.write(writer, data) < len(data):
            os.close(reader)
            return None
    finally:
        os.close(writer)
    os.set_inheritable(reader, True)
    return reader


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

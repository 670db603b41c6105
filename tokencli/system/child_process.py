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
from typing import TYPE_CHECKING, Any

from tokencli import platforms
from tokencli.errors import UsageError
from tokencli.shell_words import quote
from tokencli.system.signals import list_signals
from tokencli.system.timeout import iter_waits

if TYPE_CHECKING:
    from tokencli.system.output_relay import OutputRelay

EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126
STOP_GRACE_S = 1.0
"""Seconds that a command has to end after SIGTERM."""


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit status: 128+n for signal n, as a shell does.

    On Windows it is a number of 32 bits without a sign, as the system has it.

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
    platform = platforms.current()
    shared, forwarded = map(list_signals, (platform.signals.shared, platform.signals.forwarded))
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        if child is None:
            early.append(number)
        elif number in forwarded or not platform.is_signaled_by_terminal():
            platform.send_signal(child, number)

    def resize(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - likewise
        if relay is not None and child is not None:
            relay.copy_window_size()
            child.send_signal(number)  # it may have looked before

    numbers = [
        number for number in (*shared, *forwarded) if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before: dict[int, Any] = {number: signal.signal(number, forward_signal) for number in numbers}
    if relay is not None:
        for number in list_signals(("SIGWINCH",)):
            before[number] = signal.signal(number, resize)
    try:
        try:
            child = _start(command, environ, relay)
        except OSError:
            if relay is not None:
                relay.discard()
            raise
        platform.tie_to_us(child)
        if relay is not None:
            relay.start()
        for each in early:
            platform.send_signal(child, each)
        status = _wait_for_exit(child)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    while relay is not None and not relay.wait(1.0):
        pass
    return status


def _start(
    command: Sequence[str], environ: Mapping[str, str], relay: "OutputRelay | None"
) -> "subprocess.Popen[bytes]":
    """Start a command; a text without `#!` is run by a shell, as execvp does (POSIX)."""
    platform = platforms.current()

    def start(words: Sequence[str], program: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            **platform.launch_options(words, program),
            env=dict(environ),
            stdout=relay.stdout if relay else None,
            stderr=relay.stderr if relay else None,
            close_fds=platform.shell is None,  # a script's own redirections are the command's
        )

    program = find_program(command[0], environ)
    try:
        return start(command, program)
    except OSError as error:
        if platform.shell is None or not is_shell_script(error, program):
            raise
        return start([platform.shell, program, *command[1:]], platform.shell)


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """Return the path of a program; raises OSError."""
    candidates = platforms.current().list_candidates(name, environ.get("PATH"))
    existing = [*filter(os.path.lexists, candidates)]
    for each in existing:
        if os.access(each, os.X_OK) and not os.path.isdir(each):  # noqa: PTH112 - a string
            return each
    is_there = os.path.exists(existing[0]) if existing else explain_no_program(name) is not None  # noqa: PTH110 - likewise
    number = errno.EACCES if is_there else errno.ENOENT
    raise OSError(number, os.strerror(number), name)


def is_shell_script(error: OSError, path: str) -> bool:
    """Tell whether the system refused a text without `#!`, which a shell runs (POSIX, execvp)."""
    return error.errno == errno.ENOEXEC and b"\0" not in _read_start(Path(path))


def end_like(status: int) -> int:
    """Return an exit status; if a signal ended the command, end this process by the same one."""
    if status < 0:
        platforms.current().end_by_signal(-status)
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
    while not ended.wait(min(1.0, platforms.current().max_wait_s)):
        pass
    return child.returncode


def run_with_limit(
    command: Sequence[str], environ: Mapping[str, str], timeout: float
) -> str | None:
    """Run a command, which is killed after `timeout` seconds; return what went wrong.

    It has no stdin, and its stdout is our stderr. What it has started is killed with it.
    """
    platform = platforms.current()
    try:
        process = subprocess.Popen(
            **platform.launch_options(command, find_program(command[0], environ)),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=2,
            **platform.group_options(),
        )
    except OSError as error:
        return f"can't be run: {(error.strerror or type(error).__name__).lower()}"
    group = platform.open_group(process)
    try:
        code = wait_for_child(process, timeout)
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    finally:
        if process.poll() is None:
            group.terminate()
            try:
                process.wait(STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                group.kill()
                process.wait()
        if os.getpid() == 1:
            _reap_orphans()
    return platform.describe_exit(code) if code else None


def wait_for_child(process: "subprocess.Popen[bytes]", timeout: float) -> int:
    """Return the exit status of a child that ends within `timeout` seconds.

    Raises:
        subprocess.TimeoutExpired: it doesn't.
    """
    for seconds in iter_waits(timeout):
        with suppress(subprocess.TimeoutExpired):
            return process.wait(seconds)
    raise subprocess.TimeoutExpired(process.args, timeout)


def _reap_orphans() -> None:
    """Collect ended processes whose parents have ended, as process 1 of a container has to."""
    if hasattr(os, "WNOHANG"):
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def build_start_error(program: str, error: OSError, path: str | None) -> UsageError:
    """Return the error that says why a command could not be run; `path` is the child's PATH."""
    candidates = platforms.current().list_candidates(program, path)
    found = next(filter(os.path.lexists, candidates), None)
    what = f"command '{program}'"
    if found is None:
        if (obstacle := explain_no_program(program)) is not None:
            return UsageError(f"{what}: can't be run", cause=f"it {obstacle}")
        is_path = program in candidates or os.path.dirname(program)  # noqa: PTH120 - a string
        where = "there is no such file" if is_path else "no directory in PATH has it"
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


def explain_no_program(path: str) -> str | None:
    """Say why something that exists isn't run as a program: Windows goes by extensions."""
    if not os.path.dirname(path) or "\0" in path or not os.path.exists(path):  # noqa: PTH110, PTH120 - a string
        return None
    if os.path.isdir(path):  # noqa: PTH112 - a string
        return "is a directory"
    return "is not a program: PATHEXT does not list its extension"


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
    return platforms.current().has_modes and file.stat().st_uid == os.geteuid()


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

"""Read a password at the terminal without echo, also across Ctrl-Z and `fg`.

A shell restores the terminal's modes when a job stops. After `fg` the password would be echoed if
echo were not disabled again.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_MAX_TCSETATTR_TRIES = 16
"""Setting the modes is repeated if a signal interrupts it."""


def read_hidden_line(prompt: str) -> str:
    """Show `prompt` on stderr and return the line that is typed without echo.

    Raises:
        EOFError: the input ended.
    """
    if sys.platform == "win32":
        from getpass import getpass

        return getpass(prompt, stream=sys.stderr)
    with _open_terminal() as fd, _disable_echo(fd, lambda: _write_to_stderr(prompt)):
        raw = b""
        while not raw.endswith(b"\n"):
            chunk = os.read(fd, 4096)
            if not chunk:
                raise EOFError
            raw += chunk
    return raw.decode(sys.stdin.encoding or "utf-8", "surrogateescape").removesuffix("\n")


@contextmanager
def _open_terminal() -> Iterator[int]:
    """Yield a descriptor of the controlling terminal, or of stdin if there is none."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield sys.stdin.fileno()
        return
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _disable_echo(fd: int, show_prompt: Callable[[], None]) -> Iterator[None]:
    """Disable echo inside the block and show the prompt; do both again after the process stopped."""
    import termios

    original_modes = termios.tcgetattr(fd)
    hidden_modes = [*original_modes]
    hidden_modes[3] &= ~termios.ECHO

    calls = 0

    def hide() -> None:
        # Anything typed with echo before is discarded. A process that continues in the background
        # is stopped again in here; then the call that follows in the foreground counts.
        nonlocal calls
        calls += 1
        this_call = calls
        _set_terminal_modes(fd, termios.TCSAFLUSH, hidden_modes, lambda: calls == this_call)
        if calls == this_call:
            show_prompt()

    def stop(number: int, _frame: object) -> None:
        _set_terminal_modes(fd, termios.TCSADRAIN, original_modes)
        _write_to_stderr("\n")
        signal.signal(signal.SIGCONT, signal.SIG_IGN)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # returns when the process is continued
        signal.signal(number, stop)
        signal.signal(signal.SIGCONT, resume)
        hide()

    def resume(_number: int, _frame: object) -> None:
        hide()  # after a SIGSTOP, which can't be handled

    with (
        _install_signal_handler(signal.SIGCONT, resume),
        _install_signal_handler(signal.SIGTSTP, stop),
    ):
        try:
            hide()
            yield
        finally:
            _set_terminal_modes(fd, termios.TCSADRAIN, original_modes)
            _write_to_stderr("\n")


@contextmanager
def _install_signal_handler(number: int, handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle a signal inside the block, unless it is ignored or already has a handler."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)


def _set_terminal_modes(
    fd: int, when: int, modes: list[Any], is_current: Callable[[], bool] = lambda: True
) -> None:
    """Set the terminal's modes, unless the call is no longer current."""
    import termios

    for _ in range(_MAX_TCSETATTR_TRIES):
        with suppress(termios.error):
            if is_current():
                termios.tcsetattr(fd, when, modes)
            return


def _write_to_stderr(text: str) -> None:
    # Not through Python's buffers: a signal handler may have interrupted their use.
    with suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode(sys.stderr.encoding or "utf-8", "replace"))

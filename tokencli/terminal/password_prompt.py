"""A line typed at the terminal without showing it, also across Ctrl-Z and `fg`.

A shell gives the terminal its own modes when a job stops. So whoever comes back to a hidden prompt
would type in plain sight, were echo not turned off anew.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_MAX_TCSETATTR_TRIES = 16
"""Times that setting the modes is tried: a signal may fall into it."""


def read_hidden_line(prompt: str) -> str:
    """Show `prompt` on stderr and return the line that is typed, unseen.

    Raises:
        EOFError: the input ended.
    """
    if sys.platform == "win32":
        from getpass import getpass

        return getpass(prompt, stream=sys.stderr)
    with _open_terminal() as fd, _disable_echo(fd, lambda: _write_to_stderr(prompt)):
        raw = b""
        while not raw.endswith(b"\n"):
            piece = os.read(fd, 4096)
            if not piece:
                raise EOFError
            raw += piece
    return raw.decode(sys.stdin.encoding or "utf-8", "surrogateescape").removesuffix("\n")


@contextmanager
def _open_terminal() -> Iterator[int]:
    """Hand out the terminal itself, or stdin where there is no telling which it is."""
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
def _disable_echo(fd: int, ask: Callable[[], None]) -> Iterator[None]:
    """Turn echo off inside the block and `ask`; do both again whenever the process was stopped."""
    import termios

    shown = termios.tcgetattr(fd)
    unseen = [*shown]
    unseen[3] &= ~termios.ECHO

    turns = 0

    def hide() -> None:
        # What was typed in plain sight before is thrown away. Whoever goes on in the background is
        # stopped again in the midst of this, and does it anew once in the foreground.
        nonlocal turns
        turns += 1
        mine = turns
        _set_terminal_modes(fd, termios.TCSAFLUSH, unseen, lambda: turns == mine)
        if turns == mine:
            ask()

    def stop(number: int, _frame: object) -> None:
        _set_terminal_modes(fd, termios.TCSADRAIN, shown)
        _write_to_stderr("\n")
        signal.signal(signal.SIGCONT, signal.SIG_IGN)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # returns once somebody says to go on
        signal.signal(number, stop)
        signal.signal(signal.SIGCONT, go_on)
        hide()

    def go_on(_number: int, _frame: object) -> None:
        hide()  # after a SIGSTOP, of which nothing is heard

    with (
        _install_signal_handler(signal.SIGCONT, go_on),
        _install_signal_handler(signal.SIGTSTP, stop),
    ):
        try:
            hide()
            yield
        finally:
            _set_terminal_modes(fd, termios.TCSADRAIN, shown)
            _write_to_stderr("\n")


@contextmanager
def _install_signal_handler(number: int, handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle a signal inside the block, unless it is ignored or has a handler of its own."""
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
    fd: int, when: int, modes: list[Any], still: Callable[[], bool] = lambda: True
) -> None:
    """Set the terminal's modes, for as long as they are `still` wanted."""
    import termios

    for _ in range(_MAX_TCSETATTR_TRIES):
        with suppress(termios.error):
            if still():
                termios.tcsetattr(fd, when, modes)
            return


def _write_to_stderr(text: str) -> None:
    # Not through Python's buffers: a signal's handler may have come in the middle of their use.
    with suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode(sys.stderr.encoding or "utf-8", "replace"))

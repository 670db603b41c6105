"""Read lines at the terminal: long ones, and passwords without echo, also across Ctrl-Z and `fg`.

A shell restores the terminal's modes when a job stops, so they are set again when it continues.
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

from tokencli.sanitize import sanitize_text

MAX_LINE_BYTES = 64 * 1024
"""Limit of a line; longer than any URL that is accepted."""
_ERASE_KEYS = b"\x7f\x08"
_KILL_LINE_KEY = b"\x15"
_EOF_KEY = b"\x04"
_MAX_TCSETATTR_TRIES = 16
"""Setting the modes is repeated if a signal interrupts it."""

if sys.platform != "win32":
    import termios

    class CbreakLineReader:
        """Reads lines of any length at a terminal, which is in cbreak mode inside the block.

        In canonical mode a terminal silently drops everything after a line's 4095th byte, and the URL
        to which a browser is redirected may be longer. So characters are read one by one, and echoed.
        """

        def __init__(self, descriptor: int, before_echo: Callable[[], None]) -> None:
            self._descriptor = descriptor
            self._before_echo = before_echo
            self._saved_modes: list[Any] | None = None
            self._line = b""
            self._completed_lines: list[str] = []
            self._previous_sigtstp_handler: Any = None

        def __enter__(self) -> Self:
            if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
                with suppress(ValueError):  # signals are for the main thread
                    self._previous_sigtstp_handler = signal.signal(
                        signal.SIGTSTP, self._handle_suspend
                    )
            self._enter_cbreak_mode()
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None,
            _: TracebackType | None,
        ) -> None:  # fmt: skip
            self._restore_terminal()
            if self._previous_sigtstp_handler is not None:
                signal.signal(signal.SIGTSTP, self._previous_sigtstp_handler)
            if self._line:
                _write_to_stderr("\n")

        def read_line(self, seconds: float) -> str | None:
            """Return a line that is completed within `seconds`, without its line break, or None."""
            end = monotonic() + seconds
            while not self._completed_lines:
                self._enter_cbreak_mode()
                remaining = max(end - monotonic(), 0.0)
                ready, _, _ = select.select([self._descriptor], [], [], remaining)
                if not ready:
                    return None
                if not self._is_foreground():  # reading in the background would stop the process
                    select.select([], [], [], remaining)
                    return None
                self._process_input(os.read(self._descriptor, 4096))
            return self._completed_lines.pop(0)

        @property
        def has_unfinished_line(self) -> bool:
            """Whether something is typed that isn't a line yet."""
            return bool(self._line)

        def _process_input(self, data: bytes) -> None:
            if not data:
                raise KeyboardInterrupt
            if not self._line:
                self._before_echo()
            echo = ""
            for byte in (data[at : at + 1] for at in range(len(data))):
                if byte in b"\r\n":
                    self._completed_lines.append(self._line.decode(errors="replace"))
                    self._line = b""
                    echo += "\n"
                elif byte in _ERASE_KEYS or byte in _KILL_LINE_KEY:
                    line = self._line.decode(errors="replace")
                    shortened = line[:-1] if byte in _ERASE_KEYS else ""
                    self._line = shortened.encode()
                    erased = line[len(shortened) :]
                    echo += "\b \b" * sum(len(sanitize_text(char)) for char in erased)
                elif byte == _EOF_KEY:
                    if not self._line:  # Ctrl-D cancels like Ctrl-C
                        raise KeyboardInterrupt
                elif len(self._line) < MAX_LINE_BYTES:
                    self._line += byte
                    echo += sanitize_text(byte.decode("ascii", "ignore"))
            _write_to_stderr(echo)

        def _enter_cbreak_mode(self) -> None:
            """Disable canonical mode and echo, unless they are disabled or we are in the background."""
            with suppress(termios.error):
                modes = termios.tcgetattr(self._descriptor)
                if not self._is_foreground() or not modes[3] & (termios.ICANON | termios.ECHO):
                    return
                if self._saved_modes is None:
                    self._saved_modes = [*modes[:6], list(modes[6])]
                modes[3] &= ~(termios.ICANON | termios.ECHO)
                modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)

        def _restore_terminal(self) -> None:
            with suppress(termios.error):
                if self._saved_modes is not None and self._is_foreground():
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._saved_modes)

        def _is_foreground(self) -> bool:
            """Tell whether this process is in the terminal's foreground process group."""
            try:
                return os.tcgetpgrp(self._descriptor) == os.getpgrp()
            except OSError:  # it is not our controlling terminal
                return True

        def _handle_suspend(self, *_: object) -> None:
            """Restore the terminal, then stop; `read_line` enters cbreak mode again."""
            self._restore_terminal()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._handle_suspend)


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

"""Read lines at a terminal without a line editor: of any length, masked if secret, across Ctrl-Z and `fg`.

A shell restores the terminal's modes when a job stops, so they are set again when it continues.
"""

import codecs
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

from tokencli.sanitize import sanitize_text
from tokencli.terminal.prompts import SHOWN_MASK

MAX_LINE_CHARS = 64 * 1024
"""Limit of a line; longer than any URL that is accepted."""
QUIET_S = 0.05
"""The rest of a pasted secret has arrived when nothing has followed for so many seconds."""
_ERASE_KEYS = "\x7f\x08"
_KILL_LINE_KEY = "\x15"
_EOF_KEY = "\x04"
_MAX_TCSETATTR_TRIES = 16
"""Setting the modes is repeated if a signal interrupts it."""


def discard_typed(descriptor: int, quiet_s: float = QUIET_S) -> None:
    """Discard what was typed already, and what follows until nothing does for so many seconds."""
    with suppress(OSError):
        while select.select([descriptor], [], [], quiet_s)[0]:
            if not os.read(descriptor, 4096):
                break


if sys.platform != "win32":
    import termios

    class CbreakLineReader:
        """Reads lines at a terminal, which is in cbreak mode inside the block.

        In canonical mode a terminal silently drops everything after a line's 4095th byte, and the URL
        to which a browser is redirected may be longer. So characters are read one by one, and echoed.

        With a `prompt`, which is shown by each read, a process in the background is stopped, as it is by
        any other read. Without one, it goes on, and reads nothing as long as it is there.
        """

        def __init__(
            self,
            descriptor: int,
            unread: bytearray,
            before_echo: Callable[[], None] = lambda: None,
            *,
            prompt: str = "",
            is_secret: bool = False,
        ) -> None:
            """Read first what is in `unread`; what follows the last line that is read is left there."""
            self._descriptor = descriptor
            self._unread = unread
            self._before_echo = before_echo
            self._prompt = prompt
            self._is_secret = is_secret
            self._saved_modes: list[Any] | None = None
            self._line = ""
            self._decoder = codecs.getincrementaldecoder("utf-8")(
                "surrogateescape" if is_secret else "replace"
            )
            self._resume_count = 0
            self._replaced_handlers: list[int] = []

        def __enter__(self) -> Self:
            self._handle_signal(signal.SIGTSTP, self._handle_suspend)
            if self._prompt:
                self._handle_signal(signal.SIGCONT, self._handle_continue)
            else:
                self._enter_cbreak_mode()
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None,
            _: TracebackType | None,
        ) -> None:  # fmt: skip
            if self._is_secret:
                self._discard_rest()
            self._restore_terminal()
            for number in self._replaced_handlers:
                signal.signal(number, signal.SIG_DFL)
            if self._line and not (self._prompt and kind is KeyboardInterrupt):
                _write_to_stderr("\n")  # after an interrupt, its report begins a line

        def read_line(self, seconds: float | None = None) -> str | None:
            """Return a line that is completed within `seconds`, without its line break, or None."""
            end = None if seconds is None else monotonic() + seconds
            if self._prompt:
                self._show_prompt()
            while True:
                line = self._take_line()
                if line is not None:
                    return line
                if not self._prompt:
                    self._enter_cbreak_mode()
                remaining = None if end is None else max(end - monotonic(), 0.0)
                ready, _, _ = select.select([self._descriptor], [], [], remaining)
                if not ready:
                    return None
                if not self._prompt and not self._is_foreground():  # reading would stop the process
                    select.select([], [], [], remaining)
                    return None
                try:
                    data = os.read(self._descriptor, 4096)
                except OSError:  # the terminal was closed
                    data = b""
                if not data:
                    raise KeyboardInterrupt
                self._unread += data

        @property
        def has_unfinished_line(self) -> bool:
            """Whether something is typed that isn't a line yet."""
            return bool(self._line)

        def _take_line(self) -> str | None:
            """Edit the line by what was typed, and return it once it is completed."""
            if self._unread and not self._line:
                self._before_echo()
            echo = ""
            completed = None
            while self._unread and completed is None:
                for char in self._decoder.decode(bytes((self._unread.pop(0),))):
                    if char in "\r\n":
                        completed, self._line = self._line, ""
                        if self._is_secret and completed:
                            echo += SHOWN_MASK[len(completed) :]
                        echo += "\n"
                    elif char in _ERASE_KEYS or char == _KILL_LINE_KEY:
                        kept = self._line[:-1] if char in _ERASE_KEYS else ""
                        echo += "\b \b" * len(self._echo(self._line[len(kept) :], len(kept)))
                        self._line = kept
                    elif char == _EOF_KEY:
                        if not self._line:  # Ctrl-D cancels like Ctrl-C
                            raise KeyboardInterrupt
                    elif len(self._line) < MAX_LINE_CHARS:
                        echo += self._echo(char, len(self._line))
                        self._line += char
            _write_to_stderr(echo)
            return completed

        def _echo(self, text: str, start: int) -> str:
            """Return what is shown for the part of the line that begins at `start`."""
            if self._is_secret:
                return SHOWN_MASK[start : start + len(text)]
            return "".join(map(sanitize_text, text))

        def _discard_rest(self) -> None:
            """Discard what follows a secret: it may be the rest of it, and isn't for the shell."""
            self._unread.clear()
            discard_typed(self._descriptor)

        def _show_prompt(self) -> None:
            """Set the modes, and show the prompt with what is typed so far.

            A secret is typed anew, since part of it may have been echoed. A process that continues in
            the background is stopped in here; then the call that follows in the foreground counts.
            """
            self._resume_count += 1
            this_call = self._resume_count
            if self._is_secret:
                self._unread.clear()
                self._line = ""
            self._enter_cbreak_mode(lambda: self._resume_count == this_call)
            if self._resume_count == this_call:
                _write_to_stderr(self._prompt + self._echo(self._line, 0))

        def _enter_cbreak_mode(self, is_current: Callable[[], bool] = lambda: True) -> None:
            """Disable canonical mode and echo.

            Without a prompt, only if they are enabled and we are in the foreground.
            """
            with suppress(termios.error):
                modes = termios.tcgetattr(self._descriptor)
                is_needed = bool(modes[3] & (termios.ICANON | termios.ECHO))
                if not self._prompt and not (is_needed and self._is_foreground()):
                    return
                if self._saved_modes is None:
                    self._saved_modes = [*modes[:6], list(modes[6])]
                modes[3] &= ~(termios.ICANON | termios.ECHO)
                modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
                when = termios.TCSAFLUSH if self._is_secret else termios.TCSANOW
                self._set_modes(when, modes, is_current)

        def _restore_terminal(self) -> None:
            if self._saved_modes is not None and (self._prompt or self._is_foreground()):
                self._set_modes(termios.TCSADRAIN, self._saved_modes)

        def _set_modes(
            self, when: int, modes: list[Any], is_current: Callable[[], bool] = lambda: True
        ) -> None:
            """Set the terminal's modes, unless the call is no longer current."""
            for _ in range(_MAX_TCSETATTR_TRIES):
                with suppress(termios.error):
                    if is_current():
                        termios.tcsetattr(self._descriptor, when, modes)
                    return

        def _is_foreground(self) -> bool:
            """Tell whether this process is in the terminal's foreground process group."""
            try:
                return os.tcgetpgrp(self._descriptor) == os.getpgrp()
            except OSError:  # it is not our controlling terminal
                return True

        def _handle_signal(self, number: int, handler: Callable[[int, object], None]) -> None:
            """Handle a signal inside the block, unless it is ignored or already has a handler."""
            is_main = threading.current_thread() is threading.main_thread()
            if is_main and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, handler)
                self._replaced_handlers.append(number)

        def _handle_suspend(self, number: int, _: object) -> None:
            """Restore the terminal, and stop."""
            self._restore_terminal()
            if self._prompt:
                _write_to_stderr("\n")
                signal.signal(signal.SIGCONT, signal.SIG_IGN)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)  # returns when the process is continued
            signal.signal(number, self._handle_suspend)
            if self._prompt:
                signal.signal(signal.SIGCONT, self._handle_continue)
                self._show_prompt()

        def _handle_continue(self, _number: int, _: object) -> None:
            self._show_prompt()  # after a SIGSTOP, which can't be handled


def _write_to_stderr(text: str) -> None:
    # Not through Python's buffers: a signal handler may have interrupted their use.
    with suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode(sys.stderr.encoding or "utf-8", "replace"))

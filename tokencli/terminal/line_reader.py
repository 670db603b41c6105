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
from contextlib import AbstractContextManager, suppress
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, Self

from tokencli import platforms
from tokencli.sanitize import sanitize_text
from tokencli.system.timeout import iter_waits
from tokencli.terminal.prompts import SHOWN_MASK

MAX_LINE_CHARS = 64 * 1024
"""Limit of a line; longer than any URL that is accepted."""
QUIET_S = 0.05
"""The rest of a pasted secret has arrived when nothing has followed for so many seconds."""
_ERASE_KEYS = "\x7f\x08"
_KILL_LINE_KEY = "\x15"
_INTERRUPT_KEY = "\x03"
_CANCEL_KEYS = _INTERRUPT_KEY + "\x04\x1a"
"""Ctrl-D cancels like Ctrl-C, and so does Ctrl-Z where it doesn't stop the process (Windows)."""
_MAX_TCSETATTR_TRIES = 16
"""Setting the modes is repeated if a signal interrupts it."""


class TypedLine:
    """A line that is being typed, character by character."""

    def __init__(self, *, is_secret: bool) -> None:
        self._is_secret = is_secret
        self.text = ""

    def add(self, char: str) -> tuple[str, str | None]:
        """Take a character; return what is shown for it, and the line if that completes it.

        Raises:
            KeyboardInterrupt: it cancels the line.
        """
        if char in "\r\n":
            completed, self.text = self.text, ""
            rest = SHOWN_MASK[len(completed) :] if self._is_secret and completed else ""
            return rest + "\n", completed
        if char in _ERASE_KEYS or char == _KILL_LINE_KEY:
            kept = self.text[:-1] if char in _ERASE_KEYS else ""
            erased = self.show(self.text[len(kept) :], len(kept))
            self.text = kept
            return "\b \b" * len(erased), None
        if char in _CANCEL_KEYS:
            if not self.text or char == _INTERRUPT_KEY:
                raise KeyboardInterrupt
            return "", None
        if len(self.text) >= MAX_LINE_CHARS:
            return "", None
        echo = self.show(char, len(self.text))
        self.text += char
        return echo, None

    def show(self, text: str, start: int = 0) -> str:
        """Return what is shown for the part of the line that begins at `start`."""
        if self._is_secret:
            return SHOWN_MASK[start : start + len(text)]
        return "".join(map(sanitize_text, text))


class LineReader(Protocol):
    """Reads lines inside of its block."""

    @property
    def has_unfinished_line(self) -> bool:
        """Whether something is typed that isn't a line yet."""
        ...

    def read_line(self, seconds: float | None = None) -> str | None:
        """Return a line that is completed within `seconds`, without its line break, or None."""
        ...


def open_line_reader(
    descriptor: int,
    unread: bytearray,
    before_echo: Callable[[], None] = lambda: None,
    *,
    prompt: str = "",
    is_secret: bool = False,
) -> AbstractContextManager[LineReader]:
    """Return the reader for this platform's terminals; see `CbreakLineReader`."""
    if sys.platform != "win32":
        return CbreakLineReader(descriptor, unread, before_echo, prompt=prompt, is_secret=is_secret)
    read_typed = platforms.current().read_typed
    return ConsoleLineReader(read_typed, unread, before_echo, prompt=prompt, is_secret=is_secret)


class ConsoleLineReader:
    """Reads lines at a console of Windows, whose keys come one by one and have no echo.

    What is typed is waited for in short pieces, because a signal is handled only between them.
    """

    def __init__(
        self,
        read_typed: Callable[[float], str],
        unread: bytearray,
        before_echo: Callable[[], None] = lambda: None,
        *,
        prompt: str = "",
        is_secret: bool = False,
    ) -> None:
        """`read_typed` returns UTF-16 that is typed within so many seconds; `unread` is UTF-8."""
        self._read_typed = read_typed
        self._unread = unread
        self._before_echo = before_echo
        self._prompt = prompt
        self._is_secret = is_secret
        self._line = TypedLine(is_secret=is_secret)
        self._half = ""
        """The first half of a character outside of the Basic Multilingual Plane."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._is_secret:  # what follows may be the rest of it, and isn't for the shell
            self._unread.clear()
            self._discard_typed(QUIET_S)
        if self._line.text and not (self._prompt and kind is KeyboardInterrupt):
            _write_to_stderr("\n")

    @property
    def has_unfinished_line(self) -> bool:
        """Whether something is typed that isn't a line yet."""
        return bool(self._line.text)

    def read_line(self, seconds: float | None = None) -> str | None:
        """Return a line that is completed within `seconds`, without its line break, or None."""
        if self._is_secret:  # what was typed before isn't meant for this prompt
            self._unread.clear()
            self._discard_typed(0.0)
        _write_to_stderr(self._prompt)
        typed = self._unread.decode("utf-8", "replace")
        self._unread.clear()
        waits = iter_waits(seconds)
        while True:
            for position, char in enumerate(typed, 1):
                if not self._line.text:
                    self._before_echo()
                echo, completed = self._line.add(char)
                _write_to_stderr(echo)
                if completed is not None:
                    self._unread += typed[position:].encode("utf-8", "replace")
                    return completed
            wait = next(waits, None)
            if wait is None:
                return None
            try:
                typed = self._join_halves(self._read_typed(wait))
            except OSError:  # the console was closed
                raise KeyboardInterrupt from None

    def _discard_typed(self, quiet_s: float) -> None:
        with suppress(OSError):
            while self._read_typed(quiet_s):
                pass

    def _join_halves(self, typed: str) -> str:
        """Return whole characters; half of one waits for the other."""
        typed, self._half = self._half + typed, ""
        if typed and "\ud800" <= typed[-1] <= "\udbff":
            typed, self._half = typed[:-1], typed[-1]
        return typed.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


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
            self._line = TypedLine(is_secret=is_secret)
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
            if self._line.text and not (self._prompt and kind is KeyboardInterrupt):
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
            return bool(self._line.text)

        def _take_line(self) -> str | None:
            """Edit the line by what was typed, and return it once it is completed."""
            if self._unread and not self._line.text:
                self._before_echo()
            shown = ""
            completed = None
            while self._unread and completed is None:
                for char in self._decoder.decode(bytes((self._unread.pop(0),))):
                    echo, completed = self._line.add(char)
                    shown += echo
            _write_to_stderr(shown)
            return completed

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
                self._line.text = ""
            self._enter_cbreak_mode(lambda: self._resume_count == this_call)
            if self._resume_count == this_call:
                _write_to_stderr(self._prompt + self._line.show(self._line.text))

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
            return platforms.current().is_foreground(self._descriptor)

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

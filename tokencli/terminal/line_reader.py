"""Read lines of any length that are typed or pasted at the terminal.

A terminal in canonical mode silently drops everything after a line's 4095th byte, and the URL to
which a browser is redirected may be longer. So characters are read one by one, and echoed.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

from tokencli.sanitize import sanitize_text

MAX_LINE_BYTES = 64 * 1024
"""Limit of a line; longer than any URL that is accepted."""
_ERASE_KEYS = b"\x7f\x08"
_KILL_LINE_KEY = b"\x15"
_EOF_KEY = b"\x04"

if sys.platform != "win32":
    import termios

    class CbreakLineReader:
        """Reads lines at a terminal, which is in cbreak mode inside the block."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
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
                _echo_text("\n")

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

        def _process_input(self, data: bytes) -> None:
            if not data:
                raise KeyboardInterrupt
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
            _echo_text(echo)

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


def _echo_text(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()

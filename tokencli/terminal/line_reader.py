"""Lines typed or pasted at the terminal, whatever their length.

A terminal that collects lines itself drops all beyond its 4095th byte without a word, and an address
that a browser ends at may be longer. So here characters are read as they come, and echoed.
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
"""Bytes of a line that are kept: more than any address that is taken."""
_ERASE_KEYS = b"\x7f\x08"
_KILL_LINE_KEY = b"\x15"
_EOF_KEY = b"\x04"

if sys.platform != "win32":
    import termios

    class CbreakLineReader:
        """Read lines at a terminal; inside the block it does not collect them by itself."""

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
            """Return a line that is complete within `seconds`, without its end, or None."""
            end = monotonic() + seconds
            while not self._completed_lines:
                self._enter_cbreak_mode()
                left = max(end - monotonic(), 0.0)
                ready, _, _ = select.select([self._descriptor], [], [], left)
                if not ready:
                    return None
                if not self._is_foreground():  # reading in the background would stop the process
                    select.select([], [], [], left)
                    return None
                self._process_input(os.read(self._descriptor, 4096))
            return self._completed_lines.pop(0)

        def _process_input(self, piece: bytes) -> None:
            if not piece:
                raise KeyboardInterrupt
            shown = ""
            for byte in (piece[at : at + 1] for at in range(len(piece))):
                if byte in b"\r\n":
                    self._completed_lines.append(self._line.decode(errors="replace"))
                    self._line = b""
                    shown += "\n"
                elif byte in _ERASE_KEYS or byte in _KILL_LINE_KEY:
                    whole = self._line.decode(errors="replace")
                    kept = whole[:-1] if byte in _ERASE_KEYS else ""
                    self._line = kept.encode()
                    shown += "\b \b" * sum(len(sanitize_text(one)) for one in whole[len(kept) :])
                elif byte == _EOF_KEY:
                    if not self._line:  # end of input at a question is a person leaving
                        raise KeyboardInterrupt
                elif len(self._line) < MAX_LINE_BYTES:
                    self._line += byte
                    shown += sanitize_text(byte.decode("ascii", "ignore"))
            _echo_text(shown)

        def _enter_cbreak_mode(self) -> None:
            """Have characters as they come, unless that is so already or somebody else is at it."""
            with suppress(termios.error):
                now = termios.tcgetattr(self._descriptor)
                if not self._is_foreground() or not now[3] & (termios.ICANON | termios.ECHO):
                    return
                if self._saved_modes is None:
                    self._saved_modes = [*now[:6], list(now[6])]
                now[3] &= ~(termios.ICANON | termios.ECHO)
                now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._descriptor, termios.TCSANOW, now)

        def _restore_terminal(self) -> None:
            with suppress(termios.error):
                if self._saved_modes is not None and self._is_foreground():
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._saved_modes)

        def _is_foreground(self) -> bool:
            """Tell whether this process is the one that the terminal is for at the moment."""
            try:
                return os.tcgetpgrp(self._descriptor) == os.getpgrp()
            except OSError:  # it controls no processes at all
                return True

        def _handle_suspend(self, *_: object) -> None:
            """Stop as Ctrl-Z wants it, with the terminal as it was; `typed` takes it again."""
            self._restore_terminal()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._handle_suspend)


def _echo_text(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()

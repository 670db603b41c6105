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

from tokencli.printable import printable

LONGEST = 64 * 1024
"""Bytes of a line that are kept: more than any address that is taken."""
_ERASE = b"\x7f\x08"
_CLEAR = b"\x15"
_LEAVE = b"\x04"

if sys.platform != "win32":
    import termios

    class Keyboard:
        """Read lines at a terminal; inside the block it does not collect them by itself."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._before: list[Any] | None = None
            self._line = b""
            self._lines: list[str] = []
            self._suspended: Any = None

        def __enter__(self) -> Self:
            if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
                with suppress(ValueError):  # signals are for the main thread
                    self._suspended = signal.signal(signal.SIGTSTP, self._suspend)
            self._take()
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None,
            _: TracebackType | None,
        ) -> None:  # fmt: skip
            self._give_back()
            if self._suspended is not None:
                signal.signal(signal.SIGTSTP, self._suspended)
            if self._line:
                _echo("\n")

        def typed(self, seconds: float) -> str | None:
            """Return a line that is complete within `seconds`, without its end, or None."""
            end = monotonic() + seconds
            while not self._lines:
                self._take()
                left = max(end - monotonic(), 0.0)
                ready, _, _ = select.select([self._descriptor], [], [], left)
                if not ready:
                    return None
                if not self._ours():  # reading in the background would stop the process
                    select.select([], [], [], left)
                    return None
                self._hear(os.read(self._descriptor, 4096))
            return self._lines.pop(0)

        def _hear(self, piece: bytes) -> None:
            if not piece:
                raise KeyboardInterrupt
            shown = ""
            for byte in (piece[at : at + 1] for at in range(len(piece))):
                if byte in b"\r\n":
                    self._lines.append(self._line.decode(errors="replace"))
                    self._line = b""
                    shown += "\n"
                elif byte in _ERASE or byte in _CLEAR:
                    whole = self._line.decode(errors="replace")
                    kept = whole[:-1] if byte in _ERASE else ""
                    self._line = kept.encode()
                    shown += "\b \b" * sum(len(printable(one)) for one in whole[len(kept) :])
                elif byte == _LEAVE:
                    if not self._line:  # end of input at a question is a person leaving
                        raise KeyboardInterrupt
                elif len(self._line) < LONGEST:
                    self._line += byte
                    shown += printable(byte.decode("ascii", "ignore"))
            _echo(shown)

        def _take(self) -> None:
            """Have characters as they come, unless that is so already or somebody else is at it."""
            with suppress(termios.error):
                now = termios.tcgetattr(self._descriptor)
                if not self._ours() or not now[3] & (termios.ICANON | termios.ECHO):
                    return
                if self._before is None:
                    self._before = [*now[:6], list(now[6])]
                now[3] &= ~(termios.ICANON | termios.ECHO)
                now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._descriptor, termios.TCSANOW, now)

        def _give_back(self) -> None:
            with suppress(termios.error):
                if self._before is not None and self._ours():
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)

        def _ours(self) -> bool:
            """Tell whether this process is the one that the terminal is for at the moment."""
            try:
                return os.tcgetpgrp(self._descriptor) == os.getpgrp()
            except OSError:  # it controls no processes at all
                return True

        def _suspend(self, *_: object) -> None:
            """Stop as Ctrl-Z wants it, with the terminal as it was; `typed` takes it again."""
            self._give_back()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._suspend)


def _echo(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()

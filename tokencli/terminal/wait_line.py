"""The line on a terminal that shows what the program is waiting for.

A thread draws it, because the main thread waits. Nothing of it is left when the wait is over.
Of several processes in the foreground of a terminal, one at a time draws its line.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, RLock, Thread
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from tokencli import platforms
from tokencli.protocols import WaitStatus
from tokencli.sanitize import sanitize_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SHOW_AFTER_S = 1.0
"""Seconds that a wait takes before it is shown."""
UPDATE_S = 0.25
"""Seconds between two updates of the line; it is written only if it has changed."""
MAX_TEXT_CHARS = 512
MIN_TEXT_COLUMNS = 12
"""Columns for what is waited for, before the limit and then the hint are left out."""


class _Wait(NamedTuple):
    describe: Callable[[], WaitStatus]
    began: float
    """Monotonic seconds."""


class WaitLine:
    """One line on stderr, which must be a terminal that can move its cursor."""

    def __init__(self, is_paused: Callable[[], bool], note_erased: Callable[[], None]) -> None:
        """Draw nothing while `is_paused()`; call `note_erased` whenever the cursor's line was erased."""
        self._is_paused = is_paused
        self._note_erased = note_erased
        self._lock = RLock()
        self._waits: list[_Wait] = []
        self._drawn = ""
        self._shown_wait: _Wait | None = None
        self._console: Console | None = None

    @contextmanager
    def show(self, describe: Callable[[], WaitStatus]) -> Iterator[None]:
        """Show the line inside the block (`Terminal.show_wait`)."""
        wait, ended = _Wait(describe, monotonic()), Event()
        is_outermost = not self._waits
        self._waits.append(wait)
        if is_outermost:
            Thread(target=self._update, args=(ended,), daemon=True).start()
        try:
            yield
        finally:
            self._waits.remove(wait)
            ended.set()
            if self._shown_wait is wait:
                self.erase()
            if not self._waits:
                with self._lock:
                    _release_terminal()

    def is_drawn_by_another(self) -> bool:
        """Tell whether another process shows its line on this terminal now."""
        with self._lock:
            if not _claim_terminal():
                return True
            if not self._drawn:
                _release_terminal()
            return False

    def erase(self) -> None:
        """Remove the line; it comes back at the next update if the wait goes on."""
        with self._lock:
            if self._drawn and self._console is not None:
                self._drawn = ""
                with suppress(OSError, ValueError):
                    if platforms.current().is_foreground(sys.stderr.fileno()):
                        self._write_line(self._console, None)

    def _update(self, ended: Event) -> None:
        if ended.wait(SHOW_AFTER_S):
            return
        from rich.console import Console  # takes as long as a whole run that doesn't wait

        self._console = Console(
            stderr=True, highlight=False, markup=False, emoji=False, legacy_windows=False
        )
        while not ended.is_set():
            with suppress(OSError, ValueError, IndexError):  # no terminal any more, or just over
                self._draw(self._console, ended)
            ended.wait(UPDATE_S)

    def _draw(self, console: "Console", ended: Event) -> None:
        now = monotonic()
        wait = [wait for wait in self._waits if now - wait.began >= SHOW_AFTER_S][-1]
        text = _render_wait(wait.describe(), now - wait.began)
        with self._lock:
            if (
                ended.is_set()
                or self._is_paused()
                or not platforms.current().is_foreground(sys.stderr.fileno())
            ):
                return
            if not _claim_terminal():
                return
            if text.plain != self._drawn:
                self._drawn, self._shown_wait = text.plain, wait
                self._write_line(console, text)

    def _write_line(self, console: "Console", text: "Text | None") -> None:
        """Replace the line in one write."""
        from rich.control import Control
        from rich.segment import ControlType

        with console:
            console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
            if text is not None:
                console.print(text, end="", no_wrap=True, overflow="ignore", crop=False)
        self._note_erased()


def _render_wait(status: WaitStatus, elapsed: float) -> "Text":
    """Return the line: what is waited for, shortened if need be, the elapsed time, and the hint."""
    from rich.text import Text

    # Not the variable COLUMNS: a line that is wrapped can't be erased.
    columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
    doing = Text(sanitize_text(status.doing, MAX_TEXT_CHARS))
    time = (f": {_format_time(elapsed)}", "bold")
    limit = f" of {_format_time(status.limit)}" if status.limit is not None else ""
    hint = (f" ({status.hint})", "dim")
    for parts in ((time, limit, hint), (time, hint), (time,)):
        end = Text.assemble(*parts)
        space = columns - 1 - end.cell_len
        if space >= min(doing.cell_len, MIN_TEXT_COLUMNS):
            break
    doing.truncate(max(space, 1), overflow="ellipsis")
    return doing.append_text(end)


def _format_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _claim_terminal() -> bool:
    """Lock the terminal against the lines of other processes, e.g. under `xargs -P`."""
    return platforms.current().claim_terminal(sys.stderr.fileno())


def _release_terminal() -> None:
    with suppress(OSError, ValueError):
        platforms.current().release_terminal(sys.stderr.fileno())

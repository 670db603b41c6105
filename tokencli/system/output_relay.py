"""Pass on what a child process writes, through a filter, to where it would have written itself."""

import errno
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Protocol

from tokencli import platforms

READ_BYTES = 65536
RELEASE_DELAY_S = 0.05
"""Seconds of silence after which a filter shows what it held back."""


class OutputFilter(Protocol):
    """Changes one stream, piece by piece."""

    @property
    def is_holding(self) -> bool:
        """Tell whether something is held back."""
        ...

    def feed(self, piece: bytes, /) -> bytes:
        """Take a piece, and return what can be passed on."""
        ...

    def release(self) -> bytes:
        """Return what needn't be held back any longer."""
        ...

    def finish(self) -> bytes:
        """Return the rest."""
        ...


@dataclass
class _Stream:
    reader: int
    child_end: int
    target: int
    filter: OutputFilter
    is_terminal: bool
    is_open: bool = True
    piece_count: int = 0


class OutputRelay:
    """Relays stdout and stderr of a child.

    Where this process has a terminal, the child gets one (a pty) of the same size. It isn't the
    child's controlling terminal, so keys, Ctrl-C and job control work as without the relay. If stdout
    and stderr are the same file, their output stays in order.
    """

    def __init__(self, make_filter: Callable[[], OutputFilter]) -> None:
        self._streams: list[_Stream] = []
        self._ends: dict[int, int] = {}
        self.failure: OSError | None = None
        """Why output was lost; None if nothing was, or if its reader is gone."""
        self._changed = Condition()
        """Notified when a stream has changed; its lock is held while one is changed or written to."""
        is_same = platforms.current().is_same_output
        for number in (1, 2):
            if not _is_open(number):
                continue
            same = next((s for s in self._streams if is_same(s.target, number)), None)
            if same is None:
                same = _open_stream(number, make_filter())
                self._streams.append(same)
            self._ends[number] = same.child_end
        self._thread = Thread(target=self._relay, daemon=True)

    @property
    def stdout(self) -> int | None:
        """The child's stdout; None if it is closed."""
        return self._ends.get(1)

    @property
    def stderr(self) -> int | None:
        """The child's stderr; None if it is closed."""
        return self._ends.get(2)

    def start(self) -> None:
        """Begin to relay; the child has been started."""
        for stream in self._streams:
            os.close(stream.child_end)
        self._thread.start()

    def discard(self) -> None:
        """Close everything; the child could not be started."""
        for stream in self._streams:
            os.close(stream.child_end)
            os.close(stream.reader)

    def wait(self, seconds: float) -> bool:
        """Wait until every process that could write has ended, and tell whether they have."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def copy_window_size(self) -> None:
        """Give the child's terminals the size of this process's."""
        for stream in self._streams:
            if stream.is_terminal:
                _copy_window_size(stream.target, stream.reader)

    def _relay(self) -> None:
        """Let a thread read each stream, since Windows can't wait for several pipes (`select`).

        What a filter holds back is released when nothing has followed for a while.
        """
        threads = [Thread(target=self._relay_stream, args=(s,), daemon=True) for s in self._streams]
        for thread in threads:
            thread.start()
        with self._changed:
            while any(stream.is_open for stream in self._streams):
                holding = [
                    (s, s.piece_count) for s in self._streams if s.is_open and s.filter.is_holding
                ]
                if not self._changed.wait(RELEASE_DELAY_S if holding else None):
                    for stream, count in holding:
                        if stream.piece_count == count:
                            self._write(stream.target, stream.filter.release())

    def _relay_stream(self, stream: _Stream) -> None:
        is_open = True
        while is_open:
            try:
                piece = os.read(stream.reader, READ_BYTES)
            except OSError:  # EIO: no process has the pty open any more
                piece = b""
            with self._changed:
                text = stream.filter.feed(piece) if piece else stream.filter.finish()
                is_open = self._write(stream.target, text) and bool(piece)
                stream.piece_count += 1
                stream.is_open = is_open
                self._changed.notify()
        os.close(stream.reader)

    def _write(self, target: int, data: bytes) -> bool:
        """Write everything; return False if that failed or the reader is gone."""
        remaining = memoryview(data)
        while remaining:
            try:
                remaining = remaining[os.write(target, remaining) :]
            except BlockingIOError:
                select.select([], [target], [])
            except OSError as error:
                # EIO is the error of a terminal that was closed.
                if error.errno != errno.EIO and not platforms.current().is_reader_gone(error):
                    self.failure = error
                return False
        return True


def _open_stream(target: int, output_filter: OutputFilter) -> _Stream:
    is_terminal = platforms.current().has_terminal_modes and os.isatty(target)
    reader, child_end = _open_terminal(target) if is_terminal else os.pipe()
    return _Stream(reader, child_end, target, output_filter, is_terminal)


if sys.platform == "win32":

    def _open_terminal(like: int) -> tuple[int, int]:
        raise NotImplementedError

    def _copy_window_size(source: int, target: int) -> None:
        raise NotImplementedError

else:
    import termios

    def _open_terminal(like: int) -> tuple[int, int]:
        """Return a pty that passes on what is written unchanged, because the real terminal processes it."""
        master, slave = os.openpty()
        with suppress(termios.error):
            modes = termios.tcgetattr(like)
            modes[1] &= ~termios.OPOST
            modes[3] &= ~termios.ECHO
            termios.tcsetattr(slave, termios.TCSANOW, modes)
        _copy_window_size(like, master)
        return master, slave

    def _copy_window_size(source: int, target: int) -> None:
        with suppress(termios.error, AttributeError, OSError):
            termios.tcsetwinsize(target, termios.tcgetwinsize(source))


def _is_open(number: int) -> bool:
    """Tell whether the child would have this descriptor: not one that only keeps a number in use."""
    try:
        return os.get_inheritable(number)
    except OSError:
        return False

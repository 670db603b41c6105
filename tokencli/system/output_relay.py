"""Pass on what a child process writes, through a filter, to where it would have written itself."""

import errno
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import NamedTuple, Protocol

READ_BYTES = 65536
_READER_IS_GONE = (errno.EPIPE, errno.EINVAL if sys.platform == "win32" else errno.EIO)
"""The errors of a pipe without a reader, and of a terminal that was closed."""
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


class _Stream(NamedTuple):
    reader: int
    child_end: int
    target: int
    filter: OutputFilter
    is_terminal: bool


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
        for number in (1, 2):
            if not _is_open(number):
                continue
            same = next((s for s in self._streams if os.path.sameopenfile(s.target, number)), None)
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
        streams = {stream.reader: stream for stream in self._streams}
        while streams:
            is_holding = any(stream.filter.is_holding for stream in streams.values())
            ready, _, _ = select.select([*streams], [], [], RELEASE_DELAY_S if is_holding else None)
            if not ready:
                for stream in streams.values():
                    self._write(stream.target, stream.filter.release())
            for reader in ready:
                stream = streams[reader]
                try:
                    piece = os.read(reader, READ_BYTES)
                except OSError:  # EIO: no process has the pty open any more
                    piece = b""
                text = stream.filter.feed(piece) if piece else stream.filter.finish()
                if not self._write(stream.target, text) or not piece:
                    os.close(reader)
                    del streams[reader]

    def _write(self, target: int, data: bytes) -> bool:
        """Write everything; return False if that failed or the reader is gone."""
        remaining = memoryview(data)
        while remaining:
            try:
                remaining = remaining[os.write(target, remaining) :]
            except BlockingIOError:
                select.select([], [target], [])
            except OSError as error:
                if error.errno not in _READER_IS_GONE:
                    self.failure = error
                return False
        return True


def _open_stream(target: int, output_filter: OutputFilter) -> _Stream:
    is_terminal = sys.platform != "win32" and os.isatty(target)
    reader, child_end = _open_terminal(target) if is_terminal else os.pipe()
    return _Stream(reader, child_end, target, output_filter, is_terminal)


def _open_terminal(like: int) -> tuple[int, int]:
    """Return a pty that passes on what is written unchanged, because the real terminal processes it."""
    import termios

    master, slave = os.openpty()
    with suppress(termios.error):
        modes = termios.tcgetattr(like)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)
    _copy_window_size(like, master)
    return master, slave


def _copy_window_size(source: int, target: int) -> None:
    import termios

    with suppress(termios.error, AttributeError, OSError):
        termios.tcsetwinsize(target, termios.tcgetwinsize(source))


def _is_open(number: int) -> bool:
    """Tell whether the child would have this descriptor: not one that only keeps a number in use."""
    try:
        return os.get_inheritable(number)
    except OSError:
        return False

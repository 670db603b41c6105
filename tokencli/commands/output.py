"""Write results to stdout: exact bytes, with every error noticed up to the last flush."""

import os
import sys
from errno import EAGAIN

from tokencli import platforms
from tokencli.errors import StorageError

EXIT_BROKEN_PIPE = 141
"""The exit code if the reader closed its end of the pipe: 128 + SIGPIPE."""
EXIT_INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""

_output_state = {"written": False}


class ReaderClosedError(Exception):
    """The reader of stdout closed its end of the pipe; nothing is reported."""


def has_written() -> bool:
    """Tell whether anything was written to stdout in this run."""
    return _output_state["written"]


def write_stdout(text: str) -> None:
    """Write and flush `text`; characters that stdout's encoding lacks are escaped.

    Raises:
        StorageError: stdout is closed, full or failing. ReaderClosedError: it is a pipe without a
            reader.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise _closed_error()
    encoding = sys.stdout.encoding or "ascii"
    write_stdout_bytes(text.encode(encoding, "backslashreplace"))


def write_stdout_bytes(data: bytes) -> None:
    """Write bytes as they are; a thread that waits for the reader doesn't keep the process from ending.

    Raises:
        StorageError: stdout is closed, full or failing. ReaderClosedError: it is a pipe without a
            reader.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise _closed_error()
    _output_state["written"] = True
    try:
        # Not through the buffer, which the interpreter would want to lock at exit.
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        view = memoryview(data)
        while view:
            written = raw.write(view)
            if written is None:
                raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))
            view = view[written:]
    except (OSError, ValueError) as error:
        discard_unwritten()
        if isinstance(error, OSError) and is_reader_gone(error):
            raise ReaderClosedError from None
        reason = error.strerror if isinstance(error, OSError) else "stdout is closed"
        raise StorageError(f"can't print the result: {reason}") from None


def is_reader_gone(error: OSError) -> bool:
    """Tell whether an error without a file's name is that of a pipe whose reader has gone."""
    return error.filename is None and platforms.current().is_reader_gone(error)


def _closed_error() -> StorageError:
    return StorageError("can't print the result: stdout is closed")


def discard_unwritten() -> None:
    """Redirect stdout to /dev/null, so that the interpreter doesn't fail on it again at exit."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        sys.stdout = None

"""Write the product to stdout: exact bytes, checked to the last flush."""

import os
import sys

from tokencli.errors import StorageError

EXIT_BROKEN_PIPE = 141
"""The exit code of a program whose reader went away: 128 + SIGPIPE."""

_output_state = {"written": False}


class ReaderClosedError(Exception):
    """Whoever read stdout has gone; there is nobody to tell."""


def has_written() -> bool:
    """Tell whether anything went to stdout in this run."""
    return _output_state["written"]


def write_stdout(text: str) -> None:
    """Write `text` in one go and flush it; what stdout's encoding lacks is escaped.

    Raises:
        StorageError: stdout is closed, full or failing. ReaderGone: it is a pipe without a reader.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise StorageError("stdout is closed, so there is nowhere to print the result")
    encoding = sys.stdout.encoding or "ascii"
    data = text.encode(encoding, "backslashreplace")
    _output_state["written"] = True
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _discard_unwritten()
        raise ReaderClosedError from None
    except (OSError, ValueError) as error:
        _discard_unwritten()
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise StorageError(f"the result could not be written to stdout: {reason}") from None


def _discard_unwritten() -> None:
    """Keep the interpreter from flushing at its end what could not be written."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        sys.stdout = None

"""Write the product to stdout: exact bytes, checked to the last flush."""

import os
import sys

from tokencli.errors import StorageError

BROKEN_PIPE = 141
"""The exit code of a program whose reader went away: 128 + SIGPIPE."""

_state = {"written": False}


class ReaderGone(Exception):
    """Whoever read stdout has gone; there is nobody to tell."""


def written() -> bool:
    """Tell whether anything went to stdout in this run."""
    return _state["written"]


def emit(text: str) -> None:
    """Write `text` in one go and flush it; what stdout's encoding lacks is escaped.

    Raises:
        StorageError: stdout is closed, full or failing. ReaderGone: it is a pipe without a reader.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise StorageError("stdout is closed, so there is nowhere to print the result")
    encoding = sys.stdout.encoding or "ascii"
    data = text.encode(encoding, "backslashreplace")
    _state["written"] = True
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _discard()
        raise ReaderGone from None
    except (OSError, ValueError) as error:
        _discard()
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise StorageError(f"the result could not be written to stdout: {reason}") from None


def _discard() -> None:
    """Keep the interpreter from flushing at its end what could not be written."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        sys.stdout = None

"""Show long text through the user's pager."""

import signal
import subprocess
import sys
from collections.abc import Mapping

from tokencli import platforms
from tokencli.system.child_process import find_program
from tokencli.terminal.console import is_capable_terminal

DEFAULT_PAGER = "less"
DEFAULT_LESS_OPTIONS = "FRX"
"""Quit if the text fits on one screen, pass colors through, and leave the text on the screen."""


def find_pager(environ: Mapping[str, str]) -> list[str] | None:
    """Return the pager's command line: `$PAGER`, else less; None if the text is to be printed directly.

    An empty `$PAGER`, `cat`, `TERM=dumb` or a stdout that is not a terminal mean no pager.
    """
    if not is_capable_terminal(sys.stdout, environ):
        return None
    try:
        words = platforms.current().split_command(environ.get("PAGER", DEFAULT_PAGER))
    except ValueError:  # an unclosed quote
        return None
    if not words or words == ["cat"]:
        return None
    try:
        return [find_program(words[0], environ), *words[1:]]
    except OSError:
        return None


def page_text(text: str, environ: Mapping[str, str]) -> bool:
    """Show `text` in the pager and return whether that was possible."""
    pager = find_pager(environ)
    if pager is None:
        return False
    # The pager handles Ctrl-C itself. A handler, unlike SIG_IGN, is not inherited by it.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(
            **platforms.current().launch_options(pager, pager[0]),
            stdin=subprocess.PIPE,
            env={"LESS": DEFAULT_LESS_OPTIONS, "LESSCHARSET": "utf-8", **environ},
        )
        process.communicate(text.encode(sys.stdout.encoding or "utf-8", "replace"))
    except OSError:
        return False
    finally:
        signal.signal(signal.SIGINT, previous)
    return True

"""A view of the whole terminal that is redrawn every second (`--watch`)."""

import os
import sys
from collections.abc import Callable

from tokencli.app import App
from tokencli.commands.output import EXIT_INTERRUPTED
from tokencli.errors import UsageError
from tokencli.terminal.console import is_capable_terminal

INTERVAL_S = 1.0


def require_live_terminal(fix: str | None) -> None:
    """Raise UsageError, with a command that works anywhere, if stdout can't show a live view."""
    if not is_capable_terminal(sys.stdout, os.environ):
        raise UsageError(
            "--watch needs a terminal",
            cause="stdout is not a terminal that can be redrawn",
            fix=fix,
        )


def run_live_view(app: App, render: Callable[[], str]) -> int:
    """Show what `render` returns, once a second, until Ctrl-C; return the exit code.

    The view is on the terminal's alternate screen, so afterwards the terminal is as it was. Text that
    is too long for the terminal is cut.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(markup=False, emoji=False, highlight=False, legacy_windows=False)
    live = Live(
        console=console,
        screen=True,
        auto_refresh=False,
        vertical_overflow="crop",
        redirect_stdout=False,  # rich's replacement has no encoding
        redirect_stderr=False,
    )
    try:
        with live:
            while True:
                text = Text.from_ansi(render())
                live.update(text, refresh=True)
                app.clock.sleep(INTERVAL_S - app.clock.now() % INTERVAL_S)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED

"""Tables, bars, colors and Markdown for stdout, with all text sanitized.

Colors are used only in a terminal, and not with NO_COLOR or TERM=dumb.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from tokencli.sanitize import sanitize_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

UNBOUNDED_WIDTH = 1_000_000
"""Width used for pipes and files, so that nothing is wrapped or cut."""
MIN_WIDTH = 20
MAX_TEXT_WIDTH = 100
"""Columns of running text, at most: longer lines are hard to read."""


def is_color_enabled() -> bool:
    """Tell whether stdout is a terminal and colors are not turned off."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb"):
        return False
    return _is_terminal(sys.stdout)


def output_width() -> int:
    """Return the terminal's width; without a terminal, a width that wraps nothing."""
    if not _is_terminal(sys.stdout):
        return UNBOUNDED_WIDTH
    return max(MIN_WIDTH, shutil.get_terminal_size((100, 24)).columns)


def render_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table without lines; in a terminal, cells that are too wide are folded, not cut."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        grid.add_column(Text(sanitize_text(head)), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(sanitize_text(cell)) for cell in row))
    return _render_rich(grid)


def render_styled(text: str, style: str) -> str:
    """Return sanitized text, in a rich style such as `bold red` if colors are enabled."""
    harmless = sanitize_text(text)
    if not is_color_enabled():
        return harmless
    from rich.text import Text

    return _render_rich(Text(harmless, style=style), end="")


def render_bar(fraction: float, width: int = 24) -> str:
    """Return a bar that is filled to `fraction`; plain ASCII if stdout can't show block characters."""
    share = min(1.0, max(0.0, fraction)) if fraction == fraction else 0.0
    full, empty = ("█", "░") if _can_display("█░") else ("#", "-")
    filled = int(share * width + 0.5)
    return full * filled + empty * (width - filled)


def is_terminal_output() -> bool:
    """Tell whether stdout is a terminal."""
    return _is_terminal(sys.stdout)


def render_markdown(text: str) -> str:
    """Return a page of the manual, formatted for the terminal."""
    from rich.markdown import Markdown

    page = Markdown(text, code_theme="ansi_dark", hyperlinks=False)
    return _render_rich(page, width=min(output_width(), MAX_TEXT_WIDTH))


def _can_display(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return _is_terminal(sys.stdout)


def _render_rich(what: "RenderableType", end: str = "\n", width: int | None = None) -> str:
    buffer = StringIO()
    _build_console(buffer).print(what, end=end, soft_wrap=end == "", width=width)
    return "\n".join(line.rstrip() for line in buffer.getvalue().split("\n"))


def _build_console(buffer: StringIO) -> "Console":
    from rich.console import Console

    color = is_color_enabled()
    return Console(
        file=buffer,
        width=output_width(),
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and os.isatty(stream.fileno())
    except (OSError, ValueError):
        return False

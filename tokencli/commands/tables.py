"""Tables, bars, colors and Markdown for stdout, with all text sanitized.

Colors and line breaks are added only in a terminal: in a pipe, a table has all its columns and one line per
row, whatever its width.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tokencli.sanitize import sanitize_text
from tokencli.terminal.colors import is_color_wanted, style_text
from tokencli.terminal.console import is_capable_terminal, is_terminal

UNBOUNDED_WIDTH = 1_000_000
"""Width used for pipes and files, so that nothing is wrapped or cut."""
MIN_WIDTH = 20
MAX_TEXT_WIDTH = 100
"""Columns of running text, at most: longer lines are hard to read."""
MIN_COLUMN_WIDTH = 12
"""A column isn't made narrower than this only to keep the others on one line."""
MAX_CELL_CHARS = 64 * 1024
MARKDOWN_STYLES = {
    "code": "bold",
    "code_block": "none",
    "block_quote": "italic",
    "list": "none",
    "item.bullet": "bold",
    "item.number": "none",
    "hr": "none",
    "h1": "bold",
    "h2": "bold underline",
    "h3": "bold",
    "table.border": "none",
    "table.header": "bold",
    "link": "underline",
    "link_url": "underline",
}
"""Element of Markdown -> its style: rich's own are cyan, yellow and on black."""
_GAP = "  "
_WORD = re.compile(r" +|[^ ]+")


class Styled(NamedTuple):
    """A cell with a style of `terminal.colors`."""

    text: str
    style: str


Cell = str | Styled


def is_color_enabled() -> bool:
    """Tell whether stdout is a terminal and colors are not turned off."""
    return is_color_wanted(os.environ) and is_capable_terminal(sys.stdout, os.environ)


def output_width() -> int:
    """Return the terminal's width; without a terminal, a width that wraps nothing."""
    if not is_terminal(sys.stdout):
        return UNBOUNDED_WIDTH
    return max(MIN_WIDTH, shutil.get_terminal_size((100, 24)).columns)


def render_table(
    heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, optional: Sequence[str] = ()
) -> str:
    """Return a table without lines.

    In a terminal, cells that are too wide continue on the next line, but only between words: names,
    hosts and URLs stay whole, so that they can be copied. If that isn't enough, the `optional`
    columns are left out, the first of them first. If even the others are too wide, each row is
    printed as a list.
    """
    cells = [[_sanitize_cell(cell) for cell in row] for row in rows]
    titles = [Styled(sanitize_text(head), "bold") for head in heads]
    width = output_width()
    shown = list(range(len(heads)))
    omitted: list[str] = []
    while True:
        columns = [[titles[at], *(row[at] for row in cells)] for at in shown]
        widths = _fit_columns([[cell.text for cell in column] for column in columns], width)
        if widths is not None:
            break
        if len(omitted) == len(optional):
            return "\n".join(_render_record(titles, row, width) for row in cells)
        omitted.append(optional[len(omitted)])
        shown.remove(heads.index(omitted[-1]))
    lines = [
        line
        for row in zip(*columns, strict=True)
        for line in _render_row(row, widths, is_wrapped=width != UNBOUNDED_WIDTH)
    ]
    if omitted:
        left_out = [head for head in heads if head in omitted]
        note = f"This terminal is too narrow for: {', '.join(left_out)}"
        lines += ["", *wrap_text(note, width)]
    return "".join(f"{line}\n" for line in lines)


def _sanitize_cell(cell: Cell) -> Styled:
    text, style = cell if isinstance(cell, Styled) else (cell, "")
    return Styled(sanitize_text(text, MAX_CELL_CHARS).rstrip(), style)


def _fit_columns(columns: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Return the columns' widths: the widest gives way first and the first one last; None if none can."""
    widths = [max(map(measure_text, column)) for column in columns]
    available = width - len(_GAP) * (len(columns) - 1)
    if sum(widths) <= available:
        return widths
    least = [
        max(
            min(natural, MIN_COLUMN_WIDTH),
            *(measure_text(unit) for text in column for unit in _split_words(text)),
        )
        for natural, column in zip(widths, columns, strict=True)
    ]
    if sum(least) > available:
        return None
    widths = [min(natural, width) for natural in widths]
    while sum(widths) > available:
        wide = [
            at for at, (now, limit) in enumerate(zip(widths, least, strict=True)) if now > limit
        ]
        widths[max(wide, key=lambda at: (at > 0, widths[at]))] -= 1
    return widths


def _render_row(row: Sequence[Styled], widths: Sequence[int], *, is_wrapped: bool) -> Iterator[str]:
    """Yield the lines of one row."""
    cells = [
        list(wrap_text(cell.text, width)) if is_wrapped else [cell.text]
        for cell, width in zip(row, widths, strict=True)
    ]
    for number in range(max(map(len, cells))):
        line, space = "", ""
        for cell, lines, width in zip(row, cells, widths, strict=True):
            text = lines[number] if number < len(lines) else ""
            if text.strip():
                line += space + _style(text, cell.style)
                space = ""
            space += " " * (width - measure_text(text)) + _GAP
        yield line


def _render_record(titles: Sequence[Styled], row: Sequence[Styled], width: int) -> str:
    """Return a row as one line per column, as long as its longest word if need be."""
    label = max(measure_text(title.text) for title in titles)
    value = max(width - label - len(_GAP), MIN_COLUMN_WIDTH)
    lines = (
        line
        for pair in zip(titles, row, strict=True)
        for line in _render_row(pair, (label, value), is_wrapped=True)
    )
    return "".join(f"{line}\n" for line in lines)


def measure_text(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _split_words(text: str) -> Iterator[str]:
    """Yield the parts between which a line may be broken: words, spaces, and each wide character."""
    for word in _WORD.findall(text):
        if measure_text(word) == len(word):
            yield word
            continue
        part = ""
        for character in word:
            is_wide = measure_text(character) == 2
            if part and (is_wide or measure_text(part) == 2) and measure_text(character):
                yield part
                part = ""
            part += character
        yield part


def wrap_text(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text that is at most so wide, except for words that are wider."""
    if measure_text(text) <= width:
        yield text
        return
    line = ""
    for part in _split_words(text):
        if line.strip() and measure_text(line + part) > width:
            yield sanitize_text(line.rstrip(), MAX_CELL_CHARS)
            line = ""
        if line or not part.isspace():
            line += part
    yield sanitize_text(line.rstrip(), MAX_CELL_CHARS)


def render_styled(text: str, style: str) -> str:
    """Return sanitized text, in a style of `terminal.colors` if colors are enabled."""
    return _style(sanitize_text(text), style)


def _style(text: str, style: str) -> str:
    return style_text(text, style) if style and is_color_enabled() else text


def render_bar(fraction: float, width: int = 24, style: str = "") -> str:
    """Return a bar that is filled to `fraction`; plain ASCII if stdout can't show block characters."""
    share = min(1.0, max(0.0, fraction)) if fraction == fraction else 0.0
    full, empty = ("█", "░") if is_displayable("█░") else ("=", "-")
    filled = int(share * width + 0.5)
    return _style(full * filled + empty * (width - filled), style)


def is_terminal_output() -> bool:
    """Tell whether stdout is a terminal."""
    return is_terminal(sys.stdout)


def is_displayable(text: str) -> bool:
    """Tell whether stdout is a terminal that can show the text in its encoding."""
    if os.environ.get("TERM") == "dumb":
        return False
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return is_terminal(sys.stdout)


def render_markdown(text: str) -> str:
    """Return a page of the manual, formatted for the terminal."""
    from io import StringIO

    from pygments.token import (  # type: ignore[import-untyped]  # a dependency of rich
        Comment,
        Keyword,
        Name,
        String,
    )
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.style import Style
    from rich.syntax import ANSISyntaxTheme
    from rich.theme import Theme

    color = is_color_enabled()
    buffer = StringIO()
    console = Console(
        file=buffer,
        width=min(output_width(), MAX_TEXT_WIDTH),
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        theme=Theme({f"markdown.{name}": style for name, style in MARKDOWN_STYLES.items()}),
        _environ={},
    )
    code_theme = ANSISyntaxTheme(
        {
            Comment: Style(italic=True),
            String: Style(color="green"),
            Keyword: Style(color="magenta"),
            Name.Tag: Style(color="magenta"),
        }
    )
    console.print(
        Markdown(text, code_theme=code_theme, hyperlinks=False)  # type: ignore[arg-type]  # see Syntax
    )
    return "\n".join(line.rstrip() for line in buffer.getvalue().split("\n"))

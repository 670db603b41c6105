"""A picture of a token's life on one line: what is over, what is left, and when what happens.

It is to scale from the time of issue to the expiry. A time that is too far away for that is beyond a
break: `//`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tokencli.commands.tables import is_displayable, measure_text, render_styled
from tokencli.core.token_life import TokenLife
from tokencli.humanize import humanize_estimate, humanize_relative_time

MAX_WIDTH = 70
MIN_WIDTH = 18
"""Columns in which all marks and breaks fit."""
BREAK = "//"
STRETCH = 1.0
"""A time outside of the token's life is drawn to scale up to this share of it."""


class Mark(NamedTuple):
    """A time in the picture."""

    letter: str
    label: str
    epoch: float


PAST_LABELS = {
    "V": "became valid",
    "D": "refresh was due",
    "E": "expired",
    "R": "refresh token ended",
}


class Fill(NamedTuple):
    """The characters between the marks."""

    over: str
    left: str
    outside: str


def draw_life(life: TokenLife, now: float, width: int, style: str = "") -> list[str]:
    """Return the lines of the picture and its legend, at most `width` columns wide.

    Nothing is drawn if the time of issue or the expiry is unknown or not in seconds, or if they are in
    the wrong order.
    """
    life = life.in_seconds()
    if life.issued is None or life.expires is None or life.expires <= life.issued:
        return []
    width = max(MIN_WIDTH, min(width, MAX_WIDTH))
    marks = _list_marks(life, now)
    fill = Fill("█", "░", "·") if is_displayable("█░·") else Fill("=", "-", ".")
    line = draw_line(marks, life.issued, life.expires, width, fill)
    legend = [f"{mark.letter} {_describe(mark, life, now)}" for mark in marks]
    return [render_styled(line, style), *_wrap(legend, width)]


def _list_marks(life: TokenLife, now: float) -> list[Mark]:
    """Return the known times in order; of equal ones, in the order in which they matter."""
    known = [
        Mark(letter, label, epoch)
        for letter, label, epoch in (
            ("I", "issued", life.issued),
            ("V", "becomes valid", life.valid_from),
            ("N", "now", now),
            ("D", "refresh due", life.refresh_due),
            ("E", "expires", life.expires),
            ("R", "refresh token ends", life.refresh_end),
        )
        if epoch is not None
    ]
    return sorted(known, key=lambda mark: mark.epoch)


def _describe(mark: Mark, life: TokenLife, now: float) -> str:
    if mark.letter == "N":
        return "now"
    label = PAST_LABELS.get(mark.letter, mark.label) if mark.epoch < now else mark.label
    is_estimate = mark.letter == "R" and life.is_refresh_end_estimated
    humanize = humanize_estimate if is_estimate else humanize_relative_time
    return f"{label} {humanize(mark.epoch, now)}"


def draw_line(marks: Sequence[Mark], start: float, end: float, width: int, fill: Fill) -> str:
    """Return the picture: exactly `width` characters, with each mark's letter once and in order.

    The scale reaches from `start` to `end`, which have marks, and as far beyond as the marks that are
    near.
    """
    reach = (end - start) * STRETCH
    near = [mark for mark in marks if start - reach <= mark.epoch <= end + reach]
    low, high = near[0].epoch, near[-1].epoch
    before = "".join(mark.letter + BREAK for mark in marks if mark.epoch < low)
    after = "".join(BREAK + mark.letter for mark in marks if mark.epoch > high)
    inner = width - len(before) - len(after)
    places: list[int] = []
    for mark in near:  # each has its own cell, if necessary the next free one
        place = round((mark.epoch - low) / (high - low) * (inner - 1))
        places.append(max(place, places[-1] + 1) if places else place)
    for back in range(1, len(places) + 1):
        places[-back] = min(places[-back], inner - back)
    line, passed = before, {mark.letter for mark in marks if mark.epoch < low}
    cells = dict(zip(places, near, strict=True))
    begin = "V" if any(mark.letter == "V" for mark in marks) else "I"
    for cell in range(inner):
        if cell in cells:
            passed.add(cells[cell].letter)
            line += cells[cell].letter
        elif begin not in passed or "E" in passed:
            line += fill.outside
        else:
            line += fill.left if "N" in passed else fill.over
    return line + after


def _wrap(items: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines with as many items as fit; an item that is too long gets its own lines."""
    line = ""
    for item in items:
        joined = f"{line}   {item}" if line else item
        if line and measure_text(joined) > width:
            yield line
            joined = item
        while measure_text(joined) > width and " " in joined[:width]:
            at = joined.rindex(" ", 0, width + 1)
            yield joined[:at]
            joined = f"  {joined[at + 1 :]}"
        line = joined
    if line:
        yield line

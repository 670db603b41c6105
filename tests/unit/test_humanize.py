"""Times and durations as text."""

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.humanize import (
    format_rfc3339,
    format_utc,
    humanize_duration,
    humanize_relative_time,
    join_alternatives,
)

ANY = st.floats() | st.integers()
NOW = 1_716_466_218.0


@pytest.mark.requirement(27)
@given(ANY, ANY)
def test_any_number_has_a_text(epoch: float, now: float) -> None:
    """NaN, infinities, milliseconds and numbers outside any calendar."""
    assert format_rfc3339(epoch) is None or format_rfc3339(epoch).endswith("Z")  # type: ignore[union-attr]
    assert format_utc(epoch)
    assert humanize_duration(epoch)
    assert humanize_relative_time(epoch, now)


@pytest.mark.requirement(27)
@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_rfc3339_round_trips(epoch: int) -> None:
    """For the years 1 to 9999 a standard parser returns the same second."""
    written = format_rfc3339(epoch)
    assert written is not None
    assert len(written) == 20
    assert calendar.timegm(time.strptime(written, "%Y-%m-%dT%H:%M:%SZ")) == epoch


@pytest.mark.requirement(27)
@pytest.mark.parametrize(
    "epoch", [-62_135_596_801, 253_402_300_800, 1e30, float("nan"), float("inf")]
)
def test_time_outside_the_calendar(epoch: float) -> None:
    """Machines get null, people a phrase; never a wrong date."""
    assert format_rfc3339(epoch) is None
    assert format_utc(epoch) == "a time outside the calendar"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "less than a second"),
        (-0.5, "less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (61, "1 minute 1 second"),
        (-119, "1 minute 59 seconds"),
        (540, "9 minutes"),
        (5400, "1 hour 30 minutes"),
        (86400, "1 day"),
        (90_000, "1 day 1 hour"),
        (604_800, "7 days"),
        (15_552_000, "180 days"),
        (63_115_200, "2 years"),
        (1e15, "millions of years"),
        (float("inf"), "forever"),
        (float("nan"), "an unknown time"),
    ],
)
def test_humanize_duration(seconds: float, said: str) -> None:
    """Two units if the first is small, else one; years from two years on."""
    assert humanize_duration(seconds) == said


@pytest.mark.parametrize(
    ("epoch", "said"),
    [
        (NOW, "now"),
        (NOW + 0.5, "now"),
        (NOW + 540, "in 9 minutes"),
        (NOW - 63_115_200, "2 years ago"),
        (float("inf"), "never"),
        (float("-inf"), "at an unknown time"),
        (float("nan"), "at an unknown time"),
    ],
)
def test_humanize_relative_time(epoch: float, said: str) -> None:
    """Relative to now."""
    assert humanize_relative_time(epoch, NOW) == said


def test_format_utc() -> None:
    """The documented token's exp, as in the issuer's documentation."""
    assert format_utc(NOW) == "2024-05-23 12:10:18 UTC"


def test_alternatives_end_with_or() -> None:
    """One, two or more texts become a list in a sentence."""
    texts = ["a", "b", "c"]
    assert [join_alternatives(texts[:n]) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]

"""Requirement 27: one total way to word a time."""

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
)

ANY = st.floats() | st.integers()
NOW = 1_716_466_218.0


@pytest.mark.requirement(27)
@given(ANY, ANY)
def test_no_number_is_raised_over(epoch: float, now: float) -> None:
    """NaN, infinities, milliseconds and numbers beyond any calendar are worded like the rest."""
    assert format_rfc3339(epoch) is None or format_rfc3339(epoch).endswith("Z")  # type: ignore[union-attr]
    assert format_utc(epoch)
    assert humanize_duration(epoch)
    assert humanize_relative_time(epoch, now)


@pytest.mark.requirement(27)
@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_every_time_of_the_calendar_reads_back(epoch: int) -> None:
    """Years 1 to 9999 are written so that a standard parser finds the same second."""
    written = format_rfc3339(epoch)
    assert written is not None
    assert len(written) == 20
    assert calendar.timegm(time.strptime(written, "%Y-%m-%dT%H:%M:%SZ")) == epoch


@pytest.mark.requirement(27)
@pytest.mark.parametrize(
    "epoch", [-62_135_596_801, 253_402_300_800, 1e30, float("nan"), float("inf")]
)
def test_a_time_outside_the_calendar_is_no_time(epoch: float) -> None:
    """A machine gets null, a person words; nobody gets a wrong date."""
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
def test_a_span_in_words(seconds: float, said: str) -> None:
    """Two units where the first is small, else one; years from two of them on."""
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
def test_where_a_time_lies(epoch: float, said: str) -> None:
    """A time is worded as seen from now."""
    assert humanize_relative_time(epoch, NOW) == said


def test_utc_for_people() -> None:
    """The documented token's exp reads as it does in the documentation of its issuer."""
    assert format_utc(NOW) == "2024-05-23 12:10:18 UTC"

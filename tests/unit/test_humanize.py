"""Times and durations as text."""

import calendar
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.humanize import (
    compare_clock,
    format_rfc3339,
    format_time,
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
    assert (format_rfc3339(epoch) or "Z").endswith("Z")
    assert format_time(epoch)
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
    assert format_time(epoch) == "a time outside the calendar"


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


def test_format_time_in_utc() -> None:
    """The documented token's exp, as in the issuer's documentation."""
    assert format_time(NOW) == "2024-05-23 12:10:18 UTC"


def test_alternatives_end_with_or() -> None:
    """One, two or more texts become a list in a sentence."""
    texts = ["a", "b", "c"]
    assert [join_alternatives(texts[:n]) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], None]]:
    """Return a function that sets this process's time zone; None leaves TZ unset, as in a cron job."""

    def set_zone(zone: str | None) -> None:
        if zone is None:
            monkeypatch.delenv("TZ", raising=False)
        else:
            monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "epoch", "said"),
    [
        ("UTC", NOW, "2024-05-23 12:10:18 UTC"),
        ("Europe/London", NOW - 120 * 86400, "2024-01-24 12:10:18 UTC"),
        ("Europe/London", NOW, "2024-05-23 12:10:18 UTC (13:10:18 BST)"),
        ("Europe/Berlin", NOW, "2024-05-23 12:10:18 UTC (14:10:18 CEST)"),
        # The last second of summer time, and the next one: the clock is set back to 02:00.
        ("Europe/Berlin", 1729990799, "2024-10-27 00:59:59 UTC (02:59:59 CEST)"),
        ("Europe/Berlin", 1729990800, "2024-10-27 01:00:00 UTC (02:00:00 CET)"),
        ("Asia/Tokyo", NOW + 36000, "2024-05-23 22:10:18 UTC (2024-05-24 07:10:18 JST)"),
        ("America/New_York", NOW - 36000, "2024-05-23 02:10:18 UTC (2024-05-22 22:10:18 EDT)"),
        ("Asia/Kathmandu", NOW, "2024-05-23 12:10:18 UTC (17:55:18 UTC+05:45)"),
        ("America/Sao_Paulo", NOW, "2024-05-23 12:10:18 UTC (09:10:18 UTC-03:00)"),
        ("<\x1b]0;x\x07>-2", NOW, "2024-05-23 12:10:18 UTC"),
        ("No/Such_Zone", NOW, "2024-05-23 12:10:18 UTC"),
        ("Asia/Tokyo", 1e15, "a time outside the calendar"),
        ("Asia/Tokyo", -62_135_596_800, "0001-01-01 00:00:00 UTC (09:18:59 LMT)"),
    ],
)
def test_local_time_is_beside_utc(
    in_zone: Callable[[str | None], None], zone: str, epoch: float, said: str
) -> None:
    """With the zone that is in force at that time, and the date if it is another day there."""
    in_zone(zone)
    assert format_time(epoch) == said


@given(ANY)
def test_any_time_has_a_text_without_a_zone(epoch: float) -> None:
    """Without TZ the system's zone is used, and no number is a problem for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TZ")
        time.tzset()
        assert format_time(epoch).isprintable()
    time.tzset()


@pytest.mark.parametrize("skew", [float("inf"), float("-inf"), 1e300])
def test_any_skew_can_be_described(skew: float) -> None:
    """A server's Date may be anything."""
    assert compare_clock(skew, "the server's").startswith("this computer's clock is ")

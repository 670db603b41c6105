"""Parsing durations."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.duration import MAX_DURATION, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("45s", 45.0), ("5m", 300.0), ("1h30m", 5400.0), ("2d", 172800.0), ("1h5s", 3605.0),
        ("90", 90.0), ("0.5s", 0.5), (" 30s ", 30.0), (30, 30.0), (1.5, 1.5), (0, 0.0), ("0", 0.0),
    ],
)  # fmt: skip
def test_valid_durations(written: object, seconds: float) -> None:
    """Units add up, and a bare number is seconds."""
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", "s", "5x", "-5s", "5m5h", "1e3", "٣s", "5 m", "1_0", "9" * 41, -1, math.nan, math.inf,
     10**400, MAX_DURATION + 1, "99999d", True, None, [], {}, b"5s"],
)  # fmt: skip
def test_invalid_durations(written: object) -> None:
    """Anything else is a ValueError that shows the format."""
    with pytest.raises(ValueError, match="45s, 5m, 1h30m"):
        parse_duration(written)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans()))
def test_any_value_is_handled(written: object) -> None:
    """Any value gives seconds between zero and ten years, or a ValueError."""
    with suppress(ValueError):
        assert 0 <= parse_duration(written) <= MAX_DURATION

"""Read durations as people write them: `45s`, `5m`, `1h30m`, or a number of seconds."""

import re
from math import isfinite

_DURATION_PATTERN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)
_UNIT_SECONDS = (86400.0, 3600.0, 60.0, 1.0)
MIN_DURATION = 0.001
"""Seconds in which anything can happen at all."""
MAX_DURATION = 10 * 365 * 86400.0
"""Ten years, in seconds: anything longer is a slip."""


def parse_duration(value: object) -> float:
    """Return the duration in seconds.

    Raises:
        ValueError: it is no duration, is negative, or is longer than ten years.
    """
    seconds = _to_seconds(value)
    if seconds is None or not isfinite(seconds) or not 0 <= seconds <= MAX_DURATION:
        raise ValueError("a duration is written 45s, 5m, 1h30m, or as a number of seconds")
    return seconds


def _to_seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) <= MAX_DURATION else None
    if not isinstance(value, str) or not 0 < len(value) <= 40:
        return None
    match = _DURATION_PATTERN.fullmatch(value.strip())
    if match is None or not any(match.groups()):
        return None
    return sum(
        float(part or 0) * weight
        for part, weight in zip(match.groups(), _UNIT_SECONDS, strict=True)
    )

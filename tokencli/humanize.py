"""Format times, durations and lists. Every float is accepted, including NaN; nothing raises."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from time import localtime, struct_time

_EPOCH = datetime(1970, 1, 1)  # naive, so that isoformat() adds no offset; all times are UTC
_YEAR_S = 365.25 * 86400
MAX_ZONE_NAME_LENGTH = 6
"""Letters of a time zone's abbreviation; Windows has long names instead."""
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def format_rfc3339(epoch: float) -> str | None:
    """Return `2024-05-23T12:10:18Z`, or None for a time outside the years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(seconds=epoch // 1)
    except (OverflowError, ValueError):
        return None
    return f"{moment.isoformat(timespec='seconds')}Z"


def format_time(epoch: float) -> str:
    """Return `2024-05-23 12:10:18 UTC (14:10:18 CEST)`, with the date of both if they differ.

    The local time is left out if it is the same or unknown. Outside the years 1 to 9999, return a phrase.
    """
    text = format_rfc3339(epoch)
    if text is None:
        return "a time outside the calendar"
    date, clock = text[:10], text[11:19]
    try:
        local = localtime(epoch // 1)
    except (OverflowError, OSError, ValueError):
        return f"{date} {clock} UTC"
    if not local.tm_gmtoff:
        return f"{date} {clock} UTC"
    local_date = f"{local.tm_year:04}-{local.tm_mon:02}-{local.tm_mday:02}"
    shown_date = "" if local_date == date else f"{local_date} "
    local_clock = f"{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02}"
    return f"{date} {clock} UTC ({shown_date}{local_clock} {_name_time_zone(local)})"


def _name_time_zone(moment: struct_time) -> str:
    """Return the zone's abbreviation, e.g. `CEST`; if it has none, the offset, e.g. `UTC+05:45`."""
    name = moment.tm_zone
    if name.isascii() and name.isalpha() and len(name) <= MAX_ZONE_NAME_LENGTH:
        return name
    hours, minutes = divmod(abs(moment.tm_gmtoff) // 60, 60)
    return f"UTC{'-' if moment.tm_gmtoff < 0 else '+'}{hours:02}:{minutes:02}"


def humanize_duration(seconds: float) -> str:
    """Return `2 years`, `7 days` or `1 hour 30 minutes`; the sign is ignored."""
    span = abs(seconds)
    if not span < float("inf"):
        return "an unknown time" if span != span else "forever"
    if span >= 1e6 * _YEAR_S:
        return "millions of years"
    if span >= 2 * _YEAR_S:
        return f"{span / _YEAR_S:.0f} years"
    if span < 1:
        return "less than a second"
    whole = int(span)
    for (size, unit), (smaller_size, smaller_unit) in zip(
        _UNITS, (*_UNITS[1:], (0, "")), strict=True
    ):
        count, remainder = divmod(whole, size)
        if count:
            smaller = remainder // smaller_size if smaller_size and count < 3 else 0
            return _pluralize_unit(count, unit) + (
                f" {_pluralize_unit(smaller, smaller_unit)}" if smaller else ""
            )
    return "less than a second"


def humanize_difference(seconds: float) -> str:
    """Return a span between two clocks or moments, rounded to the last unit that is shown: `2 hours`."""
    span = abs(seconds)
    if not span < float("inf"):
        return humanize_duration(span)
    for size, _ in _UNITS:
        if span >= 3 * size:
            return humanize_duration((span + size / 2) // size * size)
    return humanize_duration(span + 0.5 if span >= 1 else span)


def humanize_relative_time(epoch: float, now: float) -> str:
    """Return when `epoch` is relative to `now`: `2 years ago`, `in 9 minutes`, `now`."""
    distance = epoch - now
    if distance == float("inf"):
        return "never"
    if not distance > float("-inf"):
        return "at an unknown time"
    if abs(distance) < 1:
        return "now"
    return (
        f"in {humanize_duration(distance)}"
        if distance > 0
        else f"{humanize_duration(distance)} ago"
    )


def humanize_estimate(epoch: float, now: float) -> str:
    """Return the same for a time that is only estimated: `in about 29 days`, `about 2 days ago`."""
    text = humanize_relative_time(epoch, now)
    return f"in about {text[3:]}" if text.startswith("in ") else f"about {text}"


def describe_clock_skew(seconds: float) -> str:
    """Return `3 hours ahead`, or `3 hours behind` for a negative skew."""
    return f"{humanize_difference(seconds)} {'ahead' if seconds > 0 else 'behind'}"


def compare_clock(skew: float, other: str) -> str:
    """Return `this computer's clock is 3 hours behind OTHER`."""
    preposition = " of" if skew > 0 else ""
    return f"this computer's clock is {describe_clock_skew(skew)}{preposition} {other}"


def describe_clock(skew: float) -> str:
    """Say how far this computer's clock is ahead of the server's, or behind if it is negative."""
    return f"by the server's clock; this computer's is {describe_clock_skew(skew)}"


def _pluralize_unit(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def join_alternatives(texts: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def name_der_format(data: bytes) -> str | None:
    """Return `PKCS#12` or `DER` if a key or certificate is stored in that binary format, else None.

    Both are an ASN.1 SEQUENCE (X.690 section 8.9). That of PKCS#12 starts with the version 3
    (RFC 7292 section 4).
    """
    if data[:1] != b"\x30" or len(data) < 10:
        return None
    size_of_length = data[1] - 0x80 if data[1] > 0x80 else 0
    start = 2 + size_of_length
    length = int.from_bytes(data[2:start]) if size_of_length else data[1]
    if start + length != len(data):
        return None
    return "PKCS#12" if data[start:].startswith(b"\x02\x01\x03") else "DER"

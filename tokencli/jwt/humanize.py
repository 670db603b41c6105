"""Word times and spans for people and for machines. Total: any float will do, and nothing raises."""

from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # UTC throughout, without saying so to isoformat()
_YEAR_S = 365.25 * 86400
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def format_rfc3339(epoch: float) -> str | None:
    """Return `2024-05-23T12:10:18Z`, or None where the calendar (years 1 to 9999) has no such time."""
    try:
        moment = _EPOCH + timedelta(seconds=epoch // 1)
    except (OverflowError, ValueError):
        return None
    return f"{moment.isoformat(timespec='seconds')}Z"


def format_utc(epoch: float) -> str:
    """Return `2024-05-23 12:10:18 UTC`, or words where the calendar has no such time."""
    written = format_rfc3339(epoch)
    if written is None:
        return "a time outside the calendar"
    return f"{written[:10]} {written[11:19]} UTC"


def humanize_duration(seconds: float) -> str:
    """Return how long a span is: `2 years`, `7 days`, `1 hour 30 minutes`; its sign does not matter."""
    span = abs(seconds)
    if not span < float("inf"):
        return "an unknown time" if span != span else "for ever"
    if span >= 1e6 * _YEAR_S:
        return "millions of years"
    if span >= 2 * _YEAR_S:
        return f"{span / _YEAR_S:.0f} years"
    if span < 1:
        return "less than a second"
    whole = int(span)
    for (size, unit), (smaller, name) in zip(_UNITS, (*_UNITS[1:], (0, "")), strict=True):
        count, rest = divmod(whole, size)
        if count:
            more = rest // smaller if smaller and count < 3 else 0
            return _pluralize_unit(count, unit) + (
                f" {_pluralize_unit(more, name)}" if more else ""
            )
    return "less than a second"


def humanize_relative_time(epoch: float, now: float) -> str:
    """Return where `epoch` lies as seen from `now`: `2 years ago`, `in 9 minutes`, `now`."""
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


def _pluralize_unit(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"

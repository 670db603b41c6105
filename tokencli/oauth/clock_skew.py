"""How far this computer's clock and a server's are apart, by the Date of its reply."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from tokencli.jwt.humanize import humanize_duration
from tokencli.models import HttpReply

TOLERANCE_S = 60.0
"""Seconds of difference that are nobody's trouble: the reply was on its way for a while, too."""


def measure_clock_skew(reply: HttpReply) -> float | None:
    """Return the seconds by which this computer is ahead of the server, negative behind it.

    None where that is not known, or within the tolerance. Total: any Date will do.
    """
    written = reply.headers.get("date")
    if written is None or reply.received_at is None:
        return None
    try:
        date = parsedate_to_datetime(written)
        theirs = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    apart = reply.received_at - theirs
    return apart if abs(apart) > TOLERANCE_S else None


def describe_clock_skew(seconds: float) -> str:
    """Word a difference of clocks: `3 hours ahead`, and `behind` where it is negative."""
    return f"{humanize_duration(seconds)} {'ahead' if seconds > 0 else 'behind'}"


def clock_skew_message(reply: HttpReply) -> str | None:
    """Say in a clause how far the clocks are apart, where they are."""
    seconds = measure_clock_skew(reply)
    return (
        None
        if seconds is None
        else f"this computer's clock is {describe_clock_skew(seconds)} of the server's"
    )

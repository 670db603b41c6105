"""Decide whether to send a request again, and after what delay."""

import random
from email.utils import parsedate_to_datetime
from time import time

from tokencli.models import BUSY_STATUSES, HttpReply

MAX_TRIES = 3
FIRST_BACKOFF_S = 0.2
"""Seconds before the second attempt; the delay doubles with each further one."""


def compute_backoff(attempts: int) -> float | None:
    """Return the seconds before the next attempt, with some jitter, or None after the last."""
    if attempts >= MAX_TRIES:
        return None
    delay: float = FIRST_BACKOFF_S * 2 ** (attempts - 1)
    return delay * random.uniform(0.75, 1.25)  # noqa: S311  # so that many clients don't collide


def compute_retry_delay(reply: HttpReply, attempts: int) -> float | None:
    """Return the seconds before the next attempt, or None if the reply is final."""
    delay = compute_backoff(attempts)
    if delay is None or reply.status not in BUSY_STATUSES:
        return None
    return max(delay, parse_retry_after(reply.headers.get("retry-after", "")))


def parse_retry_after(text: str) -> float:
    """Return the seconds of a Retry-After header (RFC 9110 section 10.2.3), or 0 if it is invalid."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except (ValueError, OverflowError):
        return 0.0

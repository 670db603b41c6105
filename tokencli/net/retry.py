"""Whether to try once more, and after how long."""

import random
from email.utils import parsedate_to_datetime
from time import time

from tokencli.models import BUSY_STATUSES, HttpReply

MAX_TRIES = 3
"""How often one request is tried at most."""
FIRST_BACKOFF_S = 0.2
"""Seconds before the second try; each further wait is twice as long."""


def compute_backoff(tried: int) -> float | None:
    """Return the seconds before the next try, spread a little, or None after the last."""
    if tried >= MAX_TRIES:
        return None
    wait: float = FIRST_BACKOFF_S * 2 ** (tried - 1)
    return wait * random.uniform(0.75, 1.25)  # noqa: S311  (so that many clients don't meet)


def compute_retry_delay(reply: HttpReply, tried: int) -> float | None:
    """Return how long a busy server wants to be left alone; None: take the reply as it is."""
    wait = compute_backoff(tried)
    if wait is None or reply.status not in BUSY_STATUSES:
        return None
    return max(wait, parse_retry_after(reply.headers.get("retry-after", "")))


def parse_retry_after(text: str) -> float:
    """Return the seconds that a Retry-After asks for (RFC 9110 section 10.2.3), else 0."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except (ValueError, OverflowError):
        return 0.0

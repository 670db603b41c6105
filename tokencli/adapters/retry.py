"""Whether to try once more, and after how long."""

import random
from email.utils import parsedate_to_datetime
from time import time

from tokencli.model import WireReply

TRIES = 3
"""How often one request is tried at most."""
FIRST_WAIT_S = 0.2
"""Seconds before the second try; each further wait is twice as long."""
BUSY = (429, 502, 503, 504)
"""Statuses that pass (RFC 9110 sections 15.6.3 to 15.6.5, RFC 6585 section 4)."""


def pause(tried: int) -> float | None:
    """Return the seconds before the next try, spread a little, or None after the last."""
    if tried >= TRIES:
        return None
    wait: float = FIRST_WAIT_S * 2 ** (tried - 1)
    return wait * random.uniform(0.75, 1.25)  # noqa: S311  (so that many clients don't meet)


def pause_for(reply: WireReply, tried: int) -> float | None:
    """Return how long a busy server wants to be left alone; None: take the reply as it is."""
    wait = pause(tried)
    if wait is None or reply.status not in BUSY:
        return None
    return max(wait, retry_after(reply.headers.get("retry-after", "")))


def retry_after(text: str) -> float:
    """Return the seconds that a Retry-After asks for (RFC 9110 section 10.2.3), else 0."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except (ValueError, OverflowError):
        return 0.0

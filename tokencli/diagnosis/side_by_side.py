"""Collect what threads report that run side by side, until a deadline."""

from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import TypeVar

from tokencli.protocols import Clock

Report = TypeVar("Report")

POLL_S = 0.2
"""Seconds of one wait: on Windows, Ctrl-C is handled only between two of them."""


def collect_until(
    deadline: float, clock: Clock, reports: SimpleQueue[Report], count: int
) -> Iterator[Report]:
    """Yield `count` reports as they arrive, or those that arrive before the deadline.

    `deadline` is a time of `clock.monotonic()`. A report that has arrived already is yielded in any case.
    """
    remaining = count
    while remaining:
        left = max(deadline - clock.monotonic(), 0.0)
        try:
            report = reports.get(timeout=min(left, POLL_S))
        except Empty:
            if left <= POLL_S:
                return
            continue
        remaining -= 1
        yield report

"""Collect what threads report that run side by side, until a deadline."""

from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import TypeVar

from tokencli.protocols import Clock

Report = TypeVar("Report")


def collect_until(
    deadline: float, clock: Clock, reports: SimpleQueue[Report], count: int
) -> Iterator[Report]:
    """Yield `count` reports as they arrive, or those that arrive before the deadline.

    `deadline` is a time of `clock.monotonic()`. A report that has arrived already is yielded in any case.
    """
    for _ in range(count):
        try:
            report = reports.get(timeout=max(deadline - clock.monotonic(), 0.0))
        except Empty:
            return
        yield report

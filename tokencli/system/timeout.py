"""Run work that may block in a thread, and stop waiting for it at a timeout."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

WORKER_THREAD_NAME = "tokencli-worker"
CANCEL_GRACE_S = 0.1
"""Seconds that cancelled work gets to close what it opened."""


def run_with_timeout(
    work: Callable[[], T],
    seconds: float,
    *,
    cancel: Callable[[], None] | None = None,
    on_slow: Callable[[], None] | None = None,
    slow_after: float = 2.0,
) -> T:
    """Return what `work()` returns, or raise what it raises, within `seconds` of wall-clock time.

    Timeouts of sockets can't bound an exchange: a server that sends single bytes restarts them with
    each one, and a name lookup has none. So the work runs in a daemon thread, which may be left
    behind and doesn't keep the process alive.

    `cancel()` is called when the time is over, or if waiting is interrupted, and should make the
    work end. `on_slow()` is called if the work takes more than `slow_after` seconds.

    Raises:
        TimeoutError: the work did not end in time.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            errors.append(error)

    worker = Thread(target=run, daemon=True, name=WORKER_THREAD_NAME)
    worker.start()
    try:
        if on_slow is not None and slow_after < seconds:
            worker.join(slow_after)
            if worker.is_alive():
                on_slow()
                seconds -= slow_after
        worker.join(max(seconds, 0.0))
    finally:
        timed_out = worker.is_alive()
        if timed_out and cancel is not None:
            cancel()
    if timed_out and cancel is not None:
        worker.join(CANCEL_GRACE_S)
    if results:
        return results[0]
    # An error that follows from the cancelling says nothing.
    if errors and not (timed_out and isinstance(errors[0], Exception)):
        raise errors[0]
    raise TimeoutError

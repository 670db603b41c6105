"""Run work that may block in a thread, and stop waiting for it at a timeout."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeVar

from tokencli import platforms

T = TypeVar("T")

WORKER_THREAD_NAME = "tokencli-worker"
CANCEL_GRACE_S = 0.1
"""Seconds that cancelled work gets to close what it opened."""


def iter_waits(seconds: float | None = None) -> Iterator[float]:
    """Divide a wait into pieces between which signals are handled, e.g. Ctrl-C on Windows.

    They add up to so many seconds by the clock, or have no end. There is always one.
    """
    longest = platforms.current().max_wait_s
    end = inf if seconds is None else monotonic() + seconds
    while True:
        remaining = end - monotonic()
        yield max(min(remaining, longest), 0.0)
        if remaining <= longest:
            return


def wait_for(wait: Callable[[float], object], seconds: float | None = None) -> bool:
    """Call e.g. `event.wait` until it returns true, for at most so many seconds; tell whether it did."""
    return any(wait(piece) for piece in iter_waits(seconds))


def join_thread(thread: Thread, seconds: float | None = None) -> bool:
    """Wait until a thread has ended, for at most so many seconds; tell whether it has."""

    def join(piece: float) -> bool:
        thread.join(piece)
        return not thread.is_alive()

    return wait_for(join, seconds)


class Wakeup:
    """Ends a wait from a signal handler or another thread, also before the wait begins.

    The methods of threading.Event may deadlock in a signal handler; those of SimpleQueue don't.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """End the wait."""
        self._calls.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until `set` was called, and at most so many seconds."""
        for piece in iter_waits(seconds):
            with suppress(Empty):
                self._calls.get(timeout=piece)
                break


def run_with_timeout(
    work: Callable[[], T],
    seconds: float,
    *,
    cancel: Callable[[], object] | None = None,
    wakeup: Wakeup | None = None,
    extend: Callable[[], float] | None = None,
) -> T:
    """Return what `work()` returns, or raise what it raises, within `seconds` of wall-clock time.

    Timeouts of sockets can't bound an exchange: a server that sends single bytes restarts them with
    each one, and a name lookup has none. So the work runs in a daemon thread, which may be left
    behind and doesn't keep the process alive.

    `cancel()` is called when the time is over, or if waiting is interrupted, and should make the
    work end. `wakeup.set()` ends the wait like the timeout. When the time is over, `extend()` returns
    how many seconds more the work gets, e.g. because it makes progress.

    Raises:
        TimeoutError: the work did not end in time.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    wakeup = wakeup or Wakeup()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            errors.append(error)
        wakeup.set()

    worker = Thread(target=run, daemon=True, name=WORKER_THREAD_NAME)
    worker.start()
    try:
        while seconds > 0:
            wakeup.wait(seconds)
            seconds = extend() if extend is not None and not results and not errors else 0.0
    finally:
        timed_out = not results and not errors
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

"""One wall-clock deadline over work that may block anywhere."""

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")

WORKER_THREAD_NAME = "tokencli-exchange"
"""Name of the threads that do the work."""
CANCEL_GRACE_S = 0.1
"""Seconds that the work gets to notice that it was given up, so that it can close what it opened."""


class WorkTimeoutError(TimeoutError):
    """The work did not end in time."""


class WorkerThread(Thread, Generic[T]):
    """A thread that may be left behind; what it brings too late is dropped."""

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name=WORKER_THREAD_NAME, daemon=True)
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the work and keep what came of it, for whoever waits."""
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001  (raised again where somebody waits for it)
            self._error = error

    def get_result(self) -> T | None:
        """Return the result, or None as long as there is none; raise what the work raised."""
        if self._error is not None:
            raise self._error
        return self._result[0] if self._result else None


def run_with_deadline(seconds: float, work: Callable[[], T], give_up: Callable[[], None]) -> T:
    """Return what `work()` returns, which is never None, within `seconds` of wall-clock time.

    The timeouts of sockets can't bound an exchange: each byte of a dripping server starts them
    anew, and a name lookup has none. So the work runs in a thread, and only waiting is limited.
    `give_up()` is called once nobody waits any longer and should make the work end.

    Raises:
        Overdue: the time is over. Whatever `work` raises.
    """
    worker = WorkerThread(work)
    worker.start()
    try:
        worker.join(max(0.0, seconds))
    finally:
        late = worker.is_alive()
        if late:
            give_up()
    if late:
        worker.join(CANCEL_GRACE_S)
        try:
            result = worker.get_result()
        except Exception:  # noqa: BLE001  (the giving up itself made the work fail)
            result = None
    else:
        result = worker.get_result()
    if result is None:
        raise WorkTimeoutError
    return result

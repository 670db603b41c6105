"""A call that can't hang the program."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def run_with_timeout(
    work: Callable[[], T],
    seconds: float,
    *,
    late: Callable[[], None] | None = None,
    after: float = 2.0,
) -> T:
    """Return what `work` returns, or raise what it raises; call `late` if that takes over `after` s.

    A call that does not come back is left behind in a daemon thread, which does not keep the
    process alive.

    Raises:
        TimeoutError: `work` did not end within `seconds`.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            failed.append(error)

    thread = Thread(target=run, daemon=True, name="tokencli-bounded")
    thread.start()
    if late is not None and after < seconds:
        thread.join(after)
        if thread.is_alive():
            late()
            seconds -= after
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]

"""Defer signals: between sending a refresh token and saving the new one, none may end the run.

It uses handlers instead of signal masks: a masked signal would be delivered to a child or a thread,
and the user would not learn that Ctrl-C was noticed.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from types import FrameType

_SIGNAL_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP")
DEFERRED_SIGNALS = tuple(
    signal.Signals[name] for name in _SIGNAL_NAMES if name in signal.Signals.__members__
)
"""The signals that end or stop a program, as far as the platform has them."""


@contextmanager
def defer_signals(note: Callable[[str], None], *, at_most: float = 30.0) -> Iterator[None]:
    """Defer signals inside the block, tell the user through `note`, and deliver them after it.

    The message says that the block takes `at_most` seconds. A signal that the process ignores stays
    ignored. Outside the main thread, where Python delivers no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferred: list[int] = []
    start = monotonic()

    def defer(number: int, _frame: FrameType | None) -> None:
        first = not deferred
        if number not in deferred:
            deferred.append(number)
        left = max(at_most - (monotonic() - start), 0.0)
        with suppress(RuntimeError):  # the signal interrupted a write to stderr
            if first:
                note("waiting for the server's reply, so that the new token is not lost")
            else:
                note(f"still waiting for the server's reply, at most {left:.0f} s more")

    with ExitStack() as after:
        # Runs last, when the previous handlers are back.
        after.callback(_deliver_signals, deferred)
        for number in DEFERRED_SIGNALS:
            handler = signal.getsignal(number)
            if handler is None or handler is signal.SIG_IGN:  # not set by Python, or nohup
                continue
            after.callback(signal.signal, number, handler)
            signal.signal(number, defer)
        yield


def _deliver_signals(deferred: list[int]) -> None:
    for number in deferred:
        signal.raise_signal(number)

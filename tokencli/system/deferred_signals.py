"""Signals that wait: between sending a refresh token and saving the new one, none may end the run.

Handlers, not masks: a masked signal would come back to a child or a thread, and nobody would be told
that Ctrl-C was heard.
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
"""What a person or a system sends to end or stop a program, as far as the platform has it."""


@contextmanager
def defer_signals(note: Callable[[str], None], *, at_most: float = 30.0) -> Iterator[None]:
    """Hold back signals inside the block, say so through `note`, and deliver them after it.

    `at_most` is how many seconds the block may take, for telling. A signal that the process ignores
    stays ignored. Outside the main thread, where Python delivers no signals, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    start = monotonic()

    def heard(number: int, _frame: FrameType | None) -> None:
        first = not waiting
        if number not in waiting:
            waiting.append(number)
        left = max(at_most - (monotonic() - start), 0.0)
        with suppress(RuntimeError):  # stderr was being written to at this very moment
            if first:
                note("waiting for the server's answer, so that the new token is not lost")
            else:
                note(f"still waiting for the server's answer, {left:.0f} s more at most")

    with ExitStack() as after:
        # Last out, so that each signal meets the handler it was meant for.
        after.callback(_deliver_signals, waiting)
        for number in DEFERRED_SIGNALS:
            before = signal.getsignal(number)
            if before is None or before is signal.SIG_IGN:  # not Python's to restore, or nohup
                continue
            after.callback(signal.signal, number, before)
            signal.signal(number, heard)
        yield


def _deliver_signals(waiting: list[int]) -> None:
    for number in waiting:
        signal.raise_signal(number)

"""Signals: those that end a run are raised as exceptions, and can be deferred."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Any

TERMINATION_SIGNALS = ("SIGTERM", "SIGHUP")
RESEND_DELAY_S = 0.01
"""Seconds after which a signal is sent again whose exception Python dropped."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived; like an interrupt it ends the run with a failure."""


def install_signal_handlers() -> None:
    """Let SIGTERM and SIGHUP raise `Terminated`, unless they are ignored, e.g. under nohup."""
    for name in TERMINATION_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise_terminated)


def _raise_terminated(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise Terminated(number)


def resend_dropped_signal(unraisable: Any) -> None:
    """Send a signal again whose exception was raised in a destructor, where Python drops it.

    This is a `sys.unraisablehook`; it prints nothing about other exceptions.
    """
    cause = find_signal_cause(unraisable.exc_value)
    if cause is None or sys.platform == "win32":
        return
    number = signal.SIGINT
    if isinstance(cause, Terminated):
        number = cause.args[0]
        signal.signal(number, _raise_terminated)
    main = threading.main_thread().ident
    assert main is not None, "the main thread runs"
    # Not at once: it would be raised in this hook and dropped again.
    timer = threading.Timer(RESEND_DELAY_S, signal.pthread_kill, (main, number))
    timer.daemon = True
    timer.start()


def find_signal_cause(error: BaseException | None) -> BaseException | None:
    """Return the signal's exception that is behind an error, or None.

    Python 3.11 raises RuntimeError from anything that ends a class statement's `__set_name__`, and a
    C extension may raise SystemError. A signal during an import may appear as one of these.
    """
    while error is not None and not isinstance(error, (KeyboardInterrupt, Terminated)):
        error = error.__cause__ or error.__context__
    return error


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

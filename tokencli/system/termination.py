"""Signals that end a run, raised as exceptions."""

import signal
import sys
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
    import threading

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

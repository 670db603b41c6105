"""Signals that end a run: they come out of it as exceptions, wherever they fall."""

import signal
import sys
from types import FrameType
from typing import Any

TERMINATION_SIGNALS = ("SIGTERM", "SIGHUP")
RESEND_DELAY_S = 0.01
"""Seconds after which a signal that was heard too deep is said again."""


class Terminated(BaseException):
    """A signal to end came; like an interrupt it must not leave an `eval` thinking all is well."""


def install_signal_handlers() -> None:
    """Let SIGTERM and SIGHUP raise `Terminated`, unless they are ignored, as under nohup."""
    for name in TERMINATION_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise_terminated)


def _raise_terminated(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process where it stands
    raise Terminated(number)


def resend_dropped_signal(told: Any) -> None:
    """Say a signal again that was raised in a destructor, where Python drops whatever is raised.

    The hook of `sys.unraisablehook`; it prints nothing, whatever else was dropped.
    """
    ended = find_signal_cause(told.exc_value)
    if ended is None or sys.platform == "win32":
        return
    number = signal.SIGINT
    if isinstance(ended, Terminated):
        number = ended.args[0]
        signal.signal(number, _raise_terminated)
    import threading

    main = threading.main_thread().ident
    assert main is not None, "the main thread runs"
    # Not from here: it would be raised in this very hook, and dropped once more.
    again = threading.Timer(RESEND_DELAY_S, signal.pthread_kill, (main, number))
    again.daemon = True
    again.start()


def find_signal_cause(error: BaseException | None) -> BaseException | None:
    """Return the signal that an error stands for, or None where there is none behind it.

    Python 3.11 raises RuntimeError for whatever ends a class statement's `__set_name__`, and a C
    extension may raise SystemError: a signal that falls while modules are loaded comes out as these.
    """
    while error is not None and not isinstance(error, (KeyboardInterrupt, Terminated)):
        error = error.__cause__ or error.__context__
    return error

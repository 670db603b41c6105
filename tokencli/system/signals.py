"""Signals: those that end a run are raised as exceptions, and can be deferred."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import ceil
from types import FrameType
from typing import Any, NamedTuple

from tokencli import platforms

RESEND_DELAY_S = 0.01
"""Seconds after which a signal is sent again whose exception Python dropped."""


class Terminated(BaseException):
    """A signal to end arrived, such as SIGTERM; like an interrupt it ends the run with a failure."""


_note_interrupt: Callable[[], None] | None = None
_raised: BaseException | None = None
"""The last exception that a signal has raised."""
_is_delivering = False
"""Whether signals are raised again that were deferred."""
_callback_signals: set[int] = set()
"""The signals that call a function and don't end the process."""


def install_signal_handlers(note_interrupt: Callable[[], None]) -> None:
    """Let the platform's signals to end raise `Terminated`, unless they are ignored, e.g. under nohup.

    `note_interrupt` is called in the handler of SIGINT, which also raises KeyboardInterrupt, once
    for each: the terminal may have echoed a ^C.
    """
    global _note_interrupt
    _note_interrupt = note_interrupt
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _raise_interrupt)
    platform = platforms.current()
    for number in list_signals(platform.signals.termination):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise_terminated)
    platform.watch_console()


def list_signals(names: Iterable[str]) -> list[signal.Signals]:
    """Return the signals with these names, as far as the platform has them."""
    known = signal.Signals.__members__
    return [known[name] for name in names if name in known]


def call_on_signal(name: str, callback: Callable[[], None]) -> None:
    """Let a signal call `callback`, which must not raise, if the platform has it.

    Such a signal doesn't end the process, so it is never deferred.
    """
    number = getattr(signal, name, None)
    if number is not None:
        signal.signal(number, lambda *_: callback())
        _callback_signals.add(number)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    global _raised
    _report_interrupt()
    try:
        signal.default_int_handler(number, frame)
    except KeyboardInterrupt as interrupt:
        _raised = interrupt
        raise


def _report_interrupt() -> None:
    if _note_interrupt is not None and not _is_delivering:
        _note_interrupt()


def _raise_terminated(number: int, _: FrameType | None) -> None:
    global _raised
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    _raised = Terminated(number)
    raise _raised


def resend_dropped_signal(unraisable: Any) -> None:
    """Send a signal again whose exception was raised in a destructor, where Python drops it.

    This is a `sys.unraisablehook`; it prints nothing about other exceptions.
    """
    cause = find_signal_cause(unraisable.exc_value)
    if cause is None or not hasattr(signal, "pthread_kill"):
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


def find_raised_signal() -> BaseException | None:
    """Return the last exception that a signal has raised, or None.

    A C extension may raise another error instead, without naming the exception as its cause.
    pydantic's does so while it builds a validator. So an unexpected error is put down to the signal.
    """
    return _raised


def find_signal_cause(error: BaseException | None) -> BaseException | None:
    """Return the signal's exception that is behind an error, or None.

    Python 3.11 raises RuntimeError from anything that ends a class statement's `__set_name__`, and a
    C extension may raise SystemError. A signal during an import may appear as one of these.
    """
    while error is not None and not isinstance(error, (KeyboardInterrupt, Terminated)):
        error = error.__cause__ or error.__context__
    return error


DEFERRED_SIGNALS = tuple(list_signals(platforms.current().signals.deferred))
"""The signals that end or stop a program."""


class _Deferral(NamedTuple):
    """A block in which signals are deferred."""

    keep_reply: bool
    received: list[int]
    """The signals to deliver after the block."""


_deferrals: list[_Deferral] = []
"""The blocks that run, the innermost last. Only the main thread changes it."""
_stop_functions: list[Callable[[bool], float]] = []
"""What ends the waits that are going on, the innermost last. Only the main thread changes it."""


@contextmanager
def defer_signals(
    note: Callable[[str], None], purpose: str, *, keep_reply: bool = True
) -> Iterator[None]:
    """Defer signals inside the block, tell the user through `note`, and deliver them after it.

    A wait in the block that is `stoppable` ends at the signal, unless `keep_reply` and a reply may
    come. The message is `purpose`, with the seconds that it takes at most.

    A signal that the process ignores stays ignored. Outside the main thread, where Python delivers no
    signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferral = _Deferral(keep_reply, [])

    def defer(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            _report_interrupt()
        if number not in deferral.received:
            deferral.received.append(number)
        seconds = _stop_wait()
        if seconds == 0.0:
            return  # the block ends now
        limit = "" if seconds is None else f"; at most {ceil(seconds)} s"
        with suppress(RuntimeError):  # the signal interrupted a write to stderr
            note(purpose + limit)

    with ExitStack() as after:
        # Runs last, when the previous handlers are back.
        after.callback(_deliver_signals, deferral)
        for number in DEFERRED_SIGNALS:
            handler = signal.getsignal(number)
            if handler is None or handler is signal.SIG_IGN:  # not set by Python, or nohup
                continue
            if number in _callback_signals:
                continue
            after.callback(signal.signal, number, handler)
            signal.signal(number, defer)
        _deferrals.append(deferral)
        after.callback(_deferrals.pop)
        yield


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Set an event on the signals that end a server, so that everything is cleaned up."""
    stopped = threading.Event()
    numbers = list_signals(("SIGINT", *platforms.current().signals.termination))
    previous = {number: signal.signal(number, lambda *_: stopped.set()) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def stoppable(stop: Callable[[bool], float]) -> Iterator[None]:
    """Let a deferred signal end the wait in this block by calling `stop(keep_reply)`.

    `stop` makes the wait end, and returns 0. If `keep_reply` and a request may have been sent, it
    changes nothing and returns the seconds that the wait takes at most. It runs in a signal
    handler. A signal that arrived before the block calls it at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _stop_functions.append(stop)
    try:
        _stop_wait()
        yield
    finally:
        _stop_functions.pop()


def is_reply_kept() -> bool:
    """Tell whether a signal waits for the reply to a request that was sent."""
    return any(deferral.keep_reply for deferral in _deferrals)


def _stop_wait() -> float | None:
    """End the wait for a signal that ends the process; return the seconds that it takes at most."""
    received = {number for deferral in _deferrals for number in deferral.received}
    if not _stop_functions or not received - {getattr(signal, "SIGTSTP", None)}:
        return None
    return _stop_functions[-1](is_reply_kept())


def _deliver_signals(deferral: _Deferral) -> None:
    global _is_delivering
    _is_delivering = True
    try:
        for number in deferral.received:
            signal.raise_signal(number)
    finally:
        _is_delivering = False

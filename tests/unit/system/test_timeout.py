"""Work with a time-out."""

import signal
import threading
import time

import pytest

from tokencli import platforms
from tokencli.system.timeout import Wakeup, iter_waits, run_with_timeout


def test_results_and_errors_are_passed_on() -> None:
    """The caller gets what the work returns, also None, or raises; nothing is cancelled."""
    cancelled = threading.Event()
    assert run_with_timeout(lambda: 7, 5, cancel=cancelled.set) == 7
    assert run_with_timeout(lambda: None, 5) is None
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(lambda: 1 // 0, 5, cancel=cancelled.set)
    assert not cancelled.is_set()


def test_late_work_is_cancelled() -> None:
    """After the time-out the work is cancelled; an error that follows from that is not raised."""
    cancelled = threading.Event()
    with pytest.raises(TimeoutError):
        run_with_timeout(lambda: cancelled.wait(20) and 1 // 0, 0.01, cancel=cancelled.set)
    assert cancelled.is_set()


def test_work_that_ends_when_cancelled_counts() -> None:
    """A result that comes within the grace period is returned."""
    cancelled = threading.Event()
    assert run_with_timeout(lambda: cancelled.wait(20), 0.01, cancel=cancelled.set) is True


@pytest.mark.parametrize("early", [True, False])
def test_a_wakeup_ends_the_wait(early: bool) -> None:
    """`Wakeup.set` ends the wait at once, also if it was called before, and the work is cancelled."""
    wakeup, cancelled = Wakeup(), threading.Event()
    if early:
        wakeup.set()
    else:
        threading.Timer(0.1, wakeup.set).start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        run_with_timeout(
            lambda: cancelled.wait(20) and 1 // 0, 20, cancel=cancelled.set, wakeup=wakeup
        )
    assert cancelled.is_set()
    assert time.monotonic() - started < 5


def test_a_signal_handler_may_end_the_wait() -> None:
    """The handler runs in the thread that waits."""
    wakeup = Wakeup()
    before = signal.signal(signal.SIGUSR1, lambda *_: wakeup.set())
    try:
        main = threading.get_ident()
        threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGUSR1)).start()
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            run_with_timeout(lambda: time.sleep(5), 20, wakeup=wakeup)
        assert time.monotonic() - started < 4
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("name", ["linux", "win32"])
def test_waits_are_divided_where_a_signal_cannot_interrupt_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows no piece is longer than its platform allows; together they take the whole time."""
    platform = platforms.select_platform(name)
    monkeypatch.setattr(platforms, "PLATFORM", platform)
    pieces = [0.0]
    monkeypatch.setattr("tokencli.system.timeout.monotonic", lambda: sum(pieces))
    for piece in iter_waits(1.1):
        pieces.append(piece)
    assert sum(pieces) == pytest.approx(1.1)
    assert max(pieces) <= platform.max_wait_s
    assert (len(pieces) > 5) is (name == "win32")
    assert list(iter_waits(0.0)) == [0.0]

"""Work with a time-out."""

import threading
import time

import pytest

from tokencli.system.timeout import run_with_timeout


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


def test_slow_work_is_announced_once() -> None:
    """`on_slow` is called if the work takes longer than `slow_after`, within the time-out."""
    release, calls = threading.Event(), []

    def announce() -> None:
        calls.append("slow")
        release.set()

    assert run_with_timeout(lambda: release.wait(20), 10, on_slow=announce, slow_after=0.05)
    assert calls == ["slow"]
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        run_with_timeout(lambda: time.sleep(5), 0.2, on_slow=lambda: None, slow_after=0.1)
    assert time.monotonic() - started < 2

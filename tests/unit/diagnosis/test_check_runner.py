"""The order, the time limit and the exit code of the checks."""

import time
from typing import cast

import pytest

from tests.fakes import FakeClock
from tokencli.diagnosis import check_runner
from tokencli.diagnosis.check_runner import CheckResult, find_exit_code, run_checks
from tokencli.diagnosis.checks import (
    CheckSpec,
    DoctorContext,
    Outcome,
    Subject,
    failed,
    failed_by,
    passed,
    skipped,
    warned,
)
from tokencli.errors import StorageError


class RunningClock(FakeClock):
    """The real monotonic time."""

    def monotonic(self) -> float:
        return time.monotonic()


class Context:
    """Just a clock that runs."""

    clock = RunningClock()


def check_fine(_: Subject) -> Outcome:
    """Find nothing."""
    return passed("fine")


def check_odd(_: Subject) -> Outcome:
    """Find something to know."""
    return warned("odd", fix="command")


def check_broken(_: Subject) -> Outcome:
    """Fail with the row's exit code."""
    return failed("broken")


def check_raising(_: Subject) -> Outcome:
    """Fail with an error."""
    raise StorageError("full", cause="disk", fix="df")


def check_buggy(_: Subject) -> Outcome:
    """Fail as a bug does."""
    raise RuntimeError("canary-text-of-an-exception")


def check_endless(_: Subject) -> Outcome:
    """Take longer than anybody waits."""
    time.sleep(5)
    return passed("late")


def run(
    monkeypatch: pytest.MonkeyPatch, seconds: float = 5.0, **rows: tuple[str, int, tuple[str, ...]]
) -> dict[str, CheckResult]:
    """Run rows of a table: name -> function, exit code, and what it comes after."""
    table = {
        name: CheckSpec(f"{__name__}:check_{function}", "…", code, after)
        for name, (function, code, after) in rows.items()
    }
    monkeypatch.setattr(check_runner, "CHECKS", table)
    ctx = cast("DoctorContext", Context())
    deadline = time.monotonic() + seconds
    results = run_checks(Subject(ctx, deadline), [Subject(ctx, deadline, name="p")])
    assert [result.id for result in results] == list(table)
    return {result.id: result for result in results}


def test_what_comes_after_a_failure_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the failure itself, also at the end of a chain; a warning skips nothing."""
    found = run(
        monkeypatch,
        a=("broken", 6, ()),
        b=("fine", 6, ("a",)),
        c=("fine", 9, ("b",)),
        d=("odd", 3, ()),
        e=("fine", 3, ("d",)),
    )
    assert [found[name].ok for name in "abcde"] == [False, None, None, True, True]
    assert found["c"].outcome == skipped("a failed") and found["c"].is_blocked
    assert find_exit_code(found.values()) == 6


def test_an_error_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first failure in the order of the table counts, and warnings don't."""
    found = run(monkeypatch, a=("odd", 3, ()), b=("raising", 6, ()), c=("broken", 9, ()))
    assert found["b"].outcome == failed_by(StorageError("full", cause="disk", fix="df"))
    assert find_exit_code(found.values()) == 8
    assert find_exit_code([found["a"]]) == 0


def test_a_bug_in_one_check_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported by its type alone, because its text may quote anything."""
    found = run(monkeypatch, a=("buggy", 6, ()), b=("fine", 6, ()))
    assert (found["a"].exit_code, found["b"].ok) == (1, True)
    assert "RuntimeError" in found["a"].outcome.detail
    assert "canary" not in repr(found["a"])


def test_a_check_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline it counts as failed, with a command that waits longer."""
    started = time.monotonic()
    found = run(monkeypatch, 0.3, a=("fine", 6, ()), b=("endless", 6, ()), c=("fine", 6, ()))
    assert time.monotonic() - started < 3
    assert [found[name].ok for name in "abc"] == [True, False, False]
    assert found["b"].exit_code == 6
    assert found["b"].outcome.fix == "tokencli doctor p --timeout 60s"
    patient = Subject(cast("DoctorContext", Context()), 0.0, time_limit=60.0)
    assert patient.longer_run_command == "tokencli doctor --timeout 120s"

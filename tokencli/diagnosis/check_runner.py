"""Run the checks of `doctor` side by side, within a time limit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from queue import SimpleQueue
from threading import Thread
from typing import cast

from tokencli.diagnosis.checks import (
    CHECKS,
    CheckSpec,
    Outcome,
    Subject,
    failed,
    failed_by,
    skipped,
)
from tokencli.diagnosis.side_by_side import collect_until
from tokencli.errors import TokencliError
from tokencli.protocols import ShowWait, WaitStatus, hide_wait


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check."""

    id: str
    profile: str | None
    """None for a check of the machine."""
    outcome: Outcome
    exit_code: int
    """0 unless it failed."""
    is_blocked: bool = False
    """Whether it was skipped because another check failed."""

    @property
    def ok(self) -> bool | None:
        """Return False if it failed, None if it was skipped, else True."""
        return {"ok": True, "warning": True, "failed": False}.get(self.outcome.state)


def find_exit_code(results: Iterable[CheckResult]) -> int:
    """Return that of the first failure; 0 if there is none."""
    return next((result.exit_code for result in results if result.ok is False), 0)


def run_checks(
    machine: Subject, profiles: Sequence[Subject], show_wait: ShowWait = hide_wait
) -> list[CheckResult]:
    """Run the checks of the machine and of each profile side by side, until the deadline.

    The results are in the order of the table: those of the machine, then profile by profile.
    """
    queue: SimpleQueue[CheckResult] = SimpleQueue()
    pending: dict[tuple[str | None, str], Subject] = {}
    for subject in (machine, *profiles):
        rows = {
            name: spec
            for name, spec in CHECKS.items()
            if spec.per_profile is (subject.name is not None)
        }
        pending |= {(subject.name, name): subject for name in rows}
        Thread(target=_run_rows, args=(subject, rows, queue.put), daemon=True).start()
    found: dict[tuple[str | None, str], CheckResult] = {}
    clock = machine.ctx.clock
    limit = machine.deadline - clock.monotonic()

    def describe() -> WaitStatus:
        names = dict.fromkeys(name for profile, name in pending if (profile, name) not in found)
        return WaitStatus(f"checking {', '.join(names)}", limit)

    with show_wait(describe):
        for result in collect_until(machine.deadline, clock, queue, len(pending)):
            found[result.profile, result.id] = result
    return [found.get(key) or _unfinished(key[1], subject) for key, subject in pending.items()]


def _run_rows(
    subject: Subject, rows: Mapping[str, CheckSpec], report: Callable[[CheckResult], None]
) -> None:
    """Run the rows in their order, those that depend on the network in a thread beside the others."""
    outcomes: dict[str, CheckResult] = {}

    def run(names: Sequence[str]) -> None:
        for name in names:
            outcomes[name] = _run_row(subject, name, rows[name], outcomes)
            report(outcomes[name])

    first = [name for name in rows if name == "profile"]
    run(first)
    network = [name for name, spec in rows.items() if not spec.is_local]
    if network:
        Thread(target=run, args=(network,), daemon=True).start()
    run([name for name in rows if name not in (*first, *network)])


def _run_row(
    subject: Subject, name: str, spec: CheckSpec, outcomes: Mapping[str, CheckResult]
) -> CheckResult:
    for ground in spec.after:
        before = outcomes.get(ground)
        if before is not None and (before.ok is False or before.is_blocked):
            reason = before.outcome.detail if before.is_blocked else f"{ground} failed"
            return CheckResult(name, subject.name, skipped(reason), 0, is_blocked=True)
    module, _, function = spec.function.partition(":")
    check = cast("Callable[[Subject], Outcome]", getattr(import_module(module), function))
    try:
        outcome = check(subject)
    except TokencliError as error:
        outcome = failed_by(error)
    except Exception as error:  # noqa: BLE001  # one check must not keep the others from being shown
        outcome = Outcome(
            "failed",
            f"internal error: {type(error).__name__}",
            "this is a bug in tokencli",
            None,
            1,
        )
    exit_code = outcome.exit_code or spec.exit_code if outcome.state == "failed" else 0
    return CheckResult(name, subject.name, outcome, exit_code)


def _unfinished(name: str, subject: Subject) -> CheckResult:
    """Return the result of a check that was not over at the deadline."""
    outcome = failed("did not end in time", fix=subject.longer_run_command)
    return CheckResult(name, subject.name, outcome, CHECKS[name].exit_code)

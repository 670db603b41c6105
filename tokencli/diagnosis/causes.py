"""The causes of a call that fails, one row each, judged from the evidence alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tokencli.diagnosis.evidence import Evidence

Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, and why it is thought to be one."""

    id: str
    confidence: Confidence
    evidence: tuple[str, ...]
    """What speaks for it, each as a sentence without a full stop, the most telling first."""
    fix: str | None = None
    """The command that fixes it; None if no command does."""
    question: str | None = None
    """What would decide between it and another cause."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A row of CAUSES."""

    title: str
    """What it is called, e.g. `the token has expired`."""
    exit_code: int
    judge: Callable[[Evidence], Finding | None]
    """Return the finding if the evidence speaks for this cause."""


CAUSES: Mapping[str, Cause] = {}
"""Id -> cause, in the order in which equally sure ones are named."""


def rank_causes(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the causes that the evidence speaks for, the surest first; `nothing_wrong` if none."""
    order: tuple[Confidence, ...] = ("certain", "likely", "possible")
    findings = [cause.judge(evidence) for cause in CAUSES.values()]
    return tuple(
        sorted(
            (finding for finding in findings if finding is not None),
            key=lambda finding: order.index(finding.confidence),
        )
    )

"""A cause as a row of the table, and what its judge returns."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from tokencli.diagnosis.evidence import Evidence

Confidence = Literal["certain", "likely", "possible"]
CONFIDENCES: tuple[Confidence, ...] = ("certain", "likely", "possible")
"""The surest first."""


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
    title: str | None = None
    """What it is called here, if that isn't the title of the cause."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A row of CAUSES."""

    title: str
    """What it is called, e.g. `the token has expired`."""
    exit_code: int
    judge: Callable[[Evidence], Finding | None]
    """Return the finding if the evidence speaks for this cause."""
    explains: frozenset[str] = frozenset()
    """The ids of the causes whose signs this one brings about itself, so that they aren't named."""


def find(
    cause: str,
    confidence: Confidence,
    evidence: Iterable[str | None],
    *,
    fix: str | None = None,
    question: str | None = None,
    title: str | None = None,
) -> Finding:
    """Return a finding with those sentences that aren't None, each once."""
    sentences = tuple(dict.fromkeys(text for text in evidence if text))
    return Finding(cause, confidence, sentences, fix, question, title)

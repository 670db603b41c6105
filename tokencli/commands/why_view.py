"""A diagnosis as a report for people and an object for `--json`."""

from collections.abc import Iterator, Sequence

from tokencli.commands.tables import output_width, render_styled, wrap_text
from tokencli.diagnosis.causes import CAUSES, Finding
from tokencli.diagnosis.evidence import CallFacts, Evidence, OpenQuestion
from tokencli.formats.json import expiry_to_dict
from tokencli.humanize import format_time, humanize_relative_time
from tokencli.sanitize import sanitize_text

REPORT_WIDTH = 80
CONFIDENCE_STYLES = {"certain": "bold red", "likely": "bold magenta", "possible": "bold"}


def diagnosis_to_dict(findings: Sequence[Finding], evidence: Evidence) -> dict[str, object]:
    """Return the diagnosis as the object that `--json` prints; every key is always present."""
    return {
        "causes": [
            {
                "id": finding.id,
                "confidence": finding.confidence,
                "title": CAUSES[finding.id].title,
                "evidence": [sanitize_text(text) for text in finding.evidence],
                "fix": finding.fix and sanitize_text(finding.fix),
                "question": finding.question and sanitize_text(finding.question),
            }
            for finding in findings
        ],
        "profile": None if evidence.profile is None else evidence.profile.name,
        "token": _token_to_dict(evidence),
        "call": _call_to_dict(evidence.call),
        "open_questions": [
            {
                "probe": question.probe,
                "reason": sanitize_text(question.reason),
                "command": question.command and sanitize_text(question.command),
            }
            for question in evidence.open_questions
        ],
    }


def _token_to_dict(evidence: Evidence) -> dict[str, object] | None:
    token = evidence.token
    if token is None:
        return None
    expires = token.expires_at if token.expires_at is not None else token.stated_expiry
    return {
        "fingerprint": token.fingerprint,
        "kind": token.kind,
        "role": token.role,
        "stored": token.stored,
        "signature": token.signature,
        **expiry_to_dict(expires),
    }


def _call_to_dict(call: CallFacts | None) -> dict[str, object] | None:
    if call is None:
        return None
    skew = call.clock_skew
    return {
        "method": call.method,
        "url": sanitize_text(call.url),
        "carrier": call.carrier and sanitize_text(call.carrier),
        "status": call.status,
        "failure": call.failure,
        "error": call.error_code and sanitize_text(call.error_code),
        "description": call.error_text and sanitize_text(call.error_text),
        "clock_skew": None if skew is None else round(skew, 3),
        "saved": call.is_saved,
    }


def render_diagnosis(findings: Sequence[Finding], evidence: Evidence) -> str:
    """Return the diagnosis as lines of text, at most 80 columns wide in a terminal."""
    width = min(output_width(), REPORT_WIDTH) if output_width() < 1_000_000 else output_width()
    lines = [*_render_circumstances(evidence), ""]
    for number, finding in enumerate(findings):
        if number == 1:
            lines += ["", render_styled("Also possible", "bold")]
        lines += _render_finding(finding, is_first=number == 0)
    if evidence.open_questions:
        lines += ["", render_styled("Not found out", "bold")]
        for question in evidence.open_questions:
            lines += _render_question(question)
    return "".join(f"{part}\n" for line in lines for part in _wrap_line(line, width))


def _render_circumstances(evidence: Evidence) -> Iterator[str]:
    """Yield what the diagnosis is about, one line each."""
    call, token, profile = evidence.call, evidence.token, evidence.profile
    if call is not None:
        yield f"call      {sanitize_text(f'{call.method} {call.url}')}"
        yield f"reply     {sanitize_text(_describe_reply(call))}"
    if token is not None:
        whose = (
            f"of profile {profile.name}" if token.stored and profile is not None else "from stdin"
        )
        text = f"{'JWT' if token.kind == 'jwt' else token.kind} {whose}"
        expires = token.expires_at if token.expires_at is not None else token.stated_expiry
        if expires is not None:
            relative = humanize_relative_time(expires, evidence.now)
            verb = "expired" if expires <= evidence.now else "expires"
            text += f", {verb} {relative}, at {format_time(expires)}"
        yield f"token     {sanitize_text(text)}"


def _describe_reply(call: CallFacts) -> str:
    if call.status is None:
        if call.withheld is not None:
            return f"none: nothing was sent, because {call.withheld}"
        error = call.failure_error
        return f"none: {error.message}" if error is not None else "none"
    said = " ".join(filter(None, (call.error_code, call.error_text)))
    return f"HTTP {call.status}{f': {said}' if said else ''}"


def _render_finding(finding: Finding, *, is_first: bool) -> Iterator[str]:
    style = CONFIDENCE_STYLES[finding.confidence] if finding.id != "nothing_wrong" else "green"
    title = CAUSES[finding.id].title
    yield render_styled(f"{finding.confidence}: {title}", style if is_first else "")
    for text in finding.evidence:
        yield f"  - {sanitize_text(text)}"
    if finding.question is not None:
        yield f"  ? {sanitize_text(finding.question)}"
    if finding.fix is not None:
        yield f"  fix: {sanitize_text(finding.fix)}"


def _render_question(question: OpenQuestion) -> Iterator[str]:
    yield f"  - {question.probe.replace('_', ' ')}: {sanitize_text(question.reason)}"
    if question.command is not None:
        yield f"    {sanitize_text(question.command)}"


def _wrap_line(line: str, width: int) -> Iterator[str]:
    """Yield a line in parts that fit; a command stays whole, so that it can be copied."""
    text = line.lstrip(" -?")
    indent = len(line) - len(text)
    if text.startswith(("fix: ", "tokencli ")):
        yield line
        return
    for number, part in enumerate(wrap_text(text, width - indent)):
        yield (line[:indent] if number == 0 else " " * indent) + part

"""A diagnosis as a report for people and an object for `--json`."""

from collections.abc import Iterator, Sequence

from tokencli.commands.tables import UNBOUNDED_WIDTH, output_width, render_styled, wrap_text
from tokencli.commands.why_code import error_code_to_dict
from tokencli.diagnosis.causes import CAUSES, Finding, facts
from tokencli.diagnosis.causes.reply import shorten
from tokencli.diagnosis.evidence import CallFacts, Evidence, OpenQuestion, ProfileFacts, TokenFacts
from tokencli.formats.json import expiry_to_dict
from tokencli.humanize import format_time, humanize_relative_time
from tokencli.providers.error_codes import ErrorCode, find_vendor_codes
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
                "title": finding.title or CAUSES[finding.id].title,
                "evidence": [sanitize_text(text) for text in finding.evidence],
                "fix": finding.fix and sanitize_text(finding.fix),
                "question": finding.question and sanitize_text(finding.question),
            }
            for finding in findings
        ],
        "profile": None if evidence.profile is None else evidence.profile.name,
        "token": _token_to_dict(evidence),
        "call": _call_to_dict(evidence.call, evidence.profile),
        "fresh_call": _call_to_dict(evidence.fresh_call, evidence.profile),
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


def _call_to_dict(call: CallFacts | None, profile: ProfileFacts | None) -> dict[str, object] | None:
    if call is None:
        return None
    skew = call.clock_skew
    name = profile.command_line_name if profile is not None else "PROFILE"
    return {
        "method": call.method,
        "url": sanitize_text(call.url),
        "carrier": call.carrier and sanitize_text(call.carrier),
        "status": call.status,
        "failure": call.failure,
        "error": call.error_code and sanitize_text(call.error_code),
        "description": call.error_text and sanitize_text(call.error_text),
        "codes": [error_code_to_dict(code, name) for code in _list_codes(call, profile)],
        "clock_skew": None if skew is None else round(skew, 3),
        "saved": call.is_saved,
    }


def render_diagnosis(findings: Sequence[Finding], evidence: Evidence) -> str:
    """Return the diagnosis as lines of text, at most 80 columns wide in a terminal."""
    width = output_width()
    if width != UNBOUNDED_WIDTH:
        width = min(width, REPORT_WIDTH)
    best, *others = findings
    lines = [
        *_render_circumstances(evidence, width),
        "",
        *_render_finding(best, width, is_best=True),
    ]
    if others:
        lines += ["", render_styled("Also possible:", "bold")]
        for finding in others:
            lines += _render_finding(finding, width)
    if evidence.open_questions:
        lines += ["", render_styled("Not found out:", "bold")]
        for question in evidence.open_questions:
            lines += _render_question(question, width)
    return "".join(f"{line}\n" for line in lines)


def summarize_finding(
    best: Finding, others: Sequence[Finding], *, with_fix: bool = True
) -> Iterator[str]:
    """Yield the most likely cause in a few lines, and the titles of the others."""
    yield f"{best.confidence}: {best.title or CAUSES[best.id].title}"
    for text in best.evidence:
        yield f"  - {text}"
    if others:
        yield f"also possible: {'; '.join(each.title or CAUSES[each.id].title for each in others)}"
    if with_fix and best.fix is not None:
        yield f"fix: {best.fix}"


def _render_circumstances(evidence: Evidence, width: int) -> Iterator[str]:
    """Yield what the diagnosis is about."""
    call, token, profile = evidence.call, evidence.token, evidence.profile
    if profile is not None:
        yield from _wrap("profile   ", profile.name, width)
    if token is not None:
        yield from _wrap("token     ", _describe_token(token, evidence), width)
    if call is not None:
        yield from _wrap(
            "call      ", f"{call.method} {call.url or '(the URL is not known)'}", width
        )
        yield from _wrap("reply     ", _describe_reply(call), width)
        for code in _list_codes(call, profile):
            text = f"{code.code} ({code.provider.title}): {code.meaning.what}"
            yield from _wrap("code      ", text, width)
    if evidence.fresh_call is not None:
        fresh = f"with a fresh token: {_describe_reply(evidence.fresh_call)}"
        yield from _wrap("          ", fresh, width)
    elif evidence.fresh_error is not None:
        yield from _wrap("          ", f"no fresh token: {evidence.fresh_error.message}", width)


def _list_codes(call: CallFacts, profile: ProfileFacts | None) -> tuple[ErrorCode, ...]:
    """Return the error codes of the vendor in what the API said."""
    said = " ".join(filter(None, (call.error_code, call.error_text)))
    return find_vendor_codes(said, profile.provider if profile is not None else None)


def _describe_token(token: TokenFacts, evidence: Evidence) -> str:
    """Say what the token is and until when it is valid; by a server's clock if this computer's is off."""
    now, clock = evidence.now, ""
    skew = facts.measure_skew(evidence)
    if skew is not None and facts.is_clock_off(evidence):
        now -= skew.seconds
        clock = f" by {skew.hosts[0]}'s clock"
    kind = "JWT" if token.kind == "jwt" else f"{token.kind} token"
    text = f"{kind} {'that is stored' if token.stored else 'that was given'}"
    expires = token.expires_at if token.expires_at is not None else token.stated_expiry
    if expires is not None:
        verb = "expired" if expires <= now else "expires"
        text += f", {verb} {humanize_relative_time(expires, now)}{clock}, at {format_time(expires)}"
    return text


def _describe_reply(call: CallFacts) -> str:
    if call.status is None:
        if call.withheld is not None:
            return f"nothing was sent, because {call.withheld}"
        return f"none: {call.failure_error.message}" if call.failure_error is not None else "none"
    said = " ".join(filter(None, (call.error_code, call.error_text)))
    return f"HTTP {call.status}{f': {shorten(said)}' if said else ''}"


def _render_finding(finding: Finding, width: int, *, is_best: bool = False) -> Iterator[str]:
    """Yield a cause with its evidence, what is to be asked, and its fix."""
    style = "green" if finding.id == "nothing_wrong" else CONFIDENCE_STYLES[finding.confidence]
    indent = "" if is_best else "  "
    title = f"{finding.confidence}: {finding.title or CAUSES[finding.id].title}"
    for line in _wrap(indent, title, width):
        yield render_styled(line, style) if is_best else line
    for text in finding.evidence:
        yield from _wrap(f"{indent}  - ", text, width)
    if finding.question is not None:
        yield from _wrap(f"{indent}  ? ", finding.question, width)
    if finding.fix is not None:
        yield f"{indent}  {render_styled('fix:', 'green')} {sanitize_text(finding.fix)}"


def _render_question(question: OpenQuestion, width: int) -> Iterator[str]:
    yield from _wrap("  - ", f"{question.probe.replace('_', ' ')}: {question.reason}", width)
    if question.command is not None:
        yield f"    {sanitize_text(question.command)}"


def _wrap(start: str, text: str, width: int) -> Iterator[str]:
    """Yield a text behind `start`, continued below its own beginning."""
    for line in wrap_text(sanitize_text(text), width - len(start)):
        yield start + line
        start = " " * len(start)

"""The text that `tokencli inspect` prints.

Every line starts with a fixed word, an indented quotation mark or a dash, never with text from the
token, so that a token can't imitate the program's own output.
"""

import json
from collections.abc import Iterator, Mapping

from tokencli.commands.tables import render_bar, render_styled
from tokencli.core.inspect import NO_CHECKS, CheckResults, Inspection
from tokencli.humanize import humanize_duration
from tokencli.sanitize import sanitize_text

KIND_DESCRIPTIONS = {
    "jwt": "JWT (anyone can read it)",
    "sd-jwt": "SD-JWT (a JWT that discloses claims selectively)",
    "jwe": "JWE (encrypted; only its recipient can read it)",
    "opaque": "opaque (only its server can read it)",
}
STATE_STYLES = {"valid": "green", "expired": "red", "not_yet_valid": "red", "unknown": "yellow"}
MAX_NAME_WIDTH = 24


def render_inspection(
    inspection: Inspection,
    now: float,
    *,
    profile: str | None = None,
    checks: CheckResults = NO_CHECKS,
) -> str:
    """Return an inspection as lines of text."""
    return "".join(f"{line}\n" for line in _render_lines(inspection, now, profile, checks))


def _render_lines(
    inspection: Inspection, now: float, profile: str | None, checks: CheckResults
) -> Iterator[str]:
    yield _render_verification(checks)
    yield ""
    if profile is not None:
        yield _render_row("profile", profile)
    yield _render_row("kind", KIND_DESCRIPTIONS[inspection.kind])
    yield f"{'state':<10}{render_styled(inspection.describe_state(now), STATE_STYLES[inspection.state])}"
    if inspection.used_fraction is not None:
        whole = (
            f" of {humanize_duration(inspection.lifetime)}"
            if inspection.lifetime is not None
            else ""
        )
        percent = int(inspection.used_fraction * 100)
        yield f"{'lifetime':<10}{render_bar(inspection.used_fraction)} {percent}%{whole} used"
    if inspection.scopes:
        yield _render_row("scopes", ", ".join(inspection.scopes))
    times = {time.name: time.as_text(now) for time in inspection.times}
    yield from _render_object("header", inspection.header, {})
    yield from _render_object("claims", inspection.claims, times)
    if inspection.disclosures:
        yield "disclosures (not checked against the claims)"
        yield from (f"  {_render_value(disclosure)}" for disclosure in inspection.disclosures)
    yield from _render_object("introspection (from the server)", checks.introspection or {}, {})
    yield from _render_object("userinfo (from the server)", checks.userinfo or {}, {})
    if inspection.remarks:
        yield "remarks"
        yield from (f"  - {sanitize_text(remark)}" for remark in inspection.remarks)


def _render_verification(checks: CheckResults) -> str:
    verified = checks.verified
    if verified is not None:
        key = f" with key {sanitize_text(_render_value(verified.kid))}" if verified.kid else ""
        audience = ", ".join(map(_render_value, verified.matched_audiences))
        return render_styled(
            f"VERIFIED: signed by the issuer{key} ({verified.alg}), for {audience}", "bold green"
        )
    if checks.verification_failure is not None:
        return render_styled(
            f"NOT VERIFIED: {sanitize_text(checks.verification_failure)}", "bold red"
        )
    return render_styled(
        "NOT VERIFIED: the signature was not checked; this is what the token says", "bold"
    )


def _render_row(label: str, text: str) -> str:
    return f"{label:<10}{sanitize_text(text)}"


def _render_object(
    title: str, members: Mapping[str, object], notes: Mapping[str, str]
) -> Iterator[str]:
    """Yield an object with one aligned member per line, followed by its note if it has one."""
    if not members:
        return
    yield title
    named = [
        (f"{_render_value(name)}:", name, _render_value(value)) for name, value in members.items()
    ]
    width = min(MAX_NAME_WIDTH, max(len(quoted) for quoted, _, _ in named))
    for quoted, name, value in named:
        note = f"  {notes[name]}" if name in notes else ""
        yield f"  {quoted:<{width}} {value}{note}"


def _render_value(value: object) -> str:
    return sanitize_text(json.dumps(value, ensure_ascii=False))

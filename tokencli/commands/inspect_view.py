"""The page that `tokencli inspect` prints for a person.

Every line starts with words of ours, an indented quotation mark or a dash, never with a token's.
"""

import json
from collections.abc import Iterator, Mapping

from tokencli.commands.tables import render_bar, render_styled
from tokencli.core.inspect import NO_CHECKS, CheckResults, Inspection
from tokencli.humanize import humanize_duration
from tokencli.sanitize import sanitize_text

KIND_DESCRIPTIONS = {
    "jwt": "JWT, a token that anybody can read",
    "sd-jwt": "SD-JWT, a token that discloses claims one by one",
    "jwe": "JWE, an encrypted token that only its recipient can read",
    "opaque": "opaque, a token that only its server can read",
}
STATE_STYLES = {"valid": "green", "expired": "red", "not_yet_valid": "red", "unknown": "yellow"}
MAX_NAME_WIDTH = 24


def render_inspection(
    found: Inspection, now: float, *, profile: str | None = None, checks: CheckResults = NO_CHECKS
) -> str:
    """Return the page, ready for stdout."""
    return "".join(f"{line}\n" for line in _render_lines(found, now, profile, checks))


def _render_lines(
    found: Inspection, now: float, profile: str | None, checks: CheckResults
) -> Iterator[str]:
    yield _render_verification(checks)
    yield ""
    if profile is not None:
        yield _render_row("profile", profile)
    yield _render_row("kind", KIND_DESCRIPTIONS[found.kind])
    yield f"{'state':<10}{render_styled(found.describe_state(now), STATE_STYLES[found.state])}"
    if found.used_fraction is not None:
        whole = f" of {humanize_duration(found.lifetime)}" if found.lifetime is not None else ""
        yield f"{'life':<10}{render_bar(found.used_fraction)} {int(found.used_fraction * 100)} %{whole} used up"
    if found.scopes:
        yield _render_row("scopes", ", ".join(found.scopes))
    times = {moment.name: moment.as_text(now) for moment in found.times}
    yield from _render_object("header", found.header, {})
    yield from _render_object("claims", found.claims, times)
    if found.disclosures:
        yield "disclosures (not checked against the claims)"
        yield from (f"  {_render_value(each)}" for each in found.disclosures)
    yield from _render_object("introspection (by the server)", checks.introspection or {}, {})
    yield from _render_object("userinfo (by the server)", checks.userinfo or {}, {})
    if found.remarks:
        yield "remarks"
        yield from (f"  - {sanitize_text(remark)}" for remark in found.remarks)


def _render_verification(checks: CheckResults) -> str:
    proven = checks.verified
    if proven is not None:
        key = f" with its key {sanitize_text(_render_value(proven.kid))}" if proven.kid else ""
        whom = ", ".join(map(_render_value, proven.matched_audiences))
        return render_styled(
            f"VERIFIED: signed by the issuer{key} ({proven.alg}), for {whom}", "bold green"
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
    """Yield an object a member a line, aligned, each note in the same column as the others."""
    if not members:
        return
    yield title
    named = [
        (f"{_render_value(name)}:", name, _render_value(value)) for name, value in members.items()
    ]
    wide = min(MAX_NAME_WIDTH, max(len(quoted) for quoted, _, _ in named))
    for quoted, name, value in named:
        note = f"  {notes[name]}" if name in notes else ""
        yield f"  {quoted:<{wide}} {value}{note}"


def _render_value(value: object) -> str:
    return sanitize_text(json.dumps(value, ensure_ascii=False))

"""A token's inspection as a report for people and an object for `--json`.

Every line of the report starts with a fixed word, an indented quotation mark or a dash, never with text
from the token, so that a token can't imitate the program's own output.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import floor

from tokencli.commands.error_report import error_to_dict
from tokencli.commands.life_picture import draw_life
from tokencli.commands.tables import (
    Styled,
    measure_text,
    output_width,
    render_styled,
    render_table,
)
from tokencli.core.inspect import Inspection
from tokencli.core.token_checks import NO_CHECKS, CheckResults
from tokencli.formats.json import expiry_to_dict, time_to_dict
from tokencli.humanize import format_rfc3339, humanize_duration
from tokencli.jwt.decode import finite_number
from tokencli.jwt.explain import ClaimTime
from tokencli.jwt.lint import LintFinding
from tokencli.jwt.registered_claims import TIMES, describe_claim, describe_header_parameter
from tokencli.sanitize import sanitize_text


def inspection_to_dict(
    inspection: Inspection, now: float, checks: CheckResults = NO_CHECKS
) -> dict[str, object]:
    """Return an inspection as the object that `--json` prints; every key is always present."""
    expires_at, lifetime = inspection.expires_at, inspection.lifetime
    used, verified, audience = inspection.used_fraction, checks.verified, checks.audience
    problem = checks.verification_failure or (audience and audience.problem)
    return {
        "verified": verified is not None and problem is None,
        "verified_by": None if verified is None else {"alg": verified.alg, "kid": verified.kid},
        "not_verified_because": sanitize_text(problem) if problem else None,
        "signature_verified": verified is not None,
        "audience_check": None
        if audience is None
        else {"status": audience.status, "expected": audience.expected},
        "kind": inspection.kind,
        "state": inspection.state,
        "expired": inspection.state == "expired",
        "issuer": inspection.issuer,
        "subject": inspection.subject,
        "audience": inspection.audience,
        "client": inspection.client,
        "scopes": inspection.scopes,
        **expiry_to_dict(expires_at),
        "expires_in": None if expires_at is None else floor(expires_at - now),
        "lifetime": None if lifetime is None else _integer_if_whole(lifetime),
        "life_used": None if used is None else round(used, 4),
        **time_to_dict("refresh_due_at", inspection.life.refresh_due),
        **time_to_dict("refresh_token_expires_at", inspection.life.refresh_end),
        "refresh_token_expiry_is_estimate": inspection.life.is_refresh_end_estimated,
        "times": {
            moment.name: {
                "utc": format_rfc3339(moment.epoch),
                "epoch": _integer_if_whole(moment.epoch),
            }
            for moment in inspection.times
        },
        "header": inspection.header,
        "claims": inspection.claims,
        "disclosures": inspection.disclosures,
        "remarks": [sanitize_text(remark) for remark in inspection.remarks],
        "lint": [
            {
                "id": finding.id,
                "severity": finding.severity,
                "text": sanitize_text(finding.text),
                "source": finding.source,
            }
            for finding in inspection.findings
        ],
        "introspection": checks.introspection,
        "active": checks.is_active,
        "active_because": checks.activity and sanitize_text(checks.activity.reason),
        "userinfo": checks.userinfo,
        "failed_checks": {name: error_to_dict(error) for name, error in checks.errors.items()},
    }


def _integer_if_whole(seconds: float) -> float | int:
    return int(seconds) if seconds.is_integer() else seconds


KIND_DESCRIPTIONS = {
    "jwt": "JWT (not encrypted)",
    "sd-jwt": "SD-JWT (a JWT that discloses claims selectively)",
    "jwe": "JWE (encrypted; only its recipient can read it)",
    "opaque": "opaque (only its server can read it)",
}
STATE_STYLES = {"valid": "green", "expired": "red", "not_yet_valid": "red", "unknown": "magenta"}
MAX_NAME_WIDTH = 24
UNINFORMED_CLIENT_REMARK = (
    "a server may answer active: false if it doesn't tell this client about the token, as Keycloak"
    " does if aud doesn't contain the client"
)


def render_inspection(
    inspection: Inspection,
    now: float,
    *,
    profile: str | None = None,
    checks: CheckResults = NO_CHECKS,
    lint: bool = False,
) -> str:
    """Return an inspection as lines of text, with `lint` as well as a table of all findings."""
    lines = _render_lines(inspection, now, profile, checks, lint=lint)
    return "".join(f"{line}\n" for line in lines)


def _render_lines(
    inspection: Inspection, now: float, profile: str | None, checks: CheckResults, *, lint: bool
) -> Iterator[str]:
    yield _render_verification(checks)
    yield ""
    if profile is not None:
        yield render_row("profile", profile)
    if inspection.issuer is not None:
        yield render_row("issuer", inspection.issuer)
    if inspection.claims or checks.verified is not None:
        yield render_row("audience", _render_audience(inspection))
    if inspection.subject is not None:
        yield render_row("subject", inspection.subject)
    if inspection.client is not None:
        yield render_row("client", inspection.client)
    yield render_row("kind", KIND_DESCRIPTIONS[inspection.kind])
    style = STATE_STYLES[inspection.state]
    yield f"{'state':<10}{render_styled(inspection.describe_state(now), style)}"
    yield from render_lifetime(inspection, now)
    if checks.activity is not None:
        answer = "yes" if checks.activity.alive else "no"
        yield render_row("active", f"{answer}: {checks.activity.reason}")
    if inspection.scopes:
        yield render_row("scopes", ", ".join(inspection.scopes))

    def describe(name: str, value: object) -> str | None:
        return _describe_claim(name, value, now)

    yield from _render_object("header", inspection.header, describe_header_parameter)
    yield from _render_object("claims", inspection.claims, describe)
    if inspection.disclosures:
        yield "disclosures (not checked against the claims)"
        yield from (f"  {_render_value(disclosure)}" for disclosure in inspection.disclosures)
    yield from _render_object(
        "introspection (from the server)", checks.introspection or {}, describe
    )
    yield from _render_object("userinfo (from the server)", checks.userinfo or {}, describe)
    for check, error in checks.errors.items():
        yield f"{check} failed"
        yield f"  - {sanitize_text(error.message)}"
    in_table = {finding.text for finding in inspection.findings} if lint else set()
    remarks = [remark for remark in inspection.remarks if remark not in in_table]
    if checks.activity is not None and checks.activity.alive:
        remarks.append(UNINFORMED_CLIENT_REMARK)
    if remarks:
        yield "remarks"
        yield from (f"  - {sanitize_text(remark)}" for remark in remarks)
    if lint:
        yield from _render_findings(inspection.findings)


def render_lifetime(inspection: Inspection, now: float) -> Iterator[str]:
    """Yield how much of the lifetime is over, with a picture of it; nothing if that isn't known."""
    indent = 10 if output_width() >= 60 else 2
    style = STATE_STYLES[inspection.state]
    picture = draw_life(inspection.life, now, output_width() - indent, style)
    if not picture or inspection.used_fraction is None:
        return
    whole = "" if inspection.lifetime is None else f" of {humanize_duration(inspection.lifetime)}"
    yield render_row("lifetime", f"{int(inspection.used_fraction * 100)}%{whole} used")
    yield from (f"{'':<{indent}}{line}" for line in picture)


SEVERITY_STYLES = {"error": "red", "warning": "magenta", "note": ""}


def _render_findings(findings: Sequence[LintFinding]) -> Iterator[str]:
    """Yield a table of findings, the most severe first."""
    yield ""
    if not findings:
        yield "lint: no findings"
        return
    order = list(SEVERITY_STYLES)
    rows = [
        (Styled(each.severity, SEVERITY_STYLES[each.severity]), each.id, each.text, each.source)
        for each in sorted(findings, key=lambda finding: order.index(finding.severity))
    ]
    heads = ("LINT", "RULE", "FINDING", "SOURCE")
    yield render_table(heads, rows, optional=("RULE", "SOURCE")).removesuffix("\n")


def _render_verification(checks: CheckResults) -> str:
    verified, audience = checks.verified, checks.audience
    if verified is not None and audience is not None:
        key = f" with key {sanitize_text(_render_value(verified.kid))}" if verified.kid else ""
        signed = f"signed by the issuer{key} ({verified.alg})"
        if audience.problem is not None:
            return render_styled(
                f"WRONG AUDIENCE: {signed}, but {sanitize_text(audience.problem)}", "bold red"
            )
        if audience.status == "match":
            names = [name for name in audience.actual if name in audience.expected]
            return render_styled(
                f"VERIFIED: {signed}, for {', '.join(map(_render_value, names))}", "green"
            )
        return render_styled(
            f"VERIFIED: {signed}; the audience was not checked, because no expected audience is set",
            "green",
        )
    if checks.verification_failure is not None:
        return render_styled(
            f"NOT VERIFIED: {sanitize_text(checks.verification_failure)}", "bold red"
        )
    if "verify" in checks.errors:
        return render_styled("NOT VERIFIED: the check couldn't be run", "bold red")
    return render_styled(
        "NOT VERIFIED: the signature was not checked; this is what the token says", "bold"
    )


def _render_audience(inspection: Inspection) -> str:
    """Return who a token is for, or why that isn't known."""
    aud = inspection.claims.get("aud")
    if aud is None:
        return "none: the token has no aud"
    names = ", ".join(inspection.audience)
    return names or ("none: aud is empty" if aud in ([], "", [""]) else "none: aud is not text")


def render_row(label: str, text: str) -> str:
    """Return one line with a label; the text is sanitized."""
    return f"{label:<10}{sanitize_text(text)}"


def _describe_claim(name: str, value: object, now: float) -> str | None:
    """Return what a registered claim means, and if it is a time, when that is."""
    description = describe_claim(name, value)
    epoch = finite_number(value) if name in TIMES else None
    if epoch is None:
        return description
    return f"{description} {ClaimTime(name, epoch).as_text(now)}"


def _render_object(
    title: str,
    members: Mapping[str, object],
    describe: Callable[[str, object], str | None],
) -> Iterator[str]:
    """Yield an object with one aligned member per line, followed by its description if it has one.

    In a terminal that is too narrow for both, the description is on the next line.
    """
    if not members:
        return
    yield title
    named = [(f"{_render_value(name)}:", name, value) for name, value in members.items()]
    width = min(MAX_NAME_WIDTH, max(len(quoted) for quoted, _, _ in named))
    for quoted, name, value in named:
        line = f"  {quoted:<{width}} {_render_value(value)}"
        description = describe(name, value)
        if description is None:
            yield line
        elif measure_text(f"{line}  {description}") <= output_width():
            yield f"{line}  {description}"
        else:
            yield line
            yield f"      {description}"


def _render_value(value: object) -> str:
    return sanitize_text(json.dumps(value, ensure_ascii=False))

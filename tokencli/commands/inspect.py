"""`tokencli inspect`.

Every line of its text starts with a fixed word, an indented quotation mark or a dash, never with text
from the token, so that a token can't imitate the program's own output.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from math import floor
from shlex import quote
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    ProfileOption,
    common_options,
    select_profile_name,
)
from tokencli.commands.tables import render_bar, render_styled
from tokencli.core.inspect import Inspection, extract_pasted_token, inspect_token
from tokencli.core.stored_token import require_stored_token
from tokencli.core.token_checks import NO_CHECKS, CheckResults, RequestedChecks, run_checks
from tokencli.errors import CredentialsError, InvalidTokenError, UsageError
from tokencli.formats.json import dump_json_line, expiry_to_dict
from tokencli.humanize import format_rfc3339, humanize_duration
from tokencli.jwt.decode import decode_token
from tokencli.models import Profile, Secret, TokenSet
from tokencli.sanitize import sanitize_text

MAX_STDIN_BYTES = 1 << 17
"""More bytes than any token has, so that a longer input is recognized as too long."""
MAX_PROFILE_NAME_LENGTH = 64


@common_options()
def inspect(
    common: CommonOptions,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE | - | TOKEN",
            help="Profile whose stored token to inspect, - for a token on stdin, or a token.",
        ),
    ] = None,
    profile_option: ProfileOption = None,
    json_output: JsonOption = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Verify the signature with the keys of the profile's issuer."
        ),
    ] = False,
    audience: Annotated[
        list[str] | None,
        typer.Option(
            "--audience", metavar="AUD", help="For --verify: an accepted audience; repeatable."
        ),
    ] = None,
    introspect: Annotated[
        bool, typer.Option("--introspect", help="Ask the server about the token (RFC 7662).")
    ] = False,
    userinfo: Annotated[
        bool, typer.Option("--userinfo", help="Ask the server which user signed in.")
    ] = False,
    id_token: Annotated[
        bool,
        typer.Option(
            "--id-token", help="Inspect the profile's ID token instead of its access token."
        ),
    ] = False,
) -> None:
    """Decode and explain a token.

    Shows its kind, state, remaining lifetime, claims and scopes. Nothing is sent, and the signature
    is not verified, unless you ask for it with --verify, --introspect or --userinfo; for a token
    given directly these also need --profile. The exit code is 9 if the token has expired, is not
    valid yet, is not a token, or fails verification.

    \b
    tokencli inspect groupid
    pbpaste | tokencli inspect -
    tokencli inspect groupid --json
    tokencli inspect corp --verify --introspect --userinfo
    """
    app = App(common)
    requested = RequestedChecks(verify, introspect, userinfo, audience or ())
    stored: TokenSet | None = None
    profile: Profile | None = None
    if what is None or not (what == "-" or _is_token(what, app)):
        profile = app.get_profile(select_profile_name(what, profile_option))
        stored = require_stored_token(profile, app)
        token = (_require_id_token(profile, stored) if id_token else stored.access_token).reveal()
    elif profile_option is not None and not requested.any_requested:
        raise UsageError(
            "give a token or a profile, not both",
            cause="--profile can be combined with a token only for --verify, --introspect or --userinfo",
        )
    elif what == "-":
        token = extract_pasted_token(_read_token_from_stdin(app))
    else:
        token = extract_pasted_token(what)
    now = app.clock.now()
    inspection = inspect_token(token, now=now, stored=None if id_token else stored)
    checks = NO_CHECKS
    if requested.any_requested:
        profile = profile or app.get_profile(profile_option)
        checks = run_checks(profile, app, token, stored, requested)
    name = profile.name if profile is not None and stored is not None else None
    if stored is None and what != "-":
        app.terminal.print_note(
            "the token is now in your shell's history; next time use: tokencli inspect -"
        )
    if json_output:
        output.write_stdout(
            dump_json_line({"profile": name, **inspection_to_dict(inspection, now, checks)})
        )
    else:
        output.write_stdout(render_inspection(inspection, now, profile=name, checks=checks))
    if checks.rejection_reason is not None:
        raise InvalidTokenError(f"verification failed: {checks.rejection_reason}")
    if inspection.state in ("expired", "not_yet_valid"):
        cause, fix = inspection.explain_not_yet_valid(now)
        raise InvalidTokenError(
            f"the token {inspection.describe_state(now)}",
            cause=cause,
            fix=fix or (f"tokencli refresh {name}" if name else None),
        )


def _require_id_token(profile: Profile, stored: TokenSet) -> Secret:
    if stored.id_token is None:
        scope = profile.scope or ""
        setting = quote(f"scope=openid {scope}".rstrip())
        raise CredentialsError(
            f"no ID token is stored for profile {profile.name!r}",
            cause='a server issues one only for the scope "openid"',
            fix=None
            if "openid" in scope.split()
            else f"tokencli profiles edit {profile.name} --set {setting}",
        )
    return stored.id_token


def _is_token(what: str, app: App) -> bool:
    """Tell whether the argument is a token; if it could be both, an existing profile wins.

    Profile names have 1 to 64 characters and no space, so the configuration is read only in doubt.
    """
    if not what or len(what) > MAX_PROFILE_NAME_LENGTH or " " in what:
        return True
    return decode_token(what).kind != "opaque" and what not in app.config.profile_names()


def _read_token_from_stdin(app: App) -> str:
    if sys.stdin is None:
        raise UsageError("can't read a token: stdin is closed")
    if app.terminal.interactive:
        app.terminal.print_note("paste the token, then press Enter and Ctrl-D")
    return sys.stdin.buffer.read(MAX_STDIN_BYTES).decode("utf-8", "replace")


def inspection_to_dict(
    inspection: Inspection, now: float, checks: CheckResults = NO_CHECKS
) -> dict[str, object]:
    """Return an inspection as the object that `--json` prints; every key is always present."""
    expires_at, lifetime = inspection.expires_at, inspection.lifetime
    used, verified = inspection.used_fraction, checks.verified
    return {
        "verified": verified is not None,
        "verified_by": None if verified is None else {"alg": verified.alg, "kid": verified.kid},
        "not_verified_because": checks.verification_failure
        and sanitize_text(checks.verification_failure),
        "kind": inspection.kind,
        "state": inspection.state,
        "expired": inspection.state == "expired",
        "issuer": inspection.issuer,
        "subject": inspection.subject,
        "audience": inspection.audience,
        "scopes": inspection.scopes,
        **expiry_to_dict(expires_at),
        "expires_in": None if expires_at is None else floor(expires_at - now),
        "lifetime": None if lifetime is None else _integer_if_whole(lifetime),
        "life_used": None if used is None else round(used, 4),
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
        "introspection": checks.introspection,
        "userinfo": checks.userinfo,
    }


def _integer_if_whole(seconds: float) -> float | int:
    return int(seconds) if seconds.is_integer() else seconds


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

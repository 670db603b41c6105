"""`tokencli inspect`."""

import sys
from math import floor
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
from tokencli.core.inspect import (
    NO_CHECKS,
    CheckResults,
    Inspection,
    RequestedChecks,
    extract_pasted_token,
    inspect_token,
    run_checks,
)
from tokencli.core.stored_token import require_stored_token
from tokencli.errors import CredentialsError, InvalidTokenError, UsageError
from tokencli.formats.json import dump_json_line
from tokencli.humanize import format_rfc3339
from tokencli.jwt.decode import decode_token
from tokencli.models import Profile, Secret, TokenSet
from tokencli.sanitize import sanitize_text

MAX_STDIN_BYTES = 1 << 17
"""Bytes read from stdin: more than any token, so that a longer one is told from a whole one."""
MAX_PROFILE_NAME_LENGTH = 64
"""Characters of a profile's name."""


@common_options()
def inspect(
    common: CommonOptions,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE | - | TOKEN",
            help="A profile's stored token, `-` for one on stdin, or the token itself.",
        ),
    ] = None,
    profile_option: ProfileOption = None,
    json_output: JsonOption = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check the signature with the keys of the profile's issuer."),
    ] = False,
    audience: Annotated[
        list[str] | None,
        typer.Option("--audience", metavar="AUD", help="For --verify: whom the token may be for."),
    ] = None,
    introspect: Annotated[
        bool, typer.Option("--introspect", help="Ask the server what it knows of the token.")
    ] = False,
    userinfo: Annotated[
        bool, typer.Option("--userinfo", help="Ask the server who signed in.")
    ] = False,
    id_token: Annotated[
        bool,
        typer.Option("--id-token", help="The profile's ID token, instead of its access token."),
    ] = False,
) -> None:
    """Decode and explain a token: what it is, what it says, how much of its life is used up.

    The signature is not checked, and nothing is fetched, unless that is asked for; a pasted token
    wants --profile then. Exit code 9 if the token has expired, is not valid yet, is none, or is not
    what it says.

    \b
    tokencli inspect groupid
    pbpaste | tokencli inspect -
    tokencli inspect groupid --json
    tokencli inspect corp --verify --introspect --userinfo
    """
    app = App(common)
    wanted = RequestedChecks(verify, introspect, userinfo, audience or ())
    stored: TokenSet | None = None
    profile: Profile | None = None
    if what is None or not (what == "-" or _is_token(what, app)):
        profile = app.get_profile(select_profile_name(what, profile_option))
        stored = require_stored_token(profile, app)
        token = (_require_id_token(profile, stored) if id_token else stored.access_token).reveal()
    elif profile_option is not None and not wanted.any_requested:
        raise UsageError("a token and a profile are named: one of them, please")
    elif what == "-":
        token = extract_pasted_token(_read_token_from_stdin(app))
    else:
        token = extract_pasted_token(what)
    now = app.clock.now()
    found = inspect_token(token, now=now, stored=None if id_token else stored)
    checks = NO_CHECKS
    if wanted.any_requested:
        profile = profile or app.get_profile(profile_option)
        checks = run_checks(profile, app, token, stored, wanted)
    name = profile.name if profile is not None and stored is not None else None
    if stored is None and what != "-":
        app.terminal.print_note(
            "this token now stands in your shell's history; next time: tokencli inspect -"
        )
    if json_output:
        output.write_stdout(
            dump_json_line({"profile": name, **inspection_to_dict(found, now, checks)})
        )
    else:
        from tokencli.commands.inspect_view import render_inspection

        output.write_stdout(render_inspection(found, now, profile=name, checks=checks))
    if checks.rejection_reason is not None:
        raise InvalidTokenError(f"the token is not to be believed: {checks.rejection_reason}")
    if found.state in ("expired", "not_yet_valid"):
        cause, fix = found.explain_not_yet_valid(now)
        raise InvalidTokenError(
            f"the token {found.describe_state(now)}",
            cause=cause,
            fix=fix or (f"tokencli refresh {name}" if name else None),
        )


def _require_id_token(profile: Profile, stored: TokenSet) -> Secret:
    if stored.id_token is None:
        raise CredentialsError(
            f"no ID token is stored for profile {profile.name!r}",
            fix='the scope "openid" asks for one: tokencli profiles edit',
        )
    return stored.id_token


def _is_token(what: str, app: App) -> bool:
    """Tell a pasted token from a profile's name; a profile that exists wins.

    A name has 1 to 64 characters and no space, so the configuration is read only where in doubt.
    """
    if not what or len(what) > MAX_PROFILE_NAME_LENGTH or " " in what:
        return True
    return decode_token(what).kind != "opaque" and what not in app.config.profile_names()


def _read_token_from_stdin(app: App) -> str:
    if sys.stdin is None:
        raise UsageError("stdin is closed, so there is no token on it", fix="tokencli inspect -")
    if app.terminal.interactive:
        app.terminal.print_note("paste the token, then press Enter and Ctrl-D")
    return sys.stdin.buffer.read(MAX_STDIN_BYTES).decode("utf-8", "replace")


def inspection_to_dict(
    found: Inspection, now: float, checks: CheckResults = NO_CHECKS
) -> dict[str, object]:
    """Return an inspection as the object that `--json` prints; its keys are always all there."""
    ends, proven = found.expires_at, checks.verified
    return {
        "verified": proven is not None,
        "verified_by": None if proven is None else {"alg": proven.alg, "kid": proven.kid},
        "not_verified_because": checks.verification_failure
        and sanitize_text(checks.verification_failure),
        "kind": found.kind,
        "state": found.state,
        "expired": found.state == "expired",
        "issuer": found.issuer,
        "subject": found.subject,
        "audience": found.audience,
        "scopes": found.scopes,
        "expires_at": None if ends is None else format_rfc3339(ends),
        "expires_at_epoch": None if ends is None else floor(ends),
        "expires_in": None if ends is None else floor(ends - now),
        "lifetime": None if found.lifetime is None else _integer_if_whole(found.lifetime),
        "life_used": None if found.used_fraction is None else round(found.used_fraction, 4),
        "times": {
            moment.name: {
                "utc": format_rfc3339(moment.epoch),
                "epoch": _integer_if_whole(moment.epoch),
            }
            for moment in found.times
        },
        "header": found.header,
        "claims": found.claims,
        "disclosures": found.disclosures,
        "remarks": [sanitize_text(remark) for remark in found.remarks],
        "introspection": checks.introspection,
        "userinfo": checks.userinfo,
    }


def _integer_if_whole(seconds: float) -> float | int:
    return int(seconds) if seconds.is_integer() else seconds

"""`tokencli inspect`."""

import sys
from math import floor
from typing import Annotated

import typer

from tokencli.actions.checks import UNCHECKED, Checks, Wanted, check
from tokencli.actions.inspect import Inspection
from tokencli.app import App, Settings
from tokencli.cli import stdout
from tokencli.cli.options import (
    ConfigOption,
    JsonOption,
    NoInputOption,
    ProfileOption,
    QuietOption,
    TimeoutOption,
    VerboseOption,
    one_profile,
)
from tokencli.errors import CredentialsError, TokenInvalid, UsageError
from tokencli.formats.json import line
from tokencli.jwt.decode import decode
from tokencli.jwt.times import rfc3339
from tokencli.model import Profile, Secret, TokenSet
from tokencli.printable import printable

MOST = 1 << 17
"""Bytes read from stdin: more than any token, so that a longer one is told from a whole one."""
LONGEST_NAME = 64
"""Characters of a profile's name."""


def inspect(
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
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
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
    from tokencli.actions import inspect as action

    app = App(
        Settings(config=config, timeout=timeout, no_input=no_input, quiet=quiet, verbose=verbose)
    )
    wanted = Wanted(verify, introspect, userinfo, audience or ())
    stored: TokenSet | None = None
    profile: Profile | None = None
    if what is None or not (what == "-" or _is_token(what, app)):
        profile = app.profile(one_profile(what, profile_option))
        stored = action.stored_token(profile, app)
        token = (_id_token(profile, stored) if id_token else stored.access_token).reveal()
    elif profile_option is not None and not wanted.any:
        raise UsageError("a token and a profile are named: one of them, please")
    elif what == "-":
        token = action.clean(_stdin(app))
    else:
        token = action.clean(what)
    now = app.clock.now()
    found = action.inspect(token, now=now, stored=None if id_token else stored)
    checks = UNCHECKED
    if wanted.any:
        profile = profile or app.profile(profile_option)
        checks = check(profile, app, token, stored, wanted)
    name = profile.name if profile is not None and stored is not None else None
    if stored is None and what != "-":
        app.terminal.note(
            "this token now stands in your shell's history; next time: tokencli inspect -"
        )
    if json_output:
        stdout.emit(line({"profile": name, **as_object(found, now, checks)}))
    else:
        from tokencli.cli.inspected import page

        stdout.emit(page(found, now, profile=name, checks=checks))
    if checks.refuted is not None:
        raise TokenInvalid(f"the token is not to be believed: {checks.refuted}")
    if found.state in ("expired", "not_yet_valid"):
        raise TokenInvalid(
            f"the token {found.verdict(now)}",
            hint=found.early(now) or (f"tokencli refresh {name}" if name else None),
        )


def _id_token(profile: Profile, stored: TokenSet) -> Secret:
    if stored.id_token is None:
        raise CredentialsError(
            f"no ID token is stored for profile {profile.name!r}",
            hint='the scope "openid" asks for one: tokencli profiles edit',
        )
    return stored.id_token


def _is_token(what: str, app: App) -> bool:
    """Tell a pasted token from a profile's name; a profile that exists wins.

    A name has 1 to 64 characters and no space, so the configuration is read only where in doubt.
    """
    if not what or len(what) > LONGEST_NAME or " " in what:
        return True
    return decode(what).kind != "opaque" and what not in app.config.names()


def _stdin(app: App) -> str:
    if sys.stdin is None:
        raise UsageError("stdin is closed, so there is no token on it", hint="tokencli inspect -")
    if app.terminal.interactive:
        app.terminal.note("paste the token, then press Enter and Ctrl-D")
    return sys.stdin.buffer.read(MOST).decode("utf-8", "replace")


def as_object(found: Inspection, now: float, checks: Checks = UNCHECKED) -> dict[str, object]:
    """Return an inspection as the object that `--json` prints; its keys are always all there."""
    ends, proven = found.expires_at, checks.verified
    return {
        "verified": proven is not None,
        "verified_by": None if proven is None else {"alg": proven.alg, "kid": proven.kid},
        "not_verified_because": checks.not_verified and printable(checks.not_verified),
        "kind": found.kind,
        "state": found.state,
        "expired": found.state == "expired",
        "issuer": found.issuer,
        "subject": found.subject,
        "audience": found.audience,
        "scopes": found.scopes,
        "expires_at": None if ends is None else rfc3339(ends),
        "expires_at_epoch": None if ends is None else floor(ends),
        "expires_in": None if ends is None else floor(ends - now),
        "lifetime": None if found.lifetime is None else _whole(found.lifetime),
        "life_used": None if found.used is None else round(found.used, 4),
        "times": {
            moment.name: {"utc": rfc3339(moment.epoch), "epoch": _whole(moment.epoch)}
            for moment in found.times
        },
        "header": found.header,
        "claims": found.claims,
        "disclosures": found.disclosures,
        "remarks": [printable(remark) for remark in found.remarks],
        "introspection": checks.introspection,
        "userinfo": checks.userinfo,
    }


def _whole(seconds: float) -> float | int:
    return int(seconds) if seconds.is_integer() else seconds

"""`tokencli inspect`: find the token, check it, print the report, and choose the exit code."""

import os
import re
import stat
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from shlex import quote
from threading import Event, Thread
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.error_report import report_error
from tokencli.commands.inspection_view import inspection_to_dict, render_inspection
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    ProfileOption,
    common_options,
    select_profile_name,
)
from tokencli.core.inspect import Inspection, inspect_token
from tokencli.core.pasted_token import PastedToken, decode_input, find_pasted_token
from tokencli.core.secret_resolver import source_interaction
from tokencli.core.stored_token import require_stored_token
from tokencli.core.token_checks import NO_CHECKS, CheckResults, RequestedChecks, run_checks
from tokencli.errors import (
    ConfigError,
    CredentialsError,
    InvalidTokenError,
    TokencliError,
    UsageError,
)
from tokencli.formats.json import dump_json_line
from tokencli.humanize import describe_clock
from tokencli.jwt.decode import decode_token
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants import is_interactive
from tokencli.providers.validation.values import PROFILE_NAME_PATTERN
from tokencli.system.clock import ServerClock

MAX_INPUT_BYTES = 1 << 18
"""More bytes than any token has, even in UTF-16, so that a longer one is recognized as too long."""
STDIN_NOTE_S = 1.0
STDIN_TIMEOUT_S = 10.0
"""Seconds to wait for the first byte on a stdin that is a pipe."""
_PATH_START = re.compile(r"(?:~?|\.\.?)/\S*$|[A-Za-z]:\\")
"""What starts like this is the name of a file, even if there is none."""


@common_options()
def inspect(
    common: CommonOptions,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE | FILE | - | TOKEN",
            help="Profile whose stored token to inspect, a file, - for stdin, or a token.",
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
            "--audience",
            metavar="AUD",
            help="For --verify: an accepted audience, instead of the profile's; repeatable.",
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
        typer.Option("--id-token", help="Inspect the ID token instead of the access token."),
    ] = False,
    lint: Annotated[
        bool,
        typer.Option(
            "--lint", help="List everything that is wrong or risky about the token by itself."
        ),
    ] = False,
) -> None:
    """Decode and explain a token.

    Shows its kind, state, remaining lifetime, claims and scopes. Nothing is sent, and the signature
    is not verified, unless you ask for it with --verify, --introspect or --userinfo; for a token
    given directly these also need --profile. A token on stdin or in a file may be in a header, an
    assignment, a JSON reply or a URL. Without an argument, a token on stdin is inspected if there
    is one. The exit code is 9 if the token has expired, is not valid yet, is not a token, fails
    verification, or with --lint, if there is an error or a warning.

    \b
    tokencli inspect groupid
    pbpaste | tokencli inspect
    tokencli inspect groupid --json
    tokencli inspect corp --verify --introspect --userinfo
    tokencli inspect corp --lint
    """
    app = App(common)
    requested = RequestedChecks(verify, introspect, userinfo, audience or (), id_token)
    stored: TokenSet | None = None
    profile: Profile | None = None
    pasted = _read_pasted_text(what, profile_option, app, requested)
    if pasted is None:
        profile = app.get_profile(select_profile_name(what, profile_option))
        stored = require_stored_token(
            profile, app, will_be_sent=introspect or userinfo, id_token=id_token
        )
        now = app.clock.now()
        skew = now - stored.server_time(now)
        if skew:
            app.clock = ServerClock(skew)
        stored = stored.in_server_time()
        token = PastedToken(
            (_require_id_token(profile, stored) if id_token else stored.access_token).reveal(),
            (f"its expiry is judged {describe_clock(skew)}",) if skew else (),
        )
    else:
        if profile_option is not None and not (requested.any_requested or lint):
            raise UsageError(
                "give a token or a profile, not both",
                cause="--profile can be combined with a token only for --verify, --introspect,"
                " --userinfo or --lint",
            )
        if profile_option is not None:
            profile = app.get_profile(profile_option)
        token = pasted
    now = app.clock.now()
    try:
        if pasted is not None:
            found = find_pasted_token(
                pasted.token, prefer="id_token" if id_token else "access_token"
            )
            token = PastedToken(found.token, (*pasted.remarks, *found.remarks))
        inspection = inspect_token(
            token.token,
            now=now,
            stored=None if id_token else stored,
            remarks=token.remarks,
            profile=None if id_token else profile,
        )
    except InvalidTokenError as error:
        if pasted is not None and what is None:
            error.cause = "stdin was read, because no profile, file or token was given"
        raise
    if stored is not None:
        now = stored.server_time(now)
    checks = NO_CHECKS
    if requested.any_requested:
        profile = profile or app.get_profile(profile_option)
        checks = run_checks(profile, app, token.token, stored, requested)
    name = profile.name if profile is not None and stored is not None else None
    if pasted is not None and pasted.token == what:
        app.terminal.print_note(
            "the token is now in your shell's history; next time use: tokencli inspect -"
        )
    if json_output:
        output.write_stdout(
            dump_json_line({"profile": name, **inspection_to_dict(inspection, now, checks)})
        )
    else:
        output.write_stdout(
            render_inspection(inspection, now, profile=name, checks=checks, lint=lint)
        )
    _raise_verdict(inspection, checks, now, name, lint=lint, json_output=json_output)


def _raise_verdict(
    inspection: Inspection,
    checks: CheckResults,
    now: float,
    profile: str | None,
    *,
    lint: bool,
    json_output: bool,
) -> None:
    """Raise the most important error, if there is one, and report the others.

    What is wrong with the token comes before a check that couldn't be run. With `--json` there is
    one object on stderr, and the other errors are in the one on stdout.
    """
    errors: list[TokencliError] = []
    if inspection.damage is not None:
        errors.append(InvalidTokenError(f"not a token: {inspection.damage}"))
    rejections = checks.list_rejections()
    if not rejections and inspection.state in ("expired", "not_yet_valid"):
        rejections.append((f"the token {inspection.describe_state(now)}", True))
    for text, is_replaceable in rejections:
        cause = fix = None
        if is_replaceable:
            cause, fix = inspection.explain_clock(now)
            if inspection.state != "not_yet_valid" and profile is not None and cause is None:
                fix = f"tokencli refresh {profile}"
        errors.append(InvalidTokenError(text, cause=cause, fix=fix))
    if lint and (text := _count_findings(inspection)):
        errors.append(InvalidTokenError(text))
    errors += checks.errors.values()
    if not errors:
        return
    if not json_output:
        for error in errors[1:]:
            report_error(error)
    raise errors[0]


def _count_findings(inspection: Inspection) -> str:
    """Return how many errors and warnings there are, as a sentence; empty if there are none."""
    severities = [finding.severity for finding in inspection.findings]
    counts = [
        f"{count} {severity}{'' if count == 1 else 's'}"
        for severity in ("error", "warning")
        if (count := severities.count(severity))
    ]
    return f"lint found {' and '.join(counts)}" if counts else ""


def _require_id_token(profile: Profile, stored: TokenSet) -> Secret:
    if stored.id_token is None:
        scope = profile.scope or ""
        setting = quote(f"scope=openid {scope}".rstrip())
        fix: str | None = f"tokencli profiles edit {profile.name} --set {setting}"
        cause = 'a server issues one only for the scope "openid"'
        if "openid" in scope.split():
            fix = None
            cause = "the server sent none, although the profile's scope contains openid"
        if stored.refresh_token is not None:  # a refresh drops an ID token that has expired
            cause += "; or it has expired, and a refresh brought no other"
            if fix is None and is_interactive(profile.grant):
                fix = f"tokencli login {profile.command_line_name}"
        raise CredentialsError(
            f"no ID token is stored for profile {profile.name!r}", cause=cause, fix=fix
        )
    return stored.id_token


def _read_pasted_text(
    what: str | None, profile_name: str | None, app: App, checks: RequestedChecks
) -> PastedToken | None:
    """Return the text of stdin, of a file, or of the argument; None if a profile is meant.

    A profile comes before a file of the same name, and an existing file before a token.
    """
    if what is None:
        if profile_name is not None or (checks.introspect and _reads_secret_from_stdin(app)):
            return None
        raw = _read_piped_stdin(app)
        return decode_input(raw) if raw else None
    if what == "-":
        return decode_input(_read_stdin(app))
    if not _is_existing_path(what):
        if _PATH_START.match(what):
            raise UsageError(f"can't read the file {what!r}: it doesn't exist")
        if not re.fullmatch(PROFILE_NAME_PATTERN, what) or decode_token(what).kind != "opaque":
            return None if what in _profile_names(app) else PastedToken(what)
        return None
    if what in _profile_names(app):
        return None
    try:
        with Path(what).open("rb") as file:
            return decode_input(file.read(MAX_INPUT_BYTES))
    except OSError as error:
        raise UsageError(f"can't read the file {what!r}: {error.strerror}") from None


def _is_existing_path(what: str) -> bool:
    try:
        return bool(what) and Path(what).exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def _profile_names(app: App) -> Collection[str]:
    """Return the names of the profiles; none if the configuration can't be read."""
    try:
        return app.config.profile_names()
    except ConfigError:
        return ()


def _reads_secret_from_stdin(app: App) -> bool:
    secrets = app.get_profile(None).secrets.values()
    return any(source_interaction(secret, app) == "stdin" for secret in secrets)


def _read_stdin(app: App) -> bytes:
    if sys.stdin is None:
        raise UsageError("can't read a token: stdin is closed")
    if app.terminal.interactive:
        app.terminal.print_note("paste the token, then press Enter and Ctrl-D")
    return sys.stdin.buffer.read(MAX_INPUT_BYTES)


def _read_piped_stdin(app: App) -> bytes | None:
    """Return the content of stdin if it is a file or a pipe; None if nothing is there.

    An inherited pipe may stay open without ever bringing anything, so the wait for the first byte
    is limited. It takes a thread, because Windows has no `select` for pipes.
    """
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (AttributeError, ValueError, OSError):  # closed
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    content = bytearray()
    arrived = Event()

    def read() -> None:
        with suppress(OSError):
            while len(content) < MAX_INPUT_BYTES and (piece := os.read(descriptor, 1 << 16)):
                content.extend(piece)
                arrived.set()
        arrived.set()

    reader = Thread(target=read, daemon=True)
    reader.start()
    if not arrived.wait(STDIN_NOTE_S):
        app.terminal.print_note(
            f"waiting up to {STDIN_TIMEOUT_S:.0f} seconds for a token, because stdin is an open pipe;"
            " to inspect a stored one, name its profile"
        )
        if not arrived.wait(STDIN_TIMEOUT_S - STDIN_NOTE_S):
            app.terminal.print_warning(
                "nothing arrived on stdin, so the default profile is inspected"
            )
            return None
    reader.join()
    return bytes(content[:MAX_INPUT_BYTES])

"""`tokencli inspect`: find the token, check it, print the report, and choose the exit code."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.error_report import report_error
from tokencli.commands.inspect_diff import SUBCOMMAND, print_diff
from tokencli.commands.inspect_watch import watch_token
from tokencli.commands.inspection_view import inspection_to_dict, render_inspection
from tokencli.commands.live_view import require_live_terminal
from tokencli.commands.options import CommonOptions, JsonOption, ProfileOption, common_options
from tokencli.commands.token_input import load_token
from tokencli.core.inspect import Inspection
from tokencli.core.token_checks import NO_CHECKS, CheckResults, RequestedChecks, run_checks
from tokencli.errors import InvalidTokenError, TokencliError, UsageError
from tokencli.formats.json import dump_json_line
from tokencli.system.clock import ServerClock


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
    others: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
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
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show a countdown to the expiry, until Ctrl-C."),
    ] = False,
) -> int:
    """Decode and explain a token.

    Shows its kind, state, remaining lifetime, claims and scopes. Nothing is sent, and the signature
    is not verified, unless you ask for it with --verify, --introspect or --userinfo; for a token
    given directly these also need --profile. A token on stdin or in a file may be in a header, an
    assignment, a JSON reply or a URL. Without an argument, a token on stdin is inspected if there
    is one. The exit code is 9 if the token has expired, is not valid yet, is not a token, fails
    verification, or with --lint, if there is an error or a warning.

    `tokencli inspect diff A B` compares two tokens: profiles, files, - for stdin, or tokens. With one
    profile, it compares the stored token with the one before, as far as the event log knows that.

    \b
    tokencli inspect groupid
    pbpaste | tokencli inspect
    tokencli inspect groupid --json
    tokencli inspect corp --verify --introspect --userinfo
    tokencli inspect corp --lint
    tokencli inspect diff staging production
    """
    app = App(common)
    if others:
        if what != SUBCOMMAND:
            raise UsageError(
                "inspect takes one token; to compare two, put the word diff before them",
                fix="tokencli inspect --help",
            )
        if verify or introspect or userinfo or audience or lint or watch or profile_option:
            raise UsageError("diff has no other options than --id-token and --json")
        print_diff(others, app, id_token=id_token, json_output=json_output)
        return 0
    requested = RequestedChecks(verify, introspect, userinfo, audience or (), id_token)
    if watch and (json_output or lint or requested.any_requested):
        raise UsageError("--watch can't be combined with --json, --lint or checks")
    loaded = load_token(what, profile_option, app, requested, may_compare=lint)
    if watch:
        name = loaded.stored_for
        require_live_terminal(None if name is None else f"tokencli inspect {name}")
        return watch_token(loaded, app, requested)
    if loaded.clock_skew:
        app.clock = ServerClock(loaded.clock_skew)
    checks = NO_CHECKS
    if requested.any_requested:
        profile = loaded.profile or app.get_profile(profile_option)
        checks = run_checks(profile, app, loaded.token.reveal(), loaded.stored, requested)
    inspection, now, name = loaded.inspection, loaded.now, loaded.stored_for
    if loaded.is_argument:
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
    return 0


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

"""`tokencli refresh`."""

from math import floor
from typing import Annotated

import typer

from tokencli.app import App, Settings
from tokencli.cli import stdout
from tokencli.cli.boundary import as_object, report
from tokencli.cli.options import (
    ConfigOption,
    JsonOption,
    LockTimeoutOption,
    NoInputOption,
    ProfileArgument,
    ProfileOption,
    QuietOption,
    ScopeOption,
    TimeoutOption,
    VerboseOption,
    one_profile,
)
from tokencli.cli.plain import caution, way
from tokencli.errors import TokencliError, UsageError


def refresh(
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    all_profiles: Annotated[
        bool, typer.Option("--all", help="Every profile of the configuration, one after the other.")
    ] = False,
    json_output: JsonOption = False,
    scope: ScopeOption = None,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    lock_timeout: LockTimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Get a new token now.

    By refresh token where there is one, else by the grant.

    Prints the token; stderr says which way it came. With --all nothing but the report is printed,
    and the exit code is that of the first failure.

    \b
    tokencli refresh groupid
    tokencli refresh --all
    """
    from tokencli.actions.refresh import refresh as renew
    from tokencli.actions.use import beside
    from tokencli.formats import AS_USED, render_token

    app = App(Settings(config, timeout, lock_timeout, no_input, quiet, verbose))
    if all_profiles:
        if profile or profile_option or scope:
            raise UsageError(
                "--all goes with no profile and no --scope", hint="tokencli refresh --all"
            )
        _all(app, json_output=json_output)
        return
    chosen = app.profile(one_profile(profile, profile_option), scope=scope)
    obtained = renew(chosen, app)
    app.terminal.note(f"{chosen.name}: {way(obtained.how)}")
    wanted = "json" if json_output else "raw"
    extra = beside(chosen, app) if wanted in AS_USED else None
    stdout.emit(render_token(wanted, chosen, obtained.token, app.clock.now(), extra))
    caution(app, chosen)
    if obtained.unsaved is not None:
        raise obtained.unsaved


def _all(app: App, *, json_output: bool) -> None:
    from tokencli.actions.refresh import refresh_all
    from tokencli.formats.json import line
    from tokencli.jwt.times import rfc3339

    names = app.config.names()
    if not names:
        raise app.config.none_yet()
    first: TokencliError | None = None
    rows: list[dict[str, object]] = []
    for outcome in refresh_all(names, app.profile, app):
        obtained = outcome.obtained
        error = outcome.error or (obtained.unsaved if obtained else None)
        first = first or error
        row: dict[str, object] = {"name": outcome.profile}
        if obtained is not None:
            app.terminal.note(f"{outcome.profile}: {way(obtained.how)}")
            ends = obtained.token.expires_at
            row |= {
                "how": obtained.how,
                "expires_at": None if ends is None else rfc3339(ends),
                "expires_at_epoch": None if ends is None else floor(ends),
            }
        if error is not None:
            row["error"] = as_object(error)
            if not json_output:
                app.terminal.warn(f"{outcome.profile}:")
                report(error)
        rows.append(row)
    if json_output:
        stdout.emit(line({"profiles": rows}))
    if first is not None:
        raise typer.Exit(first.exit_code)

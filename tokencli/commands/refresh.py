"""`tokencli refresh`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.error_report import error_to_dict, report_error
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    select_profile_name,
)
from tokencli.commands.token_output import describe_refresh, print_refreshed_token
from tokencli.core.get_token import get_token
from tokencli.errors import TokencliError, UsageError
from tokencli.formats.json import dump_json_line, expiry_to_dict


@common_options(lock_timeout=True)
def refresh(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    all_profiles: Annotated[
        bool, typer.Option("--all", help="Refresh every profile, one after the other.")
    ] = False,
    json_output: JsonOption = False,
    scope: ScopeOption = None,
) -> None:
    """Get a new token now, even if the stored one is fresh.

    The refresh token is used if there is one, otherwise the profile's grant. The token goes to
    stdout; stderr says how it was obtained. With --all no tokens are printed, and the exit code is
    that of the first failure.

    \b
    tokencli refresh groupid
    tokencli refresh --all
    """
    app = App(common)
    if not all_profiles:
        print_refreshed_token(
            app,
            select_profile_name(profile, profile_option),
            format_name="json" if json_output else "raw",
            scope=scope,
        )
    elif (profile, profile_option, scope) != (None, None, None):
        raise UsageError(
            "--all can't be combined with a profile or --scope", fix="tokencli refresh --all"
        )
    else:
        _refresh_all_profiles(app, json_output=json_output)


def _refresh_all_profiles(app: App, *, json_output: bool) -> None:
    names = app.config.profile_names()
    if not names:
        raise app.config.no_profile_error()
    first_error: TokencliError | None = None
    rows: list[dict[str, object]] = []
    for name in names:
        row: dict[str, object] = {"name": name}
        error: TokencliError | None
        try:
            result = get_token(app.get_profile(name), app, force=True, unless_sticky=True)
        except TokencliError as failure:
            error = failure
        else:
            error = result.save_error
            app.terminal.print_note(f"{name}: {describe_refresh(result)}")
            row |= {"how": result.source, **expiry_to_dict(result.token.known_expiry)}
        first_error = first_error or error
        if error is not None:
            row["error"] = error_to_dict(error)
            if not json_output:
                app.terminal.print_warning(f"{name}: not refreshed")
                report_error(error)
        rows.append(row)
    if json_output:
        output.write_stdout(dump_json_line({"profiles": rows}))
    if first_error is not None:
        raise typer.Exit(first_error.exit_code)

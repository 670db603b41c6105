"""`tokencli refresh`."""

from math import floor
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.fast_commands import describe_renewal, warn_if_dpop_bound
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    select_profile_name,
)
from tokencli.commands.run import error_to_dict, report_error
from tokencli.errors import TokencliError, UsageError


@common_options(lock_timeout=True)
def refresh(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    all_profiles: Annotated[
        bool, typer.Option("--all", help="Every profile of the configuration, one after the other.")
    ] = False,
    json_output: JsonOption = False,
    scope: ScopeOption = None,
) -> None:
    """Get a new token now.

    By refresh token where there is one, else by the grant.

    Prints the token; stderr says which way it came. With --all nothing but the report is printed,
    and the exit code is that of the first failure.

    \b
    tokencli refresh groupid
    tokencli refresh --all
    """
    from tokencli.core.refresh import refresh_profile as renew
    from tokencli.core.secret_resolver import resolve_usage_secrets
    from tokencli.formats import PROVIDER_USAGE_FORMATS, render_token

    app = App(common)
    if all_profiles:
        if profile or profile_option or scope:
            raise UsageError(
                "--all goes with no profile and no --scope", fix="tokencli refresh --all"
            )
        _refresh_all_profiles(app, json_output=json_output)
        return
    chosen = app.get_profile(select_profile_name(profile, profile_option), scope=scope)
    obtained = renew(chosen, app)
    app.terminal.print_note(f"{chosen.name}: {describe_renewal(obtained.source)}")
    wanted = "json" if json_output else "raw"
    extra = resolve_usage_secrets(chosen, app) if wanted in PROVIDER_USAGE_FORMATS else None
    output.write_stdout(render_token(wanted, chosen, obtained.token, app.clock.now(), extra))
    warn_if_dpop_bound(app, chosen)
    if obtained.save_error is not None:
        raise obtained.save_error


def _refresh_all_profiles(app: App, *, json_output: bool) -> None:
    from tokencli.core.refresh import refresh_profiles
    from tokencli.formats.json import dump_json_line
    from tokencli.humanize import format_rfc3339

    names = app.config.profile_names()
    if not names:
        raise app.config.no_profile_error()
    first: TokencliError | None = None
    rows: list[dict[str, object]] = []
    for outcome in refresh_profiles(names, app.get_profile, app):
        obtained = outcome.token_result
        error = outcome.error or (obtained.save_error if obtained else None)
        first = first or error
        row: dict[str, object] = {"name": outcome.profile_name}
        if obtained is not None:
            app.terminal.print_note(f"{outcome.profile_name}: {describe_renewal(obtained.source)}")
            ends = obtained.token.expires_at
            row |= {
                "how": obtained.source,
                "expires_at": None if ends is None else format_rfc3339(ends),
                "expires_at_epoch": None if ends is None else floor(ends),
            }
        if error is not None:
            row["error"] = error_to_dict(error)
            if not json_output:
                app.terminal.print_warning(f"{outcome.profile_name}:")
                report_error(error)
        rows.append(row)
    if json_output:
        output.write_stdout(dump_json_line({"profiles": rows}))
    if first is not None:
        raise typer.Exit(first.exit_code)

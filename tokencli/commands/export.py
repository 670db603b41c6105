"""`tokencli export`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    ForceOption,
    MinTtlOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    VariableOption,
    common_options,
    select_profile_name,
)
from tokencli.commands.token_output import print_export
from tokencli.core.export import unset_named_variables, unset_profile_variables
from tokencli.errors import TokencliError, UsageError
from tokencli.formats import DATA_FORMATS, describe_shells
from tokencli.humanize import join_alternatives


@common_options(lock_timeout=True)
def export(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    shell: Annotated[
        str | None,
        typer.Option(
            "--shell",
            metavar="NAME",
            help=f"{join_alternatives(describe_shells())}.",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"Instead of a shell: {join_alternatives(DATA_FORMATS)}.",
        ),
    ] = None,
    variable: VariableOption = None,
    all_variables: Annotated[
        bool,
        typer.Option(
            "--all-vars",
            help="Also set NAME_TYPE, _EXPIRES_AT, _SCOPE, _HEADER or _QUERY, and the reply's outputs.",
        ),
    ] = False,
    unset: Annotated[
        bool, typer.Option("--unset", help="Unset the variables instead of getting a token.")
    ] = False,
    min_ttl: MinTtlOption = None,
    force: ForceOption = False,
    scope: ScopeOption = None,
) -> None:
    """Print statements that put a token into a shell variable.

    The variable is ACCESS_TOKEN unless the profile or --var names another. If no token can be
    obtained, the printed statement fails, so that a script can't go on with an old token.

    \b
    eval "$(tokencli export groupid)"
    tokencli export groupid --shell fish | source
    tokencli export groupid --shell powershell | Invoke-Expression
    tokencli export groupid --format dotenv > .env
    tokencli export groupid --format github_actions
    eval "$(tokencli export groupid --all-vars)"
    eval "$(tokencli export groupid --unset)"
    """
    if shell is not None and format_name is not None:
        raise UsageError("--shell and --format can't be combined", fix="tokencli export --help")
    to = shell or format_name or "sh"
    app = App(common)
    profile_name = select_profile_name(profile, profile_option)
    if unset:
        output.write_stdout(
            _render_unset(app, profile_name, to=to, variable=variable, all_variables=all_variables)
        )
        return
    print_export(
        app,
        profile_name,
        to=to,
        variable=variable,
        all_variables=all_variables,
        scope=scope,
        min_ttl=min_ttl,
        force=force,
    )


def _render_unset(
    app: App, profile_name: str | None, *, to: str, variable: str | None, all_variables: bool
) -> str:
    """Return statements that unset the variables; --var without --all-vars needs no profile."""
    if variable and not all_variables:
        return unset_named_variables(variable, to=to, all_variables=False)
    try:
        profile = app.get_profile(profile_name)
    except TokencliError as error:
        if not variable:
            raise
        app.terminal.print_warning(
            f"{error.message}; the variables that the profile's provider adds to {variable} are not unset"
        )
        return unset_named_variables(variable, to=to, all_variables=True)
    return unset_profile_variables(profile, to=to, variable=variable, all_variables=all_variables)

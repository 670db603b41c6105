"""`tokencli export`."""

import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.fast_commands import describe_source, warn_if_dpop_bound
from tokencli.commands.options import (
    CommonOptions,
    ForceOption,
    MinTtlOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    select_profile_name,
)
from tokencli.errors import StorageError, TokencliError, UsageError
from tokencli.models import Secret


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
            help="sh (the default: bash, zsh, dash, ksh, busybox too), fish, powershell, cmd.",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="For other consumers: dotenv, docker, github_actions, k8s, json.",
        ),
    ] = None,
    variable: Annotated[
        str | None,
        typer.Option("--var", metavar="NAME", help="The variable, instead of the profile's."),
    ] = None,
    all_variables: Annotated[
        bool,
        typer.Option(
            "--all-vars",
            help="Set NAME_TYPE, _EXPIRES_AT, _SCOPE, the reply's outputs and _HEADER or _QUERY, too.",
        ),
    ] = False,
    unset: Annotated[
        bool, typer.Option("--unset", help="Print what unsets the variables; get nothing.")
    ] = False,
    min_ttl: MinTtlOption = None,
    force: ForceOption = False,
    scope: ScopeOption = None,
) -> None:
    """Print statements that put a token into a variable of a shell, or of another consumer.

    The variable is ACCESS_TOKEN, unless the profile or --var names another. On failure the
    statement fails, too, so that no script goes on with an older token.

    \b
    eval "$(tokencli export groupid)"
    tokencli export groupid --shell fish | source
    tokencli export groupid --shell powershell | Invoke-Expression
    tokencli export groupid --format dotenv > .env
    tokencli export groupid --format github_actions
    eval "$(tokencli export groupid --all-vars)" && curl -H "$ACCESS_TOKEN_HEADER" https://…
    eval "$(tokencli export groupid --unset)"
    """
    from tokencli.core import export as action

    if shell is not None and format_name is not None:
        raise UsageError("--shell and --format exclude each other", fix="tokencli export --help")
    to = shell or format_name or "sh"
    app = App(common)
    named = select_profile_name(profile, profile_option)
    if unset:
        output.write_stdout(
            _render_unset(app, named, to=to, variable=variable, all_variables=all_variables)
        )
        return
    chosen = app.get_profile(named, scope=scope)
    environment = _github_env_path(app) if to == "github_actions" else None
    exported = action.export_token(
        chosen,
        app,
        to=to,
        variable=variable,
        all_variables=all_variables,
        min_ttl=min_ttl,
        force=force,
    )
    app.terminal.print_detail(describe_source(exported.token_result.source))
    warn_if_dpop_bound(app, chosen)
    if to == "github_actions":
        _write_github_env(exported.text, exported.secrets, environment)
    else:
        output.write_stdout(exported.text)
    if exported.token_result.save_error is not None:
        raise exported.token_result.save_error


def _render_unset(
    app: App, profile: str | None, *, to: str, variable: str | None, all_variables: bool
) -> str:
    """Return what unsets the variables; where one is named the profile is asked for the others alone."""
    from tokencli.core.export import unset_named_variables, unset_profile_variables

    if variable and not all_variables:
        return unset_named_variables(variable, to=to, all_variables=False)
    try:
        chosen = app.get_profile(profile)
    except TokencliError as error:
        if not variable:
            raise
        app.terminal.print_warning(
            f"{error.message}; so unset is what follows from the name {variable}, and not what only"
            " the profile's provider adds to it"
        )
        return unset_named_variables(variable, to=to, all_variables=True)
    return unset_profile_variables(chosen, to=to, variable=variable, all_variables=all_variables)


def _github_env_path(app: App) -> Path | None:
    """Return the file of $GITHUB_ENV, or None where stdout is redirected to a file already."""
    if _stdout_is_file():
        return None
    place = app.environ.get("GITHUB_ENV")
    if not place:
        raise UsageError(
            "GITHUB_ENV is not set, so this is no step of GitHub Actions",
            fix="tokencli export --help",
        )
    return Path(place)


def _write_github_env(blocks: str, secrets: Sequence[Secret], environment: Path | None) -> None:
    """Mask in the log what is secret first, then hand over the variables.

    The runner obeys commands on stdout and on stderr. So where stdout is redirected to a file, as in
    `>> "$GITHUB_ENV"`, the blocks go there and the masks to stderr.
    """
    from tokencli.formats.github_actions import mask_command

    masks = "".join(mask_command(secret.reveal()) for secret in secrets)
    if environment is None:
        sys.stderr.write(masks)
        sys.stderr.flush()
        output.write_stdout(blocks)
        return
    output.write_stdout(masks)
    try:
        with environment.open("a", encoding="ascii", newline="\n") as file:
            file.write(blocks)
    except OSError as error:
        raise StorageError(f"the file of $GITHUB_ENV can't be written: {error.strerror}") from None


def _stdout_is_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False

"""`tokencli exec`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.child_launch import launch_command
from tokencli.commands.options import (
    COMMAND_KEY,
    CommandAfterDashes,
    CommonOptions,
    ForceOption,
    MinTtlOption,
    ScopeOption,
    VariableOption,
    common_options,
)
from tokencli.errors import UsageError


@common_options(lock_timeout=True)
def run_with_tokens(
    context: typer.Context,
    common: CommonOptions,
    profiles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROFILE",
            help="Profiles whose tokens the command gets; the default profile if omitted.",
        ),
    ] = None,
    variable: VariableOption = None,
    all_variables: Annotated[
        bool,
        typer.Option(
            "--all-vars",
            help="Also set NAME_TYPE, _SCOPE, _HEADER or _QUERY, and the reply's outputs.",
        ),
    ] = False,
    proxy: Annotated[
        str | None,
        typer.Option(
            "--proxy",
            metavar="URL",
            help="Hand over no token, but $TOKENCLI_PROXY_URL of a proxy to the API at URL, which is"
            " required here; needs tokencli[proxy], see `tokencli help proxy`.",
        ),
    ] = None,
    file: Annotated[
        bool,
        typer.Option(
            "--file", help="Instead of the token, set NAME_FILE: a file that is kept fresh."
        ),
    ] = False,
    descriptor: Annotated[
        bool,
        typer.Option(
            "--fd", help="Instead of the token, set NAME_FD: a descriptor to read it from."
        ),
    ] = False,
    mask: Annotated[
        bool, typer.Option("--mask", help="Replace the tokens in the command's output by ***.")
    ] = False,
    min_ttl: MinTtlOption = None,
    force: ForceOption = False,
    scope: ScopeOption = None,
) -> int:
    """Run a command with a token in its environment.

    The command gets the variables that `export` would set, and NAME_EXPIRES_AT in seconds since 1970.
    It replaces tokencli, so signals, exit status and terminal are its own. If no token can be
    obtained, it isn't started.

    \b
    tokencli exec groupid -- ./deploy.sh
    tokencli exec groupid corp --min-ttl 30m -- make release
    tokencli exec --var API_TOKEN -- make upload
    tokencli exec groupid --proxy https://api.example.com -- sh -c 'curl "$TOKENCLI_PROXY_URL/orders"'
    tokencli exec groupid --file -- ./long-job.sh
    """
    app, command = App(common), context.meta[COMMAND_KEY]
    if proxy is not None:
        if variable or all_variables or file or descriptor or mask or min_ttl is not None or force:
            raise UsageError(
                "--proxy can't be combined with --var, --all-vars, --file, --fd, --mask, --min-ttl and"
                " --force"
            )
        from tokencli.commands.loopback_proxy import run_behind_proxy  # start-up cost

        return run_behind_proxy(app, profiles or (), command=command, to=proxy, scope=scope)
    return launch_command(
        app,
        *(profiles or ()),
        command=command,
        variable=variable,
        all_variables=all_variables,
        scope=scope,
        min_ttl=min_ttl,
        force=force,
        by_file=file,
        by_descriptor=descriptor,
        mask=mask,
    )


run_with_tokens.typer_settings = {"cls": CommandAfterDashes}  # type: ignore[attr-defined]  # read by registry

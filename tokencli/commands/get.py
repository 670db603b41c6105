"""`tokencli get`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.fast_commands import describe_source, warn_if_dpop_bound
from tokencli.commands.options import (
    CommonOptions,
    ForceOption,
    JsonOption,
    MinTtlOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    select_profile_name,
)
from tokencli.errors import UsageError


@common_options(lock_timeout=True)
def get(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    format_name: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help="raw, header, query, json, or dpop."),
    ] = "raw",
    json_output: JsonOption = False,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="METHOD", help="For dpop: the request's; GET by default."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="For dpop: where the request goes.")
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option("--nonce", metavar="NONCE", help="For dpop: what the API's DPoP-Nonce said."),
    ] = None,
    min_ttl: MinTtlOption = None,
    force: ForceOption = False,
    scope: ScopeOption = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", help="Begin a sign-in where only that brings a token, as login does."
        ),
    ] = False,
    dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the request instead of sending it, secrets masked."),
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Tell on stderr what is sent and received, masked.")
    ] = False,
) -> None:
    """Print a token, fetching it only where it must be.

    The stored token while it is fresh, else a refreshed one, else a new one.

    The token alone goes to stdout.

    \b
    tokencli get groupid
    curl -H "$(tokencli get groupid --format header)" https://…
    tokencli get groupid --min-ttl 5m --json
    tokencli get corp --format dpop --url https://api.example.com/x | curl -H @- https://api.example.com/x
    """
    from tokencli.core.get_token import get_token as obtain
    from tokencli.core.secret_resolver import resolve_usage_secrets
    from tokencli.formats import PROVIDER_USAGE_FORMATS, dpop, render_token, require_token_format

    wanted = "json" if json_output else format_name
    require_token_format(wanted)
    meant = {
        name: value
        for name, value in {"method": method, "url": url, "nonce": nonce}.items()
        if value is not None
    }
    if meant and wanted != "dpop":
        raise UsageError(f"--{next(iter(meant))} goes with --format dpop alone")
    app = App(common)
    chosen = app.get_profile(select_profile_name(profile, profile_option), scope=scope)
    if wanted == "dpop":
        dpop.require_request_url(chosen.name, url)
    if dry:
        from tokencli.core.dry_run import render_dry_run

        output.write_stdout(render_dry_run(chosen, app))
        return
    if trace:
        from tokencli.core.http_trace import TracingTransport

        app.transport = TracingTransport(app.transport, chosen, app.terminal.print_note)
    obtained = obtain(chosen, app, min_ttl=min_ttl, force=force, interactive=interactive)
    app.terminal.print_detail(describe_source(obtained.source))
    extra = resolve_usage_secrets(chosen, app) if wanted in PROVIDER_USAGE_FORMATS else None
    output.write_stdout(
        render_token(wanted, chosen, obtained.token, app.clock.now(), extra, **meant)
    )
    if wanted != "dpop":
        warn_if_dpop_bound(app, chosen)
    if obtained.save_error is not None:
        raise obtained.save_error

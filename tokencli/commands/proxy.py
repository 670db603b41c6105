"""`tokencli proxy`."""

from pathlib import Path
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.loopback_proxy import open_loopback_proxy
from tokencli.commands.options import (
    CommonOptions,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    select_profile_name,
)
from tokencli.errors import UsageError
from tokencli.system.signals import stop_on_signals
from tokencli.system.timeout import wait_for


@common_options()
def proxy(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="URL", help="The API to forward to; by default the profile's api_url."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 0,
    socket: Annotated[
        Path | None,
        typer.Option(
            "--socket",
            metavar="PATH",
            help="Listen on a Unix socket that only you can use, instead of a port.",
        ),
    ] = None,
    no_secret: Annotated[
        bool,
        typer.Option(
            "--no-secret",
            help="Accept requests without the secret: every user of this computer can use the API.",
        ),
    ] = False,
    scope: ScopeOption = None,
) -> None:
    """Run a local proxy that adds a fresh token to each request.

    The first line on stdout is the base URL to use instead of the API's. It contains a secret, so
    that only programs you give it to can use the proxy. The token is renewed before it expires, and
    when the API says that it is no longer valid. The proxy runs until Ctrl-C.
    It requires the extra `proxy`: pipx install '.[proxy]', uv tool install '.[proxy]' or pip install
    '.[proxy]' in a clone.

    \b
    tokencli proxy groupid --to https://groupid.example.com:4443/GroupIDDataService/api/
    tokencli proxy corp --to https://api.example.com/v1 --port 8080 --no-secret
    tokencli proxy corp --to https://api.example.com --socket ~/.api.sock
    """
    if socket is not None and port:
        raise UsageError("--socket and --port can't be combined")
    app = App(common)
    name = select_profile_name(profile, profile_option)
    with (
        open_loopback_proxy(
            app,
            name,
            to=to,
            scope=scope,
            port=port,
            socket_path=socket,
            needs_secret=not no_secret,
        ) as base_url,
        stop_on_signals() as stopped,
    ):
        output.write_stdout(f"{base_url}\n")
        app.terminal.print_note("Use this URL instead of the API's. Stop the proxy with Ctrl-C.")
        wait_for(stopped.wait)

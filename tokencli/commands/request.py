"""`tokencli request`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import CommonOptions, ProfileOption, common_options
from tokencli.commands.request_call import run_request


@common_options(lock_timeout=True)
def request(
    common: CommonOptions,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROFILE] [METHOD] URL",
            help="Profile, method (default: GET, or POST with a body) and a URL, or a path that is appended"
            " to the profile's api_url.",
            show_default=False,
        ),
    ] = None,
    profile_option: ProfileOption = None,
    method: Annotated[
        str | None,
        typer.Option("--request", "-X", metavar="METHOD", help="Method (same as the argument)."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", "-H", metavar="LINE", help="Header to send, or @FILE; repeatable."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="Form data to send, or @FILE; several are joined by &.",
        ),
    ] = None,
    json: Annotated[
        list[str] | None,
        typer.Option("--json", metavar="DATA", help="JSON to send, or @FILE; several are joined."),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--form",
            "-F",
            metavar="NAME=VALUE",
            help="Part of a multipart form, or NAME=@FILE; repeatable.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write the body to a file, or - for stdout."
        ),
    ] = None,
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Print the status line and the headers as well.")
    ] = False,
    fail: Annotated[
        bool,
        typer.Option(
            "--fail", "-f", help="Exit with 5 on HTTP 4xx and 5xx, without printing the body."
        ),
    ] = False,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Send the token to another server than the API's.")
    ] = False,
) -> None:
    """Send a request with a token, and print the reply.

    The token goes only to the server of the profile's api_url, or without one to that of its token
    endpoint, and never along a redirect. It is renewed before it expires, and once if the API refuses
    it. The exit code is 0 whatever the status, unless --fail is given.

    \b
    tokencli request groupid Users
    tokencli request corp https://api.example.com/orders --json '{"item": "teapot"}'
    tokencli request corp DELETE orders/1 --fail
    tokencli request corp exports/2026.zip -o 2026.zip
    """
    run_request(
        App(common),
        *(words or ()),
        profile_option=profile_option,
        methods=() if method is None else (method,),
        headers=header or (),
        data=data or (),
        json=json or (),
        form=form or (),
        output=() if output is None else (output,),
        include=include,
        fail=fail,
        anywhere=anywhere,
    )

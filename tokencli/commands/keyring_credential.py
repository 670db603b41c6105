"""`tokencli keyring-credential`, which is also the program `keyring-tokencli`."""

import json
from dataclasses import replace
from typing import Annotated, Literal

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.helper_profile import find_profile, get_plain_token
from tokencli.commands.options import (
    CommonOptions,
    MinTtlOption,
    ProfileOption,
    common_options,
)
from tokencli.core.helper_credential import choose_username, find_origin
from tokencli.errors import UsageError


@common_options(lock_timeout=True)
def keyring_credential(
    common: CommonOptions,
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="get, the only one.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The package index, or a file on it.")],
    user: Annotated[str | None, typer.Argument(metavar="USER", help="User name.")] = None,
    mode: Annotated[
        Literal["password", "creds"],
        typer.Option("--mode", help="Print the password, or the user name before it as well."),
    ] = "password",
    output_format: Annotated[
        Literal["plain", "json"], typer.Option("--output", help="How to print them.")
    ] = "plain",
    profile_option: ProfileOption = None,
    servers: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="The index's server (default: those of api_url and of the token endpoint).",
        ),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option("--username", metavar="NAME", help="User name, if pip or uv names none."),
    ] = None,
    min_ttl: MinTtlOption = None,
) -> None:
    """Answer pip's and uv's requests for the password of a package index, in place of `keyring`.

    They run it if a link to `keyring-tokencli` with the name `keyring` is on the PATH. Without
    `--profile`, the profile is the one whose `api_url` is on the index's server. See `tokencli help
    pip`.

    \b
    tokencli keyring-credential get https://pypi.example.com/simple/ oauth2accesstoken
    """
    if operation != "get":
        raise UsageError(
            f"unknown operation {operation[:64]!r}: use get",
            cause="tokencli stores no passwords for pip and uv",
        )
    app = App(replace(common, no_input=True))  # pip and uv may run it while they show progress
    origin = find_origin(url)
    asked = set() if origin is None else {origin}
    profile = find_profile(app, asked, profile_option, servers or [], command="keyring-credential")
    if profile is None:
        if origin is not None:  # else it may be the host alone, which pip and uv try as well
            reason = f"profile {profile_option!r} isn't" if profile_option else "no profile is"
            app.terminal.print_note(f"{reason} for {origin.removesuffix(':443')}")
        raise typer.Exit(1)
    answer = {"password": get_plain_token(app, profile, "a package index", min_ttl=min_ttl)}
    if mode == "creds":
        answer = {"username": choose_username(profile, user, username), **answer}
    text = json.dumps(answer) if output_format == "json" else "\n".join(answer.values())
    output.write_stdout(f"{text}\n")

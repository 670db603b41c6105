"""`tokencli docker-credential`, which is also the program `docker-credential-tokencli`."""

import json
import sys
from typing import Annotated

import typer

from tokencli import __version__
from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.helper_profile import find_profile, get_plain_token, list_api_profiles
from tokencli.commands.options import (
    CommonOptions,
    MinTtlOption,
    ProfileOption,
    common_options,
)
from tokencli.core.helper_credential import (
    choose_username,
    find_api_origin,
    find_origin,
)
from tokencli.errors import CredentialsError, TokencliError, UsageError

OPERATIONS = ("get", "store", "erase", "list", "version")
NOT_FOUND = "credentials not found in native keychain"
"""What Docker expects on stdout, word for word, if a helper has no credential for a registry."""
MAX_INPUT_BYTES = 1 << 20


@common_options(lock_timeout=True)
def docker_credential(
    common: CommonOptions,
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="get, store, erase, list or version.")
    ],
    profile_option: ProfileOption = None,
    servers: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="The registry (default: those of api_url and of the token endpoint).",
        ),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option("--username", metavar="NAME", help="User name to answer with."),
    ] = None,
    min_ttl: MinTtlOption = None,
) -> None:
    """Answer Docker's requests for the credential of a registry, as a credential helper.

    Docker runs it as `docker-credential-tokencli`, with the registry on stdin. Without `--profile`,
    the profile is the one whose `api_url` is on the registry. See `tokencli help docker`.

    \b
    echo registry.example.com | tokencli docker-credential get
    """
    app = App(common)
    try:
        if operation == "version":
            output.write_stdout(f"docker-credential-tokencli {__version__}\n")
        elif operation == "list":
            output.write_stdout(json.dumps(_list_registries(app, username)) + "\n")
        elif operation not in OPERATIONS:
            raise UsageError(
                f"unknown operation {operation[:64]!r}: use {', '.join(OPERATIONS)}",
                fix="tokencli docker-credential --help",
            )
        else:
            _answer(app, operation, profile_option, servers or [], username, min_ttl)
    except TokencliError as error:
        # Docker shows what a failed helper wrote to stdout, and looks for NOT_FOUND there.
        output.write_stdout(f"{error.message}\n")
        if error.message == NOT_FOUND:
            raise typer.Exit(1) from None
        raise


def _answer(
    app: App,
    operation: str,
    profile_name: str | None,
    servers: list[str],
    username: str | None,
    min_ttl: float | None,
) -> None:
    """Answer `get`; `store` and `erase` of a registry that is known change nothing."""
    server = _read_server(is_json=operation == "store")
    profile = find_profile(
        app, _list_origins(server), profile_name, servers, command="docker-credential"
    )
    if profile is None and operation == "store":
        raise UsageError(
            "tokencli can't store a registry's password, and has no token for this one",
            cause="no profile is for it; docker-credential-tokencli is for the registry of a"
            " profile's api_url",
            fix="tokencli help docker",
        )
    if profile is None:
        raise CredentialsError(NOT_FOUND)
    if operation == "store":
        app.terminal.print_note("nothing to store: tokencli gets the registry's tokens itself")
    elif operation == "erase":
        app.terminal.print_note(f"to end the login, run: tokencli logout {profile.name}")
    else:
        token = get_plain_token(app, profile, "Docker", min_ttl=min_ttl)
        name = choose_username(profile, username)
        answer = {"ServerURL": server, "Username": name, "Secret": token}
        output.write_stdout(json.dumps(answer) + "\n")


def _read_server(*, is_json: bool) -> str:
    """Return the registry on stdin: a host or URL, or for `store` the ServerURL of an object."""
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES) if sys.stdin else b""
    try:
        text = data.decode("utf-8")
        server = json.loads(text)["ServerURL"] if is_json else text.strip()
    except (ValueError, KeyError, TypeError, RecursionError):
        server = ""
    if not isinstance(server, str) or not server:
        raise UsageError("no credentials server URL", cause="Docker writes the registry to stdin")
    return server


def _list_origins(server: str) -> list[str]:
    """Return the origins that Docker may mean by a registry, which often has no scheme."""
    urls = [server] if "://" in server else [f"https://{server}", f"http://{server}"]
    return [origin for url in urls if (origin := find_origin(url)) is not None]


def _list_registries(app: App, username: str | None) -> dict[str, str]:
    """Return the servers of the profiles' APIs, and the user name for each."""
    return {
        (find_api_origin(profile) or "").removesuffix(":443"): choose_username(profile, username)
        for profile in list_api_profiles(app)
    }

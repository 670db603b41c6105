"""`tokencli git-credential`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.git_protocol import answer_git
from tokencli.commands.options import CommonOptions, MinTtlOption, common_options
from tokencli.errors import UsageError


@common_options(lock_timeout=True)
def git_credential(
    common: CommonOptions,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROFILE] OPERATION", help="Profile name, then get, store or erase."
        ),
    ],
    servers: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="The git server (default: those of api_url and of the token endpoint).",
        ),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(
            "--username", metavar="NAME", help="Always answer with this user name and a password."
        ),
    ] = None,
    min_ttl: MinTtlOption = None,
) -> None:
    """Answer git's requests for a credential, as a credential helper.

    Git runs it with `get` before it sends a credential, and with `erase` after the server refused it.
    See `tokencli help git`.

    \b
    git config --global credential.https://git.example.com.helper '!tokencli git-credential corp --host git.example.com'
    """
    if len(words) > 2:
        raise UsageError(f"unexpected argument: {words[2]!r}", fix="tokencli git-credential --help")
    answer_git(App(common), *words, servers=servers or (), username=username, min_ttl=min_ttl)

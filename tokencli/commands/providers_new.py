"""`tokencli providers new`: a provider from answers, from a curl command line, or from a file."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    common_options,
)
from tokencli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from tokencli.importers.draft import ProviderDraft
    from tokencli.importers.model import Imported

MAX_REQUESTS_LISTED = 20
"""Requests of one file that are told of."""


@common_options()
def new(
    common: CommonOptions,
    title: Annotated[str, typer.Argument(metavar="[TITLE]", help="The system's name.")] = "",
    from_curl: Annotated[
        str | None,
        typer.Option(
            "--from-curl", metavar="COMMAND", help="A curl command line that works; - reads stdin."
        ),
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A HAR file, a Postman or Bruno collection, or an OpenAPI file; - is stdin.",
        ),
    ] = None,
    pick: Annotated[
        int,
        typer.Option("--pick", metavar="N", min=1, help="Of several requests in it, the Nth."),
    ] = 1,
) -> None:
    """Print a new provider as TOML, and say what it leaves open.

    Every value of the request becomes a reference; what stays as it stood, such as the path, is
    listed as open.

    \b
    tokencli providers new Acme --from-curl - < command.txt > acme.toml
    tokencli providers new Acme --from recording.har > acme.toml
    tokencli providers new Acme --from openapi.yaml --pick 2 > acme.toml
    tokencli providers check acme.toml
    """
    from tokencli.core.provider_wizard import ask_token_request
    from tokencli.importers import parse_curl as read_curl
    from tokencli.importers.recording_file import read_token_requests

    if from_curl is not None and from_file is not None:
        raise UsageError("--from-curl and --from don't go together")
    app = App(common)
    found: list[Imported]
    if from_curl is not None:
        found = [read_curl(sys.stdin.read() if from_curl == "-" else from_curl)]
    elif from_file is not None:
        found = read_token_requests(from_file)
    else:
        found = [ask_token_request(app.terminal)]
    made = _pick_draft(app, found, pick, title)
    output.write_stdout(made.to_toml())
    for what in made.open_questions:
        app.terminal.print_note(f"open: {what}")


def _pick_draft(app: App, found: "list[Imported]", pick: int, title: str) -> "ProviderDraft":
    """Return the draft of one request of several, and tell of the others without their values."""
    from tokencli.config.profile_schema import COMMON_KEYS
    from tokencli.importers.draft import draft_provider

    drafts = []
    why = ConfigError("there is no request in it that could be for a token")
    for one in found[:MAX_REQUESTS_LISTED]:
        try:
            drafts.append(draft_provider(one, title, COMMON_KEYS))
        except ConfigError as error:
            why = error
    if not drafts:
        raise why
    if pick > len(drafts):
        raise UsageError(f"--pick {pick}: requests for a token in it: {len(drafts)}")
    if len(drafts) > 1:
        app.terminal.print_note(
            f"requests for a token in it: {len(drafts)}; --pick N takes another"
        )
        for number, made in enumerate(drafts, 1):
            app.terminal.print_note(
                f"{'->' if number == pick else '  '} {number} {made.summarize()}"
            )
    return drafts[pick - 1]

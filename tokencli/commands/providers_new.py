"""`tokencli providers new`: draft a provider from answers, a curl command line, or a file."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import CommonOptions, common_options
from tokencli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from tokencli.importers.draft.builder import ProviderDraft
    from tokencli.importers.model import Imported

MAX_REQUESTS_LISTED = 20
"""Requests of one file that are listed; --pick accepts every one."""


@common_options()
def new(
    common: CommonOptions,
    title: Annotated[str, typer.Argument(metavar="[TITLE]", help="Name of the system.")] = "",
    from_curl: Annotated[
        str | None,
        typer.Option(
            "--from-curl",
            metavar="COMMAND",
            help="A working curl command line; - reads it from stdin.",
        ),
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A HAR file, Postman or Bruno collection, or OpenAPI file; - reads stdin.",
        ),
    ] = None,
    pick: Annotated[
        int,
        typer.Option("--pick", metavar="N", min=1, help="Use the Nth token request of the file."),
    ] = 1,
) -> None:
    """Print a new provider as TOML.

    Without options, you are asked about the request. Values of the request become references to
    settings and secrets of the profile; values that were kept, e.g. the path, are listed on stderr
    for you to check.

    \b
    tokencli providers new Acme --from-curl - < command.txt > acme.toml
    tokencli providers new Acme --from recording.har > acme.toml
    tokencli providers new Acme --from openapi.yaml --pick 2 > acme.toml
    tokencli providers check acme.toml
    """
    if from_curl is not None and from_file is not None:
        raise UsageError("--from-curl and --from can't be combined")
    # start-up: `tokencli --help` imports this module, and the importers cost as much as Typer
    from tokencli.core.provider_wizard import ask_token_request
    from tokencli.importers.curl import parse_curl
    from tokencli.importers.recording import read_token_requests

    app = App(common)
    requests: list[Imported]
    if from_curl is not None:
        requests = [parse_curl(sys.stdin.read() if from_curl == "-" else from_curl)]
    elif from_file is not None:
        requests = read_token_requests(from_file)
    else:
        requests = [ask_token_request(app.terminal)]
    draft = _pick_draft(app, requests, pick, title)
    output.write_stdout(draft.to_toml())
    for question in draft.open_questions:
        app.terminal.print_note(f"check: {question}")


def _pick_draft(app: App, requests: "list[Imported]", pick: int, title: str) -> "ProviderDraft":
    """Return the draft of the picked request; list all of them, without their values, if several."""
    from tokencli.config.profile_schema import COMMON_KEYS  # start-up: loads pydantic
    from tokencli.importers.draft.request import draft_provider

    drafts = []
    last_error = ConfigError("none of the requests looks like a token request")
    for request in requests:
        try:
            drafts.append(draft_provider(request, title, COMMON_KEYS))
        except ConfigError as error:
            last_error = error
    if not drafts:
        raise last_error
    if pick > len(drafts):
        raise UsageError(f"--pick {pick}: there are only {len(drafts)} token requests")
    if len(drafts) > 1:
        app.terminal.print_note(f"{len(drafts)} token requests found; choose another with --pick N")
        for number, draft in enumerate(drafts, 1):
            if number <= MAX_REQUESTS_LISTED or number == pick:
                mark = "->" if number == pick else "  "
                app.terminal.print_note(f"{mark} {number} {draft.summarize()}")
        if len(drafts) > MAX_REQUESTS_LISTED:
            app.terminal.print_note(f"only the first {MAX_REQUESTS_LISTED} are listed")
    return drafts[pick - 1]

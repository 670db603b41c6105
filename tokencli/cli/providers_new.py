"""`tokencli providers new`: a provider from answers, from a curl command line, or from a file."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App, Settings
from tokencli.cli import stdout
from tokencli.cli.options import (
    ConfigOption,
    NoInputOption,
    QuietOption,
    TimeoutOption,
    VerboseOption,
)
from tokencli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from tokencli.providers.draft import Draft
    from tokencli.providers.recorded.seen import Found

MOST_TOLD = 20
"""Requests of one file that are told of."""


def new(
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
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
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
    from tokencli.actions.provider_form import asked
    from tokencli.config.recording import recorded
    from tokencli.providers.recorded import from_curl as read_curl

    if from_curl is not None and from_file is not None:
        raise UsageError("--from-curl and --from don't go together")
    app = App(Settings(no_input=no_input, quiet=quiet))
    found: list[Found]
    if from_curl is not None:
        found = [read_curl(sys.stdin.read() if from_curl == "-" else from_curl)]
    elif from_file is not None:
        found = recorded(from_file)
    else:
        found = [asked(app.terminal)]
    made = _picked(app, found, pick, title)
    stdout.emit(made.text())
    for what in made.open:
        app.terminal.note(f"open: {what}")


def _picked(app: App, found: "list[Found]", pick: int, title: str) -> "Draft":
    """Return the draft of one request of several, and tell of the others without their values."""
    from tokencli.config.schema import COMMON
    from tokencli.providers.draft import draft

    drafts = []
    why = ConfigError("there is no request in it that could be for a token")
    for one in found[:MOST_TOLD]:
        try:
            drafts.append(draft(one, title, COMMON))
        except ConfigError as error:
            why = error
    if not drafts:
        raise why
    if pick > len(drafts):
        raise UsageError(f"--pick {pick}: requests for a token in it: {len(drafts)}")
    if len(drafts) > 1:
        app.terminal.note(f"requests for a token in it: {len(drafts)}; --pick N takes another")
        for number, made in enumerate(drafts, 1):
            app.terminal.note(f"{'->' if number == pick else '  '} {number} {made.about()}")
    return drafts[pick - 1]

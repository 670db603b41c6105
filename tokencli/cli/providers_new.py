"""`tokencli providers new`: a provider from answers, from a curl command line, or from a file."""

import sys
from typing import Annotated

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
from tokencli.errors import UsageError


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
            help="A HAR file, a Postman collection, a .bru file, or OpenAPI as JSON; - is stdin.",
        ),
    ] = None,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Print a new provider as TOML, and say what it leaves open.

    Every value of the request becomes a reference; none is kept or shown.

    \b
    tokencli providers new Acme --from-curl - < command.txt > acme.toml
    tokencli providers new Acme --from recording.har > acme.toml
    tokencli providers check acme.toml
    """
    from tokencli.actions.provider_form import asked
    from tokencli.config.provider_file import read
    from tokencli.providers import recorded
    from tokencli.providers.draft import draft

    if from_curl is not None and from_file is not None:
        raise UsageError("--from-curl and --from don't go together")
    app = App(Settings(no_input=no_input, quiet=quiet))
    if from_curl is not None:
        seen = recorded.from_curl(sys.stdin.read() if from_curl == "-" else from_curl)
    elif from_file is not None:
        found = recorded.from_file(read(from_file))
        seen = found[0]
        if len(found) > 1:
            app.terminal.note(
                f"there are {len(found)} requests for a token in it; this is the first"
            )
    else:
        seen = asked(app.terminal)
    made = draft(seen, title)
    stdout.emit(made.text())
    for what in made.open:
        app.terminal.note(f"open: {what}")

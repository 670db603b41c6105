"""The options that commands share, each said once."""

from typing import Annotated

import typer

from tokencli.config.duration import MIN_DURATION
from tokencli.config.duration import parse_duration as seconds
from tokencli.errors import UsageError


def parse_duration(text: str) -> float:
    """Read a duration of the command line: `45s`, `5m`, `1h30m`, or seconds."""
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_positive_duration(text: str) -> float:
    """Read a duration in which something has to happen, which takes a millisecond at least."""
    found = parse_duration(text)
    if found < MIN_DURATION:
        raise typer.BadParameter(f"{text!r} is too short: at least {MIN_DURATION:g}s")
    return found


ProfileArgument = Annotated[
    str | None,
    typer.Argument(metavar="PROFILE", help="The profile; without it the default one."),
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", "-p", metavar="NAME", help="The same, as an option."),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", help="Configuration file, instead of $TOKENCLI_CONFIG."
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        parser=parse_positive_duration,
        help="For each exchange with a server, as 30s.",
    ),
]
LockTimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--lock-timeout",
        metavar="DURATION",
        parser=parse_duration,
        help="How long to wait for another process that gets the same token.",
    ),
]
NoInputOption = Annotated[
    bool, typer.Option("--no-input", help="Never ask anything; fail and say what is missing.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        help="Say more on stderr; never a secret.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, errors included (on stderr).")
]
MinTtlOption = Annotated[
    float | None,
    typer.Option(
        "--min-ttl",
        metavar="DURATION",
        parser=parse_duration,
        help="The life that a stored token must have left, as 5m.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Get a new token even if the stored one is fresh.")
]
ScopeOption = Annotated[
    str | None,
    typer.Option("--scope", metavar="SCOPES", help="Other scopes than the profile's."),
]


def select_profile_name(argument: str | None, option: str | None) -> str | None:
    """Return the profile that the command line names, as argument or option."""
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"two profiles are named: {argument!r} and {option!r}")
    return argument if argument is not None else option

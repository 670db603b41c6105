"""Command-line options that several commands share, and `@common_options`, which adds those of every command.

A new option for every command is one field of `CommonOptions`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, cleandoc, signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from tokencli.app import App, AppOptions
from tokencli.commands.error_report import build_missing_dashes_error
from tokencli.duration import MIN_DURATION
from tokencli.duration import parse_duration as parse_seconds
from tokencli.errors import UsageError, check_profile_name


def parse_duration(text: str) -> float:
    """Parse a duration from the command line: `45s`, `5m`, `1h30m`, or seconds."""
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_positive_duration(text: str) -> float:
    """Parse a duration of at least one millisecond."""
    seconds = parse_duration(text)
    if seconds < MIN_DURATION:
        raise typer.BadParameter(f"{text!r} is too short: at least {MIN_DURATION:g}s")
    return seconds


@dataclass(frozen=True, slots=True)
class CommonOptions(AppOptions):
    """The options that every command has; a field without `typer.Option` is not on the command line."""

    config: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="FILE", help="Configuration file (overrides $TOKENCLI_CONFIG)."
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            parser=parse_positive_duration,
            help="Timeout of each request to a server, e.g. 30s.",
        ),
    ] = None
    lock_timeout: Annotated[
        float | None,
        typer.Option(
            "--lock-timeout",
            metavar="DURATION",
            parser=parse_duration,
            help="How long to wait while another process gets the same token, e.g. 10s.",
        ),
    ] = None
    """Only on commands with `@common_options(lock_timeout=True)`."""
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Never prompt; fail and say what is missing.")
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only warnings and errors to stderr.")
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Print more to stderr, secrets masked.",
        ),
    ] = 0


def common_options(
    *, lock_timeout: bool = False, hidden: Collection[str] = (), examples: Iterable[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the fields of `CommonOptions` as options to a command function.

    A parameter named `common` receives their values. `hidden` names fields that the help omits.
    `examples` are command lines that the help shows after the docstring.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = [
            option
            for option in build_option_parameters(hidden)
            if lock_timeout or option.name != "lock_timeout"
        ]
        run_command = add_options(
            command, "common", options, lambda values: CommonOptions(**values)
        )
        if examples:
            run_command.__doc__ = "\n".join([cleandoc(command.__doc__ or ""), "", "\b", *examples])
        return run_command

    return decorate


def add_options(
    command: Callable[..., Any],
    receiver: str,
    options: Sequence[Parameter],
    build: Callable[[dict[str, Any]], Any],
) -> Callable[..., Any]:
    """Add options to a command function, whose parameter `receiver` gets what `build` makes of them."""
    own = signature(command)

    @wraps(command)
    def run_command(**values: Any) -> Any:
        given = {option.name: values.pop(option.name) for option in options}
        if receiver in own.parameters:
            values[receiver] = build(given)
        return command(**values)

    parameters = [p for p in own.parameters.values() if p.name != receiver]
    run_command.__signature__ = own.replace(parameters=[*parameters, *options])  # type: ignore[attr-defined]  # inspect's own protocol
    return run_command


def build_option_parameters(hidden: Collection[str] = ()) -> Iterator[Parameter]:
    """Yield the parameter of a command function for each option of `CommonOptions`."""
    hints = get_type_hints(CommonOptions, include_extras=True)
    for field in fields(CommonOptions):
        if get_origin(hints[field.name]) is not Annotated:
            continue
        kind, option = get_args(hints[field.name])
        option = copy(option)
        option.hidden = field.name in hidden
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[kind, option],
        )


ProfileArgument = Annotated[
    str | None,
    typer.Argument(metavar="PROFILE", help="Profile name; the default profile if omitted."),
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", "-p", metavar="NAME", help="Profile name (same as the argument)."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object; errors as JSON on stderr.")
]
MinTtlOption = Annotated[
    float | None,
    typer.Option(
        "--min-ttl",
        metavar="DURATION",
        parser=parse_duration,
        help="Minimum remaining lifetime, e.g. 5m.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Get a new token even if the stored one is fresh.")
]
VariableOption = Annotated[
    str | None,
    typer.Option("--var", metavar="NAME", help="Variable to set instead of the profile's."),
]
ScopeOption = Annotated[
    str | None,
    typer.Option("--scope", metavar="SCOPES", help="Scopes to request instead of the profile's."),
]


def select_profile_name(argument: str | None, option: str | None) -> str | None:
    """Return the profile named on the command line, as an argument or with --profile.

    Raises:
        UsageError: two are named, or the name is empty.
    """
    check_profile_name(argument, option)
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"two different profiles were given: {argument!r} and {option!r}")
    return argument if argument is not None else option


COMMAND_KEY = "tokencli.command"
"""The key of the words after `--` in the context's `meta`."""


class CommandAfterDashes(TyperCommand):
    """A command that takes another program's command line after `--`."""

    usage_after_dashes: tuple[str, ...] = ("COMMAND", "[ARGUMENT]...")
    options_of_both: tuple[str, ...] = ()
    """Options of both programs, which count as the other program's if `--` is missing."""
    begins_with_option = False
    """Whether the other program's words may begin with an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the words after `--` into the context, and parse the others.

        Raises:
            UsageError: there is no `--`, but words of the other program.
        """
        end = args.index("--") if "--" in args else len(args)
        start = self._find_command(ctx, args) if end == len(args) else None
        if start is not None:
            raise build_missing_dashes_error(str(ctx.info_name), args[:start], args[start:])
        ctx.meta[COMMAND_KEY] = args[end + 1 :]
        return super().parse_args(ctx, args[:end])

    def _find_command(self, ctx: Any, args: list[str]) -> int | None:
        """Return where the other program's words begin in a command line without `--`."""
        options = {
            name: parameter
            for parameter in self.get_params(ctx)
            if parameter.param_type_name == "option"
            for name in parameter.opts
        }
        profiles: tuple[str, ...] | None = None
        config, at = None, 0
        start: int | None = None
        while at < len(args):
            name, equals, value = args[at].partition("=")
            option: Any = options.get(name)
            begin = at if start is None else start
            if option is not None:
                if name in self.options_of_both:
                    start = begin
                takes_word = not (equals or option.is_flag or option.count)
                if name == "--config":
                    config = value if equals else next(iter(args[at + 1 :]), None)
                at += 2 if takes_word else 1
            elif args[at].startswith("-"):
                return begin if self.begins_with_option else None
            elif self.begins_with_option and at == 0 and args[1:] == ["--help"]:
                return None  # no command, so it is the name of a profile, which may not exist
            else:
                profiles = profiles or App(AppOptions(config=config)).list_profile_names()
                if args[at] not in profiles:
                    return begin
                at += 1
        return None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Add the other program's command to the usage line."""
        return [*super().collect_usage_pieces(ctx), "--", *self.usage_after_dashes]

"""The commands: a table, and what turns it into Typer."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tokencli import __version__
from tokencli.errors import UsageError

COMMANDS: dict[str, str] = {
    "get": "tokencli.commands.get:get",
    "refresh": "tokencli.commands.refresh:refresh",
    "inspect": "tokencli.commands.inspect:inspect",
    "export": "tokencli.commands.export:export",
    "profiles": "tokencli.commands.profiles:app",
    "providers": "tokencli.commands.providers:app",
    "login": "tokencli.commands.login:login",
    "logout": "tokencli.commands.login:logout",
    "sandbox": "tokencli.commands.sandbox:sandbox",
    "hook": "tokencli.commands.hook:hook",
    "completion": "tokencli.commands.completion:completion",
    "help": "tokencli.commands.help:show_help",
}
"""Name -> `module:attribute` of a command function or a Typer group."""


class _CommandGroup(TyperGroup):
    """The commands, by which an interrupt comes out as what it is: Typer would end with 130 unsaid."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            raise typer.Abort from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Abort from None


def build_cli() -> typer.Typer:
    """Return the command line, ready to be called."""
    cli = typer.Typer(
        name="tokencli",
        cls=_CommandGroup,
        add_completion=False,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    cli.callback(invoke_without_command=True)(_root_command)
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=name)
        else:
            settings = getattr(command, "context_settings", None)
            cli.command(name, context_settings=settings)(command)
    return cli


def _print_version(wanted: bool) -> None:
    if wanted:
        from tokencli.commands.output import write_stdout

        write_stdout(f"tokencli {__version__}\n")
        raise typer.Exit


def _root_command(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Fetch, keep fresh, explain and export bearer tokens.

    \b
    tokencli profiles add groupid --provider groupid     describe an endpoint, once
    tokencli login groupid                               store its secrets, and try them
    tokencli get groupid                                 a token on stdout
    eval "$(tokencli export groupid)"                    or in $ACCESS_TOKEN
    tokencli inspect groupid                             what it says
    tokencli sandbox -- tokencli get groupid             all of it, on a server of your own
    tokencli help                                        the manual
    """
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(UsageError.exit_code)

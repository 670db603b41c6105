"""The table of commands, and the Typer application built from it."""

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tokencli import __version__
from tokencli.commands import output
from tokencli.errors import UsageError

COMMANDS: dict[str, str] = {
    "get": "tokencli.commands.get:get",
    "refresh": "tokencli.commands.refresh:refresh",
    "inspect": "tokencli.commands.inspect:inspect",
    "export": "tokencli.commands.export:export",
    "exec": "tokencli.commands.exec:run_with_tokens",
    "request": "tokencli.commands.request:request",
    "curl": "tokencli.commands.curl:curl",
    "proxy": "tokencli.commands.proxy:proxy",
    "keep": "tokencli.commands.keep:keep",
    "why": "tokencli.commands.why:why",
    "status": "tokencli.commands.status:status",
    "log": "tokencli.commands.log:log",
    "profiles": "tokencli.commands.profiles:app",
    "providers": "tokencli.commands.providers:app",
    "doctor": "tokencli.commands.doctor:doctor",
    "login": "tokencli.commands.login:login",
    "logout": "tokencli.commands.logout:logout",
    "git-credential": "tokencli.commands.git_credential:git_credential",
    "docker-credential": "tokencli.commands.docker_credential:docker_credential",
    "keyring-credential": "tokencli.commands.keyring_credential:keyring_credential",
    "sandbox": "tokencli.commands.sandbox:sandbox",
    "hook": "tokencli.commands.hook:hook",
    "completion": "tokencli.commands.completion:completion",
    "help": "tokencli.commands.help:show_help",
}
"""Name -> `module:attribute` of a command function or a Typer group."""


COMMAND_GROUPS = {
    "Tokens": ("get", "export", "refresh", "inspect"),
    "Use a token": ("exec", "request", "curl", "proxy", "keep"),
    "Diagnosis": ("why", "doctor", "status", "log"),
    "Profiles": ("profiles", "login", "logout", "providers"),
    "Credential helpers": ("git-credential", "docker-credential", "keyring-credential"),
    "Help and tools": ("help", "sandbox", "hook", "completion"),
}
"""Heading in `tokencli --help` -> the commands below it."""


MAX_SUMMARY_CHARS = 200
ALIASES = {"ls": "list", "rm": "remove"}
"""Short names of subcommands, as the shell's own commands have them."""


class _CommandGroup(TyperGroup):
    """A group whose help has whole summaries, below the headings of COMMAND_GROUPS.

    Subcommands also have the names in ALIASES. It raises `typer.Abort` on Ctrl-C; Typer itself would
    exit with 130 without a word.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the summaries: a long one is continued on the next line, not cut."""
        summaries = {
            name: command.get_short_help_str(MAX_SUMMARY_CHARS)
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None and not command.hidden
        }
        width = max(map(len, summaries), default=0)
        for heading, names in COMMAND_GROUPS.items():
            if rows := [(name, summaries.pop(name)) for name in names if name in summaries]:
                with formatter.section(heading):
                    formatter.write_dl([(f"{name:<{width}}", text) for name, text in rows])
        if summaries:
            with formatter.section("Commands"):
                formatter.write_dl(list(summaries.items()))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or super().get_command(
            ctx, ALIASES.get(cmd_name, "")
        )

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


def build_cli(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the command line with these commands, whose modules are imported only now."""
    cli = create_command_group(
        name="tokencli",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    cli.callback(invoke_without_command=True)(_root_command)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=name)
        else:
            cli.command(name, **getattr(command, "typer_settings", {}))(command)
    return cli


def create_command_group(**settings: Any) -> typer.Typer:
    """Return a Typer application without commands, without Typer's own completion and tracebacks."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        cls=_CommandGroup,
        **settings,
    )


def _print_version(requested: bool) -> None:
    if requested:
        output.write_stdout(f"tokencli {__version__}\n")
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
    """Fetch, refresh, inspect and export bearer tokens.

    \b
    tokencli profiles add groupid --provider groupid     describe an endpoint once
    tokencli login groupid                               store and test its secrets
    tokencli get groupid                                 print a token
    eval "$(tokencli export groupid)"                    set $ACCESS_TOKEN
    tokencli inspect groupid                             show what the token says
    tokencli why groupid https://api.example.com/me      say why a call fails
    tokencli sandbox -- tokencli get groupid             try it on a local test server
    tokencli help                                        read the manual
    """
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(UsageError.exit_code)

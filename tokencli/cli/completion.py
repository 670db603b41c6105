"""`tokencli completion`."""

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


def completion(
    shell: Annotated[
        str | None,
        typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell."),
    ] = None,
    profiles: Annotated[
        bool,
        typer.Option(
            "--profiles", help="Print the profiles whose names begin with the argument instead."
        ),
    ] = False,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Print the script that completes commands, options and profiles in a shell.

    The script is text: nothing is run at the start of the shell, and only names of profiles are
    asked of the program.

    \b
    tokencli completion bash > ~/.local/share/bash-completion/completions/tokencli
    tokencli completion zsh > "${fpath[1]}/_tokencli"
    tokencli completion fish > ~/.config/fish/completions/tokencli.fish
    tokencli completion powershell >> $PROFILE
    """
    from tokencli.cli.completions import SCRIPTS, script

    if profiles:
        app = App(Settings(config=config, quiet=quiet, verbose=verbose))
        names = app.names()
        stdout.emit("".join(f"{name}\n" for name in names if name.startswith(shell or "")))
        return
    if shell not in SCRIPTS:
        raise UsageError(
            f"there is no completion for {shell!r}: it is one of {', '.join(SCRIPTS)}"
            if shell
            else f"which shell? It is one of {', '.join(SCRIPTS)}",
            hint="tokencli completion --help",
        )
    stdout.emit(script(shell))

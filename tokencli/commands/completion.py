"""`tokencli completion`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    common_options,
)
from tokencli.errors import UsageError


@common_options()
def completion(
    common: CommonOptions,
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
    from tokencli.commands.completions import SCRIPT_RENDERERS, render_completion_script

    if profiles:
        app = App(common)
        names = app.list_profile_names()
        output.write_stdout("".join(f"{name}\n" for name in names if name.startswith(shell or "")))
        return
    if shell not in SCRIPT_RENDERERS:
        raise UsageError(
            f"there is no completion for {shell!r}: it is one of {', '.join(SCRIPT_RENDERERS)}"
            if shell
            else f"which shell? It is one of {', '.join(SCRIPT_RENDERERS)}",
            fix="tokencli completion --help",
        )
    output.write_stdout(render_completion_script(shell))

"""`tokencli hook`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    common_options,
)
from tokencli.fastpath.hooks import render_hook_script, render_renewal


@common_options()
def hook(
    common: CommonOptions,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    profiles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROFILE]...", help="Profiles whose variables this shell is to have, and keep."
        ),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Print what renews the variables; the prompt uses it.")
    ] = False,
) -> None:
    """Make `get` and `export` a matter of microseconds in a shell, and keep its variables fresh.

    In that shell a warm `tokencli get` starts no process: a function reads what the last one left in
    memory, and calls the program where anything is in doubt. The variables of the profiles named here
    are exported, and renewed before the prompt when they near their end. `tokencli_unhook` undoes it.

    \b
    eval "$(tokencli hook bash)"                 in ~/.bashrc
    eval "$(tokencli hook zsh groupid corp)"     in ~/.zshrc, with the variables of two profiles
    tokencli hook fish | source                  in ~/.config/fish/config.fish
    """
    names: Sequence[str] = profiles or ()
    if renew:
        app = App(common)
        output.write_stdout(render_renewal(shell, names, app))
    else:
        output.write_stdout(render_hook_script(shell, names))

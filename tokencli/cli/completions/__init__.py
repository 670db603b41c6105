"""Write the completion scripts: static text, one file for each shell."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from tokencli.cli.words import Command, commands

SCRIPTS: dict[str, str] = {
    "bash": "tokencli.cli.completions.bash:script",
    "zsh": "tokencli.cli.completions.zsh:script",
    "fish": "tokencli.cli.completions.fish:script",
    "powershell": "tokencli.cli.completions.powershell:script",
}
"""Shell -> `module:function` that makes its script of the commands."""

_NOTE = "# Written by `tokencli completion %s`. Only names of profiles are asked of the program."


def script(shell: str) -> str:
    """Return the completion script for a shell; KeyError for one that is not known."""
    module, _, name = SCRIPTS[shell].partition(":")
    write = cast(Callable[[tuple[Command, ...]], str], getattr(import_module(module), name))
    return write(commands()).replace("@NOTE@", _NOTE % shell, 1)

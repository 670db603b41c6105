"""Write the completion scripts: static text, one file for each shell."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from tokencli.commands.completion_spec import CommandSpec, list_command_specs

SCRIPT_RENDERERS: dict[str, str] = {
    "bash": "tokencli.commands.completions.bash:render_script",
    "zsh": "tokencli.commands.completions.zsh:render_script",
    "fish": "tokencli.commands.completions.fish:render_script",
    "powershell": "tokencli.commands.completions.powershell:render_script",
}
"""Shell -> `module:function` that makes its script of the commands."""

_HEADER_COMMENT = (
    "# Written by `tokencli completion %s`. Only names of profiles are asked of the program."
)


def render_completion_script(shell: str) -> str:
    """Return the completion script for a shell; KeyError for one that is not known."""
    module, _, name = SCRIPT_RENDERERS[shell].partition(":")
    write = cast(Callable[[tuple[CommandSpec, ...]], str], getattr(import_module(module), name))
    return write(list_command_specs()).replace("@NOTE@", _HEADER_COMMENT % shell, 1)

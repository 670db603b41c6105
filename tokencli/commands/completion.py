"""`tokencli completion`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.completions import (
    INSTALL_COMMANDS,
    SCRIPT_RENDERERS,
    render_completion_script,
)
from tokencli.commands.fast_commands import print_profile_names
from tokencli.commands.options import CommonOptions, common_options
from tokencli.errors import UsageError

_OTHER_NAMES = {"pwsh": "powershell"}
"""Another name of a shell -> its name in the tables of shells."""


@common_options(examples=INSTALL_COMMANDS.values())
def completion(
    common: CommonOptions,
    shell: Annotated[
        str | None,
        typer.Argument(metavar="SHELL", help=f"{', '.join(SCRIPT_RENDERERS)}."),
    ] = None,
    profiles: Annotated[
        bool,
        typer.Option(
            "--profiles", help="Print the names of profiles that start with the argument instead."
        ),
    ] = False,
    json_output: Annotated[
        bool,
        typer.Option(
            "--json", help="With --profiles, print their providers and endpoints as well, as JSON."
        ),
    ] = False,
) -> None:
    """Print a shell's completion script.

    The script completes commands, options and profile names. Loading it runs nothing; completing a
    profile name runs tokencli.
    """
    if profiles:
        print_profile_names(App(common), shell or "", json_output=json_output)
        return
    if json_output:
        raise UsageError("--json requires --profiles", fix="tokencli completion --profiles --json")
    shell = _OTHER_NAMES.get(shell or "", shell)
    if shell not in SCRIPT_RENDERERS:
        shells = ", ".join(SCRIPT_RENDERERS)
        raise UsageError(
            f"no completion for shell {shell!r}: use {shells}"
            if shell
            else f"name a shell: {shells}",
            fix="tokencli completion --help",
        )
    from tokencli.commands.completions.command_tree import list_command_specs  # loads every command

    output.write_stdout(render_completion_script(shell, list_command_specs()))

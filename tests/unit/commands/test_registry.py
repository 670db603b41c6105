"""The command tree: common options everywhere, and only the module of the command that runs."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.commands.option_arguments import common_option_arguments
from tokencli.commands.registry import COMMANDS, build_cli

COMMON = {argument for argument in common_option_arguments() if argument.startswith("-")}


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below `command` with its path."""
    for name, sub in getattr(command, "commands", {}).items():
        yield f"{path}{name}", sub
        yield from walk(sub, f"{path}{name} ")


TREE = dict(walk(typer.main.get_command(build_cli()), ""))


@pytest.mark.parametrize("path", TREE)
def test_common_options(path: str) -> None:
    """Every command and subcommand has them, each once, and a summary that the list shows whole."""
    names = [name for parameter in TREE[path].params for name in parameter.opts]
    assert set(names) >= COMMON
    assert len(names) == len(set(names))
    assert not TREE[path].get_short_help_str(62).endswith("...")


@pytest.mark.parametrize("command", COMMANDS)
def test_only_the_command_that_runs_is_imported(command: str) -> None:
    """`tokencli COMMAND --help` imports no module of another command."""
    code = (
        "import sys; from tokencli.commands.run import run_command_line;"
        f"run_command_line([{command!r}, '--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    modules = {target.partition(":")[0] for target in COMMANDS.values()}
    assert modules & set(done.stderr.split()) == {COMMANDS[command].partition(":")[0]}

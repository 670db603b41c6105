"""The command tree: common options everywhere, and only the module of the command that runs."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.commands.option_arguments import common_option_arguments
from tokencli.commands.registry import COMMAND_GROUPS, COMMANDS, build_cli

COMMON = {argument for argument in common_option_arguments() if argument.startswith("-")}


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below `command` with its path."""
    for name, sub in getattr(command, "commands", {}).items():
        yield f"{path}{name}", sub
        yield from walk(sub, f"{path}{name} ")


TREE = dict(walk(typer.main.get_command(build_cli()), ""))


@pytest.mark.parametrize("path", TREE)
def test_common_options(path: str) -> None:
    """Every command and subcommand has them, each once."""
    names = [name for parameter in TREE[path].params for name in parameter.opts]
    assert set(names) >= COMMON
    assert len(names) == len(set(names))


@pytest.mark.parametrize("words", [[], ["profiles"], ["providers"]])
@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_summaries_are_whole(
    words: list[str],
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At any width the list of commands has each one's whole first sentence, exactly once."""
    monkeypatch.setenv("COLUMNS", columns)
    root = typer.main.get_command(build_cli())
    root.main(args=[*words, "--help"], prog_name="tokencli", standalone_mode=False)
    listed = " ".join(capsys.readouterr().out.split())
    prefix = "".join(f"{word} " for word in words)
    for path, command in TREE.items():
        if path.startswith(prefix) and " " not in path.removeprefix(prefix):
            paragraph = " ".join(command.help.split("\n\n")[0].split())
            assert listed.count(f" {path.removeprefix(prefix)} {paragraph}") == 1


def test_every_command_is_below_a_heading() -> None:
    """`tokencli --help` groups all of them by what they are for."""
    assert sorted(name for names in COMMAND_GROUPS.values() for name in names) == sorted(COMMANDS)


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

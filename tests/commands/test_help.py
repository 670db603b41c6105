"""`--help` says something about everything."""

import subprocess

import pytest

from tests.conftest import Run, script
from tokencli.commands.registry import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_line_in_the_help_and_a_page_of_its_own(command: str) -> None:
    """No command is listed without words, and none lacks an example or a sentence."""
    top = subprocess.run([script(), "--help"], capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in top.splitlines() if line.startswith(f"  {command} ")]
    assert len(line.split()) > 3
    page = subprocess.run(
        [script(), command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert f"tokencli {command}" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_common_options_after_its_name(command: str, tokencli: Run) -> None:
    """--config, --timeout, --no-input, -q and -v are understood by each of them."""
    done = tokencli(
        command,
        "--config",
        "/nonexistent/c.toml",
        "--timeout",
        "5s",
        "--no-input",
        "-q",
        "-v",
        "--help",
    )
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "arguments", [[], ["gte"], ["get", "--bogus"], ["get", "--timeout", "soon"], ["get", "a", "b"]]
)
def test_a_command_line_that_is_wrong_ends_with_2_and_says_what_is_right(
    arguments: list[str], tokencli: Run
) -> None:
    """Two lines on stderr and nothing on stdout; the bare command shows its help instead."""
    done = tokencli(*arguments)
    assert (done.code, done.out) == (2, "")
    if arguments:
        said = done.err.splitlines()
        assert len(said) == 2
        assert said[0].startswith("tokencli: error: ")
        assert said[1].startswith("tokencli: fix: ")
    else:
        assert "Usage: tokencli" in done.err

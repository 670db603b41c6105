"""`--help`, and usage errors."""

import subprocess

import pytest

from tests.commands.option_arguments import common_option_arguments
from tests.conftest import Run, script
from tokencli.commands.registry import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    """Each has a summary in the list, and an example or a sentence on its own page."""
    top = subprocess.run([script(), "--help"], capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in top.splitlines() if line.startswith(f"  {command} ")]
    assert len(line.split()) > 3
    page = subprocess.run(
        [script(), command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert f"tokencli {command}" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_common_options(command: str, tokencli: Run) -> None:
    """Each option of `CommonOptions` is accepted."""
    done = tokencli(command, *common_option_arguments(), "--help")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "arguments", [[], ["gte"], ["get", "--bogus"], ["get", "--timeout", "soon"], ["get", "a", "b"]]
)
def test_wrong_command_line_exits_with_2(arguments: list[str], tokencli: Run) -> None:
    """An error and a fix on stderr, and nothing on stdout; without a command the help is shown."""
    done = tokencli(*arguments)
    assert (done.code, done.out) == (2, "")
    if arguments:
        said = done.err.splitlines()
        assert len(said) == 2
        assert said[0].startswith("tokencli: error: ")
        assert said[1].startswith("tokencli: fix: ")
    else:
        assert "Usage: tokencli" in done.err


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["gett"],
            ["error: no such command 'gett'. Did you mean 'get'?", "fix: tokencli get --help"],
        ),
        (["xyzzy"], ["error: no such command 'xyzzy'.", "fix: tokencli --help"]),
        (
            ["profiles", "edt"],
            [
                "error: no such command 'edt'. Did you mean 'edit'?",
                "fix: tokencli profiles edit --help",
            ],
        ),
        (["help", "nosuch"], ["error: no help topic 'nosuch'", "fix: tokencli help"]),
        (
            ["help", "profiles", "nosuch"],
            ["error: no help topic 'profiles nosuch'", "fix: tokencli help profiles"],
        ),
    ],
)
def test_unknown_words_suggest_only_similar_ones(
    arguments: list[str], lines: list[str], tokencli: Run
) -> None:
    """A similar command or topic is suggested; without one the fix lists what there is."""
    assert tokencli(*arguments).err.splitlines() == [f"tokencli: {line}" for line in lines]


@pytest.mark.parametrize(
    ("word", "topic"),
    [
        ("gte", "get"),
        ("gti", "git"),
        ("clip", "clipboard"),
        ("inspct", "inspect"),
        ("net", "netrc"),
    ],
)
def test_the_likeliest_topic_is_suggested(word: str, topic: str, tokencli: Run) -> None:
    """The one that the word begins, else the one in which two letters are swapped, is the first."""
    said = tokencli("help", word).err.splitlines()
    assert said[1].removeprefix("tokencli: cause: similar topics: ").split(", ")[0] == topic
    assert said[2] == f"tokencli: fix: tokencli help {topic}"

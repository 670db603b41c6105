"""The hook in Git Bash: a bash that calls a program of Windows. Run in a bash on Linux with a fake of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import script
from tests.e2e.test_hook import PROMPT, shell_out
from tests.fast_path_world import TOKENS, World, world

SHOW = 'printf "<%s>" "$P_TOKEN"'
FAKE = """#!/bin/sh
echo "$@" >> "$CALLS"
{program} "$@" | sed 's/$/\\r/'
"""
"""A `tokencli` whose lines end as those of most programs of Windows do."""


@pytest.fixture
def git_bash(tmp_path: Path) -> Iterator[World]:
    """Provide a world whose `tokencli` is the fake, and whose bash says that it is one of MSYS2."""
    with world() as made:
        made.make()
        folder = tmp_path / "bin"
        folder.mkdir()
        fake = folder / "tokencli"
        fake.write_text(FAKE.format(program=script()), encoding="utf-8")
        fake.chmod(0o700)
        made.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
        made.environ["CALLS"] = str(tmp_path / "calls")
        yield made


@pytest.mark.promise("the hook of Git Bash, with a fake of a program of Windows", "Linux")
def test_variables_are_kept_fresh(git_bash: World) -> None:
    """They hold the token alone although the program ends its lines with a carriage return."""
    load = 'OSTYPE=msys; eval "$(tokencli hook bash p | tr -d "\\r")"'
    done = shell_out("bash", f"{load}\n{PROMPT['bash']}\n{SHOW}\ntokencli_unhook\n{SHOW}", git_bash)
    assert done.stderr == ""
    assert done.stdout == f"<{TOKENS['p']}><>"


def test_the_program_is_always_asked(git_bash: World) -> None:
    """No record is looked for, as there is none that a shell could read on Windows."""
    load = 'OSTYPE=msys; eval "$(tokencli hook bash | tr -d "\\r")"'
    done = shell_out("bash", f"{load}\ntokencli get p", git_bash)
    assert (done.stdout, done.stderr) == (f"{TOKENS['p']}\n", "")
    calls = Path(git_bash.environ["CALLS"]).read_text(encoding="utf-8")
    assert calls.splitlines() == ["hook bash", "get p"]

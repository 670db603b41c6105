"""The whole program, deciding as it does on macOS.

It runs on Linux, so what is missing here (the Keychain, /usr/bin/open, F_FULLFSYNC) fails as it would
on a Mac on which it is missing.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.unit.token_store.samples import memory_folder
from tokencli.sandbox.server import Sandbox

_PROGRAM = """
import os, sys
from tokencli import platforms
from tokencli.__main__ import main
from tokencli.platforms.macos import MacOS
MacOS.find_home = lambda _: os.environ["HOME"]
platforms.PLATFORM = MacOS()
sys.argv[0] = "tokencli"
main()
"""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory in memory, which Linux would use."""
    with memory_folder() as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        yield directory


@pytest.fixture
def sandbox(memory: Path, tmp_path: Path, write_config: Callable[[str], Path]) -> Iterator[Sandbox]:
    """A sandbox and profiles for it, which store tokens in files."""
    with Sandbox() as running:
        write_config(running.render_config(state_dir=str(tmp_path / "state")))
        yield running


def run(*words: str) -> Result:
    """Run a command line."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words], capture_output=True, text=True, timeout=60
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.promise("macOS: the program's own decisions, with fakes of system calls", "Linux")
def test_no_token_gets_into_a_directory_in_memory(sandbox: Sandbox, memory: Path) -> None:
    """It is fetched once and read from the store afterwards; there are no hot copies."""
    first = run("get", "groupid")
    assert first.code == 0, first.err
    assert run("get", "groupid").out == first.out
    assert sandbox.database.token_requests == 1
    assert list(memory.iterdir()) == []
    assert run("logout", "groupid").code == 0
    assert run("inspect", "groupid").code != 0


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("exec", "groupid", "--file", "--", "true"), "--file needs a directory in memory"),
        (("get", "groupid"), "there is no private runtime directory in memory"),
    ],
)
def test_what_needs_memory_is_refused_with_the_reason(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    """Setting XDG_RUNTIME_DIR wouldn't help, so it isn't named."""
    config = tmp_path / "config.toml"
    if words[0] == "get":
        config.write_text(config.read_text().replace('store = "file"', 'store = "runtime"'))
    done = run(*words)
    assert done.code != 0
    assert message in done.err
    assert "macOS has no directory that is known to be in memory only" in done.err
    assert "XDG_RUNTIME_DIR" not in done.err


@pytest.mark.usefixtures("sandbox")
def test_a_command_can_read_the_token_from_a_descriptor() -> None:
    """It is opened as /dev/fd/N."""
    done = run("exec", "groupid", "--fd", "--", "sh", "-c", 'cat "/dev/fd/$ACCESS_TOKEN_FD"')
    assert done.code == 0, done.err
    assert done.out == run("get", "groupid").out.rstrip("\n")


@pytest.mark.promise("macOS: the program's own decisions, with fakes of system calls", "Linux")
@pytest.mark.usefixtures("sandbox")
def test_doctor_knows_the_system() -> None:
    """It asks for no D-Bus session and no runtime directory, and names the Keychain."""
    done = run("doctor", "groupid")
    assert "Keychain" in done.out
    assert "D-Bus" not in done.out and "runtime" not in done.out

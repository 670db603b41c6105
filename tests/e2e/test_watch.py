"""Live views in a real terminal, as a terminal emulator shows them."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import pyte
import pytest

from tests.conftest import Run, script
from tokencli.sandbox.server import Sandbox

PATIENCE_S = 30


class Viewer:
    """A program in a terminal, and the screen that the user sees."""

    def __init__(self, columns: int, args: Sequence[str]) -> None:
        self.screen = pyte.Screen(columns, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.received = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(script(), ["tokencli", *args])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def shown(self) -> list[str]:
        """Return the lines on the screen."""
        return [line.rstrip() for line in self.screen.display]

    def wait_until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Return the lines as soon as they fulfil the condition."""
        end = monotonic() + PATIENCE_S
        while not condition(lines := self.shown()):
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, end - monotonic()))
            assert ready, f"not shown: {lines}"
            self._read()
        return lines

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        os.write(self.terminal, b"\x03")
        while self._read():
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.received += data
        self.stream.feed(data)
        return bool(data)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration, in a terminal with UTF-8."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@contextmanager
def viewing(*args: str, columns: int = 80) -> Iterator[Viewer]:
    """Run a live view, which must leave the terminal as it was after Ctrl-C."""
    viewer = Viewer(columns, args)
    yield viewer
    assert viewer.interrupt() == 130
    assert b"\x1b[?1049h" in viewer.received, "the alternate screen was used"
    assert viewer.received.rindex(b"\x1b[?1049l") > viewer.received.rindex(b"\x1b[?1049h")
    assert b"\x1b[?25h" in viewer.received, "the cursor is visible again"
    assert b"interrupted" not in viewer.received


@pytest.mark.parametrize("columns", [80, 40])
def test_countdown(tokencli: Run, sandbox: Sandbox, columns: int) -> None:
    """The time left gets less, and the picture fits into the terminal."""
    tokencli("get", "oauth2")
    with viewing("inspect", "oauth2", "--watch", columns=columns) as viewer:
        first = viewer.wait_until(lambda lines: any(line.startswith("left") for line in lines))
        left = next(line for line in first if line.startswith("left"))
        later = viewer.wait_until(lambda lines: left not in lines and "Ctrl-C to stop" in lines)
        picture = next(line for line in later if "░" in line)
        assert [letter for letter in picture if letter.isalpha()] == list("INDE")


def test_a_token_that_another_process_replaces(tokencli: Run, sandbox: Sandbox) -> None:
    """The countdown goes on with the new token, and says that it is one."""
    tokencli("get", "oauth2")
    with viewing("inspect", "oauth2", "--watch") as viewer:
        viewer.wait_until(lambda lines: "Ctrl-C to stop" in lines)
        tokencli("get", "oauth2", "--force")
        viewer.wait_until(lambda lines: any("replaced by another token" in line for line in lines))


def test_a_token_that_disappears(tokencli: Run, sandbox: Sandbox) -> None:
    """After a logout, the view says so and goes on."""
    tokencli("get", "oauth2")
    with viewing("inspect", "oauth2", "--watch") as viewer:
        viewer.wait_until(lambda lines: "Ctrl-C to stop" in lines)
        assert tokencli("logout", "oauth2").code == 0
        viewer.wait_until(lambda lines: any("no token is stored" in line for line in lines))


@pytest.mark.parametrize("columns", [80, 40])
def test_status_of_all_profiles(tokencli: Run, sandbox: Sandbox, columns: int) -> None:
    """A token that another process gets appears, with a bar, and so does a new profile."""
    with viewing("status", "--watch", columns=columns) as viewer:
        viewer.wait_until(lambda lines: any(re.match(r"oauth2 +none", line) for line in lines))
        tokencli("get", "oauth2")
        viewer.wait_until(lambda lines: any(re.match(r"oauth2 +fresh +█", line) for line in lines))
        tokencli("profiles", "copy", "oauth2", "another")
        viewer.wait_until(lambda lines: any(line.startswith("another") for line in lines))

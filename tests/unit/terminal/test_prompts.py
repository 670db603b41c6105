"""A hidden prompt stays hidden, whatever a shell does to the terminal in the meantime."""

import os
import pty
import select
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ASKING = """
import hashlib, os
from tokencli.terminal.console import StderrTerminal
terminal = StderrTerminal(os.environ, no_input=False, quiet=False, verbose=0)
for name in ("Password", "Other"):
    try:
        typed = terminal.ask_secret(name).reveal()
    except KeyboardInterrupt:
        raise SystemExit("left") from None
    print(name, hashlib.sha256(typed.encode()).hexdigest()[:8], flush=True)
"""
CANARY = "canary-pässword-7f3a"
DIGEST = "Password 03ea1d32"
ASK = f"{shlex.quote(sys.executable)} -c {shlex.quote(ASKING)}"
SHELLS = {
    "the shell restores its own modes": f"set -m; {ASK}; stty echo; fg",
    "the shell restores nothing": f"set -m; {ASK}; fg",
    # There it is stopped again, since it wants the terminal.
    "continued in the background first": f"set -m; {ASK}; stty echo; bg;"
    ' while [ -z "$(jobs -s)" ]; do sleep 0.1; done; fg',
}


class Screen:
    """A terminal as the user sees it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seen = ""

    def until(self, words: str, times: int = 1) -> None:
        """Wait until these words were seen so many times."""
        end = time.monotonic() + 20
        while self.seen.count(words) < times:
            ready, _, _ = select.select([self.fd], [], [], max(end - time.monotonic(), 0))
            assert ready, self.seen
            try:
                piece = os.read(self.fd, 4096)
            except OSError:  # the other end is closed
                piece = b""
            assert piece, self.seen
            self.seen += piece.decode()

    def type(self, text: str) -> None:
        """Type it."""
        os.write(self.fd, text.encode())


TERMS = ("xterm-256color", "dumb")
"""With a line editor, and without."""


@contextmanager
def shell(command: str, term: str) -> Iterator[Screen]:
    """Run a command in a shell with job control at its own terminal."""
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": term}
    child, fd = pty.fork()
    if child == 0:
        os.execve("/bin/bash", ["bash", "--norc", "-c", command], environ)
    try:
        yield Screen(fd)
    finally:
        os.close(fd)
        for number in (signal.SIGCONT, signal.SIGHUP, signal.SIGKILL):
            try:
                os.kill(child, number)
            except ProcessLookupError:
                break
        os.waitpid(child, 0)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("command", SHELLS.values(), ids=SHELLS)
def test_ctrl_z_and_fg_leave_the_prompt_hidden(command: str, term: str) -> None:
    """The prompt is shown again without echo, and half a line typed before is discarded."""
    with shell(command, term) as screen:
        screen.until("Password:")
        screen.type("half\x1a")
        screen.until("Password:", 2)
        screen.type(CANARY + "\n")
        screen.until(DIGEST)
        screen.until("Other:")
        screen.type("\n")
        screen.until("Other e3b0c442")
    assert "canary" not in screen.seen and "half" not in screen.seen


@pytest.mark.parametrize("term", TERMS)
def test_echo_is_restored_while_the_program_is_stopped(term: str) -> None:
    """A shell that doesn't change the modes finds echo enabled, also at the end."""
    state = "stty -a | grep -o -w -e '-*echo' | sed 's/^/now /'"
    with shell(f"set -m; {ASK}; {state}; fg; {state}; echo end", term) as screen:
        screen.until("Password:")
        screen.type("\x1a")
        screen.until("now echo")
        screen.until("Password:", 2)
        screen.type(f"{CANARY}\n")
        screen.until("Other:")
        screen.type("\n")
        screen.until("now echo", 2)
        screen.until("end")
    assert "-echo" not in screen.seen


@pytest.mark.parametrize("term", TERMS)
def test_echo_is_disabled_again_after_sigstop(term: str) -> None:
    """SIGSTOP can't be handled, but SIGCONT can."""
    stopped = f"set -m; {ASK}; stty echo; fg"
    with shell(stopped, term) as screen:
        screen.until("Password:")
        os.killpg(os.tcgetpgrp(screen.fd), signal.SIGSTOP)
        screen.until("Password:", 2)
        screen.type(f"{CANARY}\n")
        screen.until(DIGEST)
    assert "canary" not in screen.seen


@pytest.mark.parametrize("term", TERMS)
def test_ctrl_c_restores_echo(term: str) -> None:
    """Ctrl-C at the prompt restores echo."""
    state = "stty -a | grep -o -w -e '-*echo' | sed 's/^/now /'"
    with shell(f"set -m; {ASK}; {state}; echo end", term) as screen:
        screen.until("Password:")
        screen.type("\x03")
        screen.until("end")
    assert "now echo" in screen.seen

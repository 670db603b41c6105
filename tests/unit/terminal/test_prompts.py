"""Prompts at a real terminal: pastes, cancelling, resizes, and job control of a shell.

A masked prompt stays masked, whatever a shell does to the terminal in the meantime.
"""

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyte
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
ASKING_ONE = """
import os
from tokencli.protocols import Choice
from tokencli.terminal import line_editor
from tokencli.terminal.console import StderrTerminal
terminal = StderrTerminal(os.environ, no_input=False, quiet=False, verbose=0)
options = [Choice("groupid", "GroupID", "self-hosted"), Choice("oauth2", "OAuth 2.0"),
           Choice("socialid", "SocialID")]
def is_host(text):
    return None if "." in text else f"{text[:40]!r} is no host name"
def is_error(text):
    raise LookupError
try:
    for ask in [QUESTIONS]:
        answer = ask()
        answer = answer.reveal() if hasattr(answer, "reveal") else answer
        print(f"got {len(str(answer))}", str(answer)[:20], flush=True)
except (KeyboardInterrupt, LookupError) as error:
    print(type(error).__name__)
"""
LINE, SECRET = "terminal.ask_line('Host')", "terminal.ask_secret('Password')"
CHOICE, YES_NO = (
    "terminal.ask_choice('System', options)",
    "terminal.ask_yes_no('OK?', default=True)",
)
PROMPTS = {LINE: "Host", SECRET: "Password", CHOICE: "System", YES_NO: "OK?"}
"""Question -> the first words of its prompt."""
ECHO = "stty -a | grep -o -w -e '-*echo' | sed 's/^/now /'"
LONG_PASTE = "x" * 10_000
PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
DELETE_LINE = "\x15"
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
            self.seen += piece.decode(errors="replace")

    def type(self, text: str) -> None:
        """Type it, and read what is printed meanwhile."""
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data[:1000]) :]
            with suppress(OSError):  # the other end is closed
                while select.select([self.fd], [], [], 0.02)[0]:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")

    def resize(self, columns: int) -> None:
        """Change the width."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


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


def ask_in_python(*questions: str) -> list[str]:
    """Return the command that asks these questions."""
    asked = ", ".join(f"lambda: {question}" for question in questions)
    return [sys.executable, "-c", ASKING_ONE.replace("QUESTIONS", asked)]


@contextmanager
def asking(*questions: str, term: str, then: str = ECHO) -> Iterator[Screen]:
    """Ask these questions in a shell, and run another command after that."""
    command = shlex.join(ask_in_python(*questions))
    with shell(f"set -m; {command}; {then}; echo end", term) as screen:
        screen.until(PROMPTS.get(questions[0], ""))
        yield screen


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("question", [LINE, SECRET])
def test_ten_thousand_characters_can_be_pasted(question: str, term: str) -> None:
    """A terminal in canonical mode would keep 4,095 of them."""
    with asking(question, term=term) as screen:
        screen.type(f"{LONG_PASTE}\r")
        screen.until("got 10000 xxxx")
        screen.until("end")
    assert "now echo" in screen.seen


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize(("question", "answer"), [(CHOICE, "soc"), (YES_NO, "y")])
def test_a_long_paste_at_a_choice_is_not_an_answer(question: str, answer: str, term: str) -> None:
    """It can be deleted, and the question be answered."""
    with asking(question, term=term) as screen:
        screen.type(LONG_PASTE + ("\r" if term == "dumb" else "") + DELETE_LINE)
        screen.type(f"{answer}\r")
        screen.until("got 8 socialid" if question == CHOICE else "got 4 True")


@pytest.mark.parametrize("question", [LINE, SECRET])
def test_a_bracketed_paste_does_not_answer(question: str) -> None:
    """The line break at the end of a paste isn't part of the answer, and doesn't enter it."""
    with asking(question, term="xterm") as screen:
        screen.type(f"{PASTE_START}{LONG_PASTE}\r\n{PASTE_END}")
        screen.type("y\r")
        screen.until("got 10001 xxxx")


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("size", [8, 10_000])
def test_the_rest_of_a_pasted_secret_reaches_neither_shell_nor_prompt(size: int, term: str) -> None:
    """The lines after the first one may belong to the secret."""
    with asking(SECRET, LINE, term=term, then="read -t 0.5 rest; echo rest=$rest") as screen:
        screen.type(f"{'x' * size}\rcanary-second\rcanary-third\r")
        screen.until("Host")
        screen.type("h\r")
        screen.until("got 1 h")
        screen.until("rest=\r")
    assert "canary" not in screen.seen


@pytest.mark.parametrize("term", TERMS)
def test_answers_can_be_typed_ahead(term: str) -> None:
    """Two lines answer two questions."""
    with asking(LINE, LINE, term=term) as screen:
        screen.type("one\rthree\r")
        screen.until("got 3 one")
        screen.until("got 5 three")


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("question", PROMPTS)
def test_every_prompt_can_be_cancelled(question: str, key: str, term: str) -> None:
    """Ctrl-C and Ctrl-D cancel, and echo is enabled afterwards."""
    with asking(question, term=term) as screen:
        screen.type(key)
        screen.until("KeyboardInterrupt")
        screen.until("end")
    assert "now echo" in screen.seen


@pytest.mark.parametrize("term", TERMS)
def test_an_exception_ends_the_prompt(term: str) -> None:
    """An exception of a check isn't dropped or printed, and echo is enabled afterwards."""
    with asking("terminal.ask_line('Host', validate=is_error)", term=term) as screen:
        screen.until("Host")
        screen.type("x\r")
        screen.until("LookupError")
        screen.until("end")
    assert "now echo" in screen.seen and "Traceback" not in screen.seen


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("length", [1, 8, 30, 300])
def test_the_mask_left_on_the_screen_does_not_tell_the_length(length: int, term: str) -> None:
    """Eight characters are shown for each secret, also for one that was corrected."""
    with asking(SECRET, term=term, then="true") as screen:
        screen.type("x" * (length + 2))
        screen.until("*" * min(length + 2, 8 if term == "dumb" else 40))
        screen.type("\x7f\x7f\r")
        screen.until(f"got {length}")
    left = pyte.Screen(80, 24)
    pyte.Stream(left).feed(screen.seen)
    assert left.display[0].rstrip() == "Password: ********"


@pytest.mark.parametrize("question", [LINE, SECRET])
def test_the_marks_of_a_bracketed_paste_are_no_part_of_the_answer(question: str) -> None:
    """A terminal whose TERM says that it is dumb may send them all the same."""
    with asking(question, term="dumb") as screen:
        screen.type(f"{PASTE_START}a.example{PASTE_END}\r")
        screen.until("got 9")


def test_a_secret_is_masked_and_can_be_edited() -> None:
    """One * per typed character; afterwards a mask that doesn't tell the secret's length."""
    with asking(SECRET, term="xterm") as screen:
        screen.type("canarx")
        screen.until("*****")
        screen.type("\x7fy\r")
        screen.until("got 6 canary")
    assert screen.seen.split("got 6")[0].count("canar") == 0


@pytest.mark.parametrize("term", TERMS)
def test_a_mistake_is_explained_and_asked_again(term: str) -> None:
    """A line editor explains it while it is typed, and keeps it for correction."""
    help_text = "as in its URL"
    question = f"terminal.ask_line('Host', validate=is_host, help={help_text!r})"
    with asking(question, term=term) as screen:
        screen.until("? for help")
        screen.type("?" if term != "dumb" else "?\r")
        screen.until(help_text)
        screen.type("id" if term != "dumb" else "?x\rid\r")
        screen.until("'id' is no host name")
        screen.type("\r" if term != "dumb" else "id")
        screen.type(".example\r")
        screen.until("got 10 id.example")


def test_long_answer_moves_below_its_question() -> None:
    """So that its beginning stays in sight."""
    with asking(LINE, term="xterm") as screen:
        screen.until("Host")
        start = len(screen.seen)
        screen.type("a" * 75 + "\r")
        screen.until("got 75")
        assert "a" * 75 in screen.seen[start:]


def test_half_an_answer_is_no_mistake() -> None:
    """It is explained after a pause, which never comes here, or if it is entered."""
    patient = "setattr(line_editor, 'REASON_DELAY_S', 600)"
    with asking(f"({patient}, {LINE[:-1]}, validate=is_host))[1]", term="xterm") as screen:
        screen.until("Host")
        for key in "id":
            screen.type(key)
        assert "no host name" not in screen.seen
        screen.type("\r")
        screen.until("'id' is no host name")
        screen.type(".example\r")
        screen.until("got 10 id.example")


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("answer", ["2", "OAUTH", "2.0", "oauth2"])
def test_an_option_is_chosen_by_number_or_a_part_of_its_name(answer: str, term: str) -> None:
    """In any case."""
    with asking(CHOICE, term=term) as screen:
        screen.until("3. SocialID")
        screen.type(f"{answer}\r")
        screen.until("got 6 oauth2")


def test_an_option_is_chosen_by_arrow_keys() -> None:
    """Up goes from the first to the last one."""
    with asking(CHOICE, CHOICE, term="xterm") as screen:
        screen.type("\x1b[B\r")
        screen.until("got 6 oauth2")
        screen.type("\x1b[A\r")
        screen.until("got 8 socialid")


@pytest.mark.parametrize("question", PROMPTS)
def test_a_resize_keeps_what_is_typed(question: str) -> None:
    """Narrower than the question, and wide again."""
    with asking(question, term="xterm") as screen:
        screen.type("y")
        for columns in (10, 2, 200, 80):
            screen.resize(columns)
            screen.type("")
        screen.type(f"{DELETE_LINE}1\r" if question == CHOICE else "\r")
        screen.until("got 7 groupid" if question == CHOICE else "got ")


def test_no_color_and_no_question_to_the_terminal() -> None:
    """NO_COLOR is honored, and the terminal isn't asked for anything, whose answer a shell would read."""
    with asking(CHOICE, term="xterm") as screen:
        screen.type("\r")
        screen.until("got 7")
    assert "\x1b[6n" not in screen.seen and "35" in screen.seen
    with shell(f"NO_COLOR=1 {shlex.join(ask_in_python(CHOICE))}", "xterm") as screen:
        screen.until("System")
        screen.type("\r")
        screen.until("got 7")
    assert "36" not in screen.seen


@pytest.mark.parametrize("term", TERMS)
def test_a_closed_terminal_ends_the_prompt(term: str) -> None:
    """Without a signal, as there is no controlling terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        process = subprocess.Popen(
            ask_in_python(LINE),
            env={**os.environ, "TERM": term},
            stdin=terminal,
            stderr=terminal,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    screen = Screen(ours)
    screen.until("Host")
    os.close(ours)
    assert process.communicate(timeout=20)[0] == "KeyboardInterrupt\n"


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
    with shell(f"set -m; {ASK}; {ECHO}; fg; {ECHO}; echo end", term) as screen:
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
    with shell(f"set -m; {ASK}; {ECHO}; echo end", term) as screen:
        screen.until("Password:")
        screen.type("\x03")
        screen.until("end")
    assert "now echo" in screen.seen

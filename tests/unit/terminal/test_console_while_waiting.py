"""What a person sees while they are waited for: always harmless, and nothing where nobody looks."""

import os
import pty
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tokencli.terminal.console import StderrTerminal

NASTY = "code \x1b]52;c;cm0=\x07 \x9b2J \u202egnp.exe \r::error::x\n##[x]"


def terminal(*, quiet: bool = False, **environ: str) -> StderrTerminal:
    """Return a terminal with these settings."""
    return StderrTerminal(environ, no_input=False, quiet=quiet, verbose=0)


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Put a terminal in the place of stdin and stderr; the file descriptor is its other end."""
    ours, theirs = pty.openpty()
    with (
        os.fdopen(theirs, "r", encoding="utf-8") as stdin,
        os.fdopen(os.dup(theirs), "w", encoding="utf-8") as stderr,
        monkeypatch.context() as patched,
    ):
        patched.setattr(sys, "stdin", stdin)
        patched.setattr(sys, "stderr", stderr)
        yield ours
    os.close(ours)


def test_what_has_to_be_seen_is_shown_even_under_q(capsys: pytest.CaptureFixture[str]) -> None:
    """An address and a code; harmless, on one line, and without a picture where nobody sees it."""
    terminal(quiet=True).show_message(NASTY, qr="https://example.com/")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.startswith("tokencli: code ")
    assert not set(text) & set("\x1b\x07\x9b\u202e\r█▀▄")


def test_the_status_line_is_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    """A log gets no line that replaces itself."""
    terminal().set_status_line("waiting")
    assert capsys.readouterr().err == ""


def test_a_line_that_nobody_can_type_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is nothing to read; a pipe's content is somebody else's."""
    with terminal().open_line_reader() as typed:
        assert typed(30) is None


@pytest.mark.parametrize(("quiet", "kind"), [(True, "xterm"), (False, "dumb")])
def test_q_and_a_dumb_terminal_have_no_status_line(
    monkeypatch: pytest.MonkeyPatch, quiet: bool, kind: str
) -> None:
    """Nothing is written at all."""
    with screen(monkeypatch) as there:
        told = terminal(quiet=quiet, TERM=kind)
        told.set_status_line("waiting")
        told.show_message("end")
        assert os.read(there, 1000) == b"tokencli: end\r\n"


def test_the_status_line_is_replaced_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never stays in front of what is said next, and obeys no escape of its text."""
    with screen(monkeypatch) as there:
        told = terminal(TERM="xterm")
        told.set_status_line("waiting")
        told.set_status_line("x\x1b[2Jx")
        told.print_note("done")
        told.set_status_line("")
        heard = b""
        while not heard.endswith(b"\n"):
            heard += os.read(there, 1000)
    assert heard.split(b"\r\x1b[K") == [
        b"",
        b"tokencli: waiting",
        b"tokencli: x\\u001b[2Jx",
        b"tokencli: done\r\n",
    ]


def test_a_typed_line_comes_whole_and_only_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None while nothing is there; then the line without its end."""
    with screen(monkeypatch) as there, terminal(TERM="xterm").open_line_reader() as typed:
        assert typed(0) is None
        os.write(there, b"http://127.0.0.1/callback?code=a\n")
        assert typed(30) == "http://127.0.0.1/callback?code=a"


def test_a_line_longer_than_a_terminal_collects_comes_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4095 bytes are all that a terminal's own line holds; and its modes are as before after it."""
    with screen(monkeypatch) as there:
        before = termios.tcgetattr(sys.stdin.fileno())
        with terminal(TERM="xterm").open_line_reader() as typed:
            for piece in (b"a" * 3000, b"b" * 3000, b"c\n"):
                os.write(there, piece)
                line = typed(0.2)
                os.read(there, 65536)  # the echo
        assert line == "a" * 3000 + "b" * 3000 + "c"
        assert termios.tcgetattr(sys.stdin.fileno()) == before


def test_what_is_typed_is_echoed_harmless_and_can_be_corrected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Backspace and Ctrl-U work as they do in a line that the terminal collects; two lines are two."""
    with screen(monkeypatch) as there, terminal(TERM="xterm").open_line_reader() as typed:
        os.write(there, b"no\x15ax\x7fb\x1b[31m\nsecond\n")
        assert (typed(30), typed(30)) == ("ab\x1b[31m", "second")
        echo = os.read(there, 1000)
    assert echo == b"no\b \b\b \bax\b \bb\\u001b[31m\r\nsecond\r\n"


def test_the_end_of_input_is_a_person_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D at the question is like Ctrl-C."""
    with (
        screen(monkeypatch) as there,
        pytest.raises(KeyboardInterrupt),
        terminal(TERM="xterm").open_line_reader() as typed,
    ):
        os.write(there, b"\x04")
        typed(30)


def test_an_address_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """However long: cut it would open nothing; other lines keep their limit."""
    address = "https://id.example.com/?" + "a" * 5000
    told = terminal()
    told.show_message(address)
    told.print_note(address, whole=True)
    told.print_note(address)
    shown = capsys.readouterr().err.splitlines()
    assert shown[:2] == [f"tokencli: {address}"] * 2
    assert shown[2].endswith("…")

"""What the terminal shows while it waits for the user."""

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
    """Replace stdin and stderr by a terminal; the file descriptor is its other end."""
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


def test_messages_are_shown_even_with_q(capsys: pytest.CaptureFixture[str]) -> None:
    """A URL and a code are sanitized, on one line, and without a QR code if stderr is no terminal."""
    terminal(quiet=True).show_message(NASTY, qr="https://example.com/")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.startswith("tokencli: code ")
    assert not set(text) & set("\x1b\x07\x9b\u202e\r█▀▄")


def test_without_a_terminal_no_line_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal nothing is read, since a pipe's content has another purpose."""
    with terminal().open_line_reader() as typed:
        assert typed(30) is None


def test_a_typed_line_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None as long as there is no line; then the line without its line break."""
    with screen(monkeypatch) as there, terminal(TERM="xterm").open_line_reader() as typed:
        assert typed(0) is None
        os.write(there, b"http://127.0.0.1/callback?code=a\n")
        assert typed(30) == "http://127.0.0.1/callback?code=a"


def test_a_line_over_4095_bytes_is_read_completely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal in canonical mode would cut it at 4095 bytes; its modes are restored afterwards."""
    with screen(monkeypatch) as there:
        before = termios.tcgetattr(sys.stdin.fileno())
        with terminal(TERM="xterm").open_line_reader() as typed:
            for piece in (b"a" * 3000, b"b" * 3000, b"c\n"):
                os.write(there, piece)
                line = typed(0.2)
                os.read(there, 65536)  # the echo
        assert line == "a" * 3000 + "b" * 3000 + "c"
        assert termios.tcgetattr(sys.stdin.fileno()) == before


def test_typed_text_is_echoed_and_can_be_corrected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Backspace and Ctrl-U work as in canonical mode, and two lines are separate."""
    with screen(monkeypatch) as there, terminal(TERM="xterm").open_line_reader() as typed:
        os.write(there, b"no\x15ax\x7fb\x1b[31m\nsecond\n")
        assert (typed(30), typed(30)) == ("ab\x1b[31m", "second")
        echo = b""
        while echo.count(b"\n") < 2:
            echo += os.read(there, 1000)
    assert echo == b"no\b \b\b \bax\b \bb\\u001b[31m\r\nsecond\r\n"


def test_ctrl_d_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D at a question is like Ctrl-C."""
    with (
        screen(monkeypatch) as there,
        pytest.raises(KeyboardInterrupt),
        terminal(TERM="xterm").open_line_reader() as typed,
    ):
        os.write(there, b"\x04")
        typed(30)


def test_a_long_url_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """A URL that is cut would be useless; other lines have a limit."""
    address = "https://id.example.com/?" + "a" * 5000
    told = terminal()
    told.show_message(address)
    told.print_note(address, whole=True)
    told.print_note(address)
    shown = capsys.readouterr().err.splitlines()
    assert shown[:2] == [f"tokencli: {address}"] * 2
    assert shown[2].endswith("…")

"""QR codes in the terminal."""

import io
import os
import shutil
import sys

import pytest
import segno

from tokencli.terminal.console import StderrTerminal

URL = "https://example.com/device?user_code=WDJB-MJHT"
MODULES = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
"""Character -> dark? of the upper and lower module; light modules are drawn on a dark background."""


class TerminalStream(io.StringIO):
    """A stream that claims to be a terminal."""

    encoding = "utf-8"

    def fileno(self) -> int:
        return 99


def draw(
    text: str, monkeypatch: pytest.MonkeyPatch, *, columns: int = 80, encoding: str = "utf-8"
) -> list[str] | None:
    """Return the lines that show the QR code, or None if it is not drawn."""
    stream = TerminalStream()
    monkeypatch.setattr(stream, "encoding", encoding, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(os, "isatty", lambda fd: fd == 99)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda _=None: os.terminal_size((columns, 24)))
    terminal = StderrTerminal({"TERM": "dumb"}, no_input=False, quiet=False, verbose=0)
    drawn = terminal.show_message("open the page", qr=text)
    lines = stream.getvalue().splitlines()[1:]
    assert bool(lines) is drawn
    return lines if drawn else None


def test_the_drawing_is_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back character by character, the drawing is the code's matrix with a light border."""
    lines = draw(URL, monkeypatch)
    assert lines is not None
    rows: list[list[int]] = []
    for line in lines:
        assert line.startswith("  ")
        rows.append([MODULES[char][0] for char in line[2:]])
        rows.append([MODULES[char][1] for char in line[2:]])
    code = segno.make_qr(URL, error="l")
    expected = [list(map(int, row)) for row in code.matrix_iter(border=2)]
    assert rows[: len(expected)] == expected


def test_a_code_that_does_not_fit_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary URL fits 40 columns; a narrow terminal, ASCII or an overlong text prevents it."""
    assert draw(URL, monkeypatch, columns=40) is not None
    assert draw(URL, monkeypatch, columns=20) is None
    assert draw(URL, monkeypatch, encoding="ascii") is None
    assert draw("x" * 8000, monkeypatch) is None

"""Tables and styles: plain in a pipe, coloured in a terminal, harmless everywhere."""

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokencli.commands import tables

CELL = st.text(st.characters(categories=None), max_size=30) | st.sampled_from(
    [
        "[/]",
        "[link=https://a]x[/link]",
        ":smile:",
        "[bold]",
        "C:\\[x]",
        "\x1b]52;c;eA==\x07",
        "::x::",
    ]
)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Iterator[None]:
    """Replace stdout by a real terminal of 40 columns."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stdout, os.fdopen(ours, "rb"):
        monkeypatch.setattr(sys, "stdout", stdout)
        for name, value in {"TERM": "xterm-256color", "COLUMNS": "40", **environ}.items():
            monkeypatch.setenv(name, value)
        yield
        monkeypatch.undo()


@pytest.mark.requirement(13)
def test_pipe_gets_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FORCE_COLOR, CLICOLOR_FORCE and COLUMNS change nothing without a terminal."""
    plain = (
        tables.render_table(["name"], [["x" * 300]])
        + tables.render_styled("red", "red")
        + tables.render_bar(0.5, 4)
    )
    for name, value in {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "COLUMNS": "20"}.items():
        monkeypatch.setenv(name, value)
    assert (
        tables.render_table(["name"], [["x" * 300]])
        + tables.render_styled("red", "red")
        + tables.render_bar(0.5, 4)
        == plain
    )
    assert plain == "name\n" + "x" * 300 + "\nred##--"


def test_columns_are_aligned() -> None:
    """Wide characters count as two columns, and no line has trailing spaces."""
    assert tables.render_table(["name", "life"], [["groupid", "9 minutes"], ["漢字", "none"]]) == (
        "name     life\ngroupid  9 minutes\n漢字     none\n"
    )


def test_terminal_gets_colours_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Styles and block characters are used in a terminal."""
    with terminal(monkeypatch):
        assert tables.render_styled("expired", "red") == "\x1b[31mexpired\x1b[0m"
        assert tables.render_bar(0.5, 4) == "██░░"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_colours_can_be_turned_off(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """NO_COLOR and TERM=dumb are honoured."""
    with terminal(monkeypatch, **environ):
        assert tables.render_styled("expired", "red") == "expired"
        assert "\x1b" not in tables.render_table(["a"], [["b"]])


def test_narrow_terminal_folds_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is too wide continues on the next line."""
    with terminal(monkeypatch, NO_COLOR="1"):
        found = tables.render_table(["a", "b"], [["x" * 60, "y" * 60]])
    assert max(map(len, found.splitlines())) <= 40
    assert (found.count("x"), found.count("y")) == (60, 60)


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (0, "----"),
        (0.1, "----"),
        (0.5, "##--"),
        (1, "####"),
        (7, "####"),
        (-1, "----"),
        (float("nan"), "----"),
    ],
)
def test_bar_length(share: float, drawn: str) -> None:
    """Any number gives a bar of the same length."""
    assert tables.render_bar(share, 4) == drawn


@pytest.mark.requirement(14)
@settings(deadline=None)
@given(st.lists(st.tuples(CELL, CELL), max_size=4), CELL)
def test_no_cell_controls_a_terminal(rows: list[tuple[str, str]], head: str) -> None:
    """For all code points only our own newlines are unprintable, and markup is not interpreted."""
    for found in (tables.render_table([head, "b"], rows), tables.render_styled(head, "red")):
        assert all(line.isprintable() for line in found.split("\n"))
        assert not any(line.lstrip().startswith("::") for line in found.split("\n"))
    assert "[/]" in tables.render_table(["a"], [["[/] :smile: [red]x[/red]"]])
    assert ":smile: [red]x[/red]" in tables.render_table(["a"], [["[/] :smile: [red]x[/red]"]])

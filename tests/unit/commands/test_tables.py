"""Text for people: exact in a pipe, coloured on a terminal that wants it, harmless everywhere."""

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
    """Make stdout a real terminal of 40 columns."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stdout, os.fdopen(ours, "rb"):
        monkeypatch.setattr(sys, "stdout", stdout)
        for name, value in {"TERM": "xterm-256color", "COLUMNS": "40", **environ}.items():
            monkeypatch.setenv(name, value)
        yield
        monkeypatch.undo()


@pytest.mark.requirement(13)
def test_a_pipe_gets_plain_text_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FORCE_COLOR, CLICOLOR_FORCE and COLUMNS change nothing where no terminal is."""
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
    """Wide characters count as two columns; nothing trails a line."""
    assert tables.render_table(["name", "life"], [["groupid", "9 minutes"], ["漢字", "none"]]) == (
        "name     life\ngroupid  9 minutes\n漢字     none\n"
    )


def test_a_terminal_gets_colour_and_block_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a person looks, styles and blocks are used."""
    with terminal(monkeypatch):
        assert tables.render_styled("expired", "red") == "\x1b[31mexpired\x1b[0m"
        assert tables.render_bar(0.5, 4) == "██░░"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_a_terminal_may_want_no_colour(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """NO_COLOR and TERM=dumb are honoured."""
    with terminal(monkeypatch, **environ):
        assert tables.render_styled("expired", "red") == "expired"
        assert "\x1b" not in tables.render_table(["a"], [["b"]])


def test_a_narrow_terminal_folds_and_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell too wide goes on in the next line."""
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
def test_a_bar_is_as_long_as_it_should(share: float, drawn: str) -> None:
    """Any number gives a bar of the same length."""
    assert tables.render_bar(share, 4) == drawn


@pytest.mark.requirement(14)
@settings(deadline=None)
@given(st.lists(st.tuples(CELL, CELL), max_size=4), CELL)
def test_no_cell_reaches_a_terminal_as_more_than_text(
    rows: list[tuple[str, str]], head: str
) -> None:
    """Over all code points nothing but our own newlines is unprintable, and no markup is obeyed."""
    for found in (tables.render_table([head, "b"], rows), tables.render_styled(head, "red")):
        assert all(line.isprintable() for line in found.split("\n"))
        assert not any(line.lstrip().startswith("::") for line in found.split("\n"))
    assert "[/]" in tables.render_table(["a"], [["[/] :smile: [red]x[/red]"]])
    assert ":smile: [red]x[/red]" in tables.render_table(["a"], [["[/] :smile: [red]x[/red]"]])

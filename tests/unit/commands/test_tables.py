"""Tables and styles: plain in a pipe, coloured in a terminal, harmless everywhere."""

import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokencli.commands import tables
from tokencli.commands.help import PAGES, read_page

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
    assert plain == "name\n" + "x" * 300 + "\nred==--"


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


@pytest.mark.parametrize(
    "environ",
    [
        {"NO_COLOR": "1"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"CLICOLOR": "0"},
        {"FORCE_COLOR": "0"},
        {"TERM": "dumb"},
        {"TERM": ""},
    ],
)
def test_colours_can_be_turned_off(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """NO_COLOR, CLICOLOR=0 and TERM=dumb are honoured."""
    with terminal(monkeypatch, **environ):
        assert tables.render_styled("expired", "red") == "expired"
        assert "\x1b" not in tables.render_table(["a"], [["b"]])


WORDS = st.text(st.sampled_from("ab-.é漢字e\u0301"), min_size=1, max_size=30)
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
HOSTS = st.text(st.sampled_from("abc-.4"), min_size=1, max_size=60)
WIDTHS = st.integers(20, 200)


@settings(deadline=None)
@given(st.lists(st.tuples(HOSTS, HOSTS, TEXTS), min_size=1, max_size=4), WIDTHS, st.booleans())
def test_names_and_hosts_are_never_split(
    rows: list[tuple[str, str, str]], width: int, has_optional: bool
) -> None:
    """At any width every word is whole, and no line is longer than the terminal or its longest word."""
    with pytest.MonkeyPatch.context() as patch, terminal(patch, NO_COLOR="1", COLUMNS=str(width)):
        found = tables.render_table(
            ["NAME", "HOST", "ABOUT"], rows, optional=["ABOUT"] if has_optional else []
        )
    words = found.split()
    longest = max(tables.measure_text(word) for row in rows for word in " ".join(row).split())
    for name, host, about in rows:
        assert name in words and host in words
        if "too narrow for:" not in " ".join(words) and about.isascii():
            assert set(about.split()) <= set(words)
    assert all(tables.measure_text(line) <= max(width, 7 + longest) for line in found.splitlines())


def test_the_first_column_gives_way_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prose is wrapped between words; what is optional goes before a name would be split."""
    heads, row = (
        ["NAME", "HOST", "GRANT", "ABOUT"],
        ["a-name", "host.example.com", "code", "x y " * 9],
    )
    found = {}
    for width in (80, 60, 46, 24):
        with terminal(monkeypatch, NO_COLOR="1", COLUMNS=str(width)):
            found[width] = tables.render_table(heads, [row], optional=["GRANT"]).splitlines()
    assert found[80] == [
        "NAME    HOST              GRANT  ABOUT",
        "a-name  host.example.com  code   x y x y x y x y x y x y x y x y x y",
    ]
    assert found[60] == [
        "NAME    HOST              GRANT  ABOUT",
        "a-name  host.example.com  code   x y x y x y x y x y x y x y",
        "                                 x y x y",
    ]
    assert found[46][0] == "NAME    HOST              GRANT  ABOUT"
    assert found[24] == [
        "NAME   a-name",
        "HOST   host.example.com",
        "GRANT  code",
        "ABOUT  x y x y x y x y x",
        "       y x y x y x y x y",
    ]
    with terminal(monkeypatch, NO_COLOR="1", COLUMNS="44"):
        assert tables.render_table(heads, [row], optional=["GRANT"]).splitlines()[-1] == (
            "This terminal is too narrow for: GRANT"
        )


def test_wide_text_is_wrapped_between_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chinese and Japanese have no spaces; a combining mark stays with its letter."""
    with terminal(monkeypatch, NO_COLOR="1", COLUMNS="30"):
        found = tables.render_table(["NAME", "TITLE"], [["corp", "漢字かな" * 5 + " e\u0301" * 9]])
    assert found.splitlines() == [
        "NAME  TITLE",
        "corp  漢字かな漢字かな漢字かな",
        "      漢字かな漢字かな e\u0301 e\u0301 e\u0301 e\u0301",
        "      e\u0301 e\u0301 e\u0301 e\u0301 e\u0301",
    ]


def test_cells_have_the_color_of_their_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The color ends with the text, so that padding and the next column are plain."""
    with terminal(monkeypatch):
        found = tables.render_table(["a", "b"], [[tables.Styled("bad", "red"), "x"], ["good", "y"]])
    assert found == "\x1b[1ma\x1b[0m     \x1b[1mb\x1b[0m\n\x1b[31mbad\x1b[0m   x\ngood  y\n"


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (0, "----"),
        (0.1, "----"),
        (0.5, "==--"),
        (1, "===="),
        (7, "===="),
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


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_readable_on_any_background(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Formatted pages use bold, italic, underline, red, green and magenta, and no background."""
    with terminal(monkeypatch, COLUMNS="80"):
        found = tables.render_markdown(read_page(page))
    used = {
        number for codes in re.findall(r"\x1b\[([\d;]*)m", found) for number in codes.split(";")
    }
    assert used <= {"0", "1", "3", "4", "31", "32", "35"}

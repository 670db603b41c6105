"""`tokencli help`: the manual in a terminal, in a pipe, and by wrong names."""

import os
import pty
import re
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tokencli.commands.completions import SCRIPT_RENDERERS
from tokencli.commands.help import (
    PAGES,
    link_to_help,
    list_help_topics,
    read_page,
    strip_comments,
    summarize_page,
)
from tokencli.commands.registry import COMMANDS
from tokencli.fastpath.hooks import HOOK_SHELLS
from tokencli.formats import describe_shells
from tokencli.oauth.client_authentication import AUTH_METHODS
from tokencli.oauth.grants import GRANTS
from tokencli.providers.reply_locator import PLACES
from tokencli.secret_sources import SECRET_SOURCES
from tokencli.token_store import TOKEN_STORES

TABLES = [
    ("oauth", "`{}`", [name for name in GRANTS if name != "refresh_token"]),
    ("oauth", "`{}`", AUTH_METHODS),
    ("secrets", "`{{ {} = ", SECRET_SOURCES),
    ("secrets", "`{}`", TOKEN_STORES),
    ("any-endpoint", "`{}:", PLACES),
    ("provider-reference", "`{}:", PLACES),
]
"""Page, how it writes a row's name, and the names that it has to explain."""
MANUAL = Path(__file__).parents[2] / "tokencli" / "manual"


def in_terminal(*words: str, env: Mapping[str, str]) -> str:
    """Run `tokencli` with a terminal as stdout and return what it prints there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [script(), *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **env},
    )
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    assert process.wait(30) == 0, chunks
    return b"".join(chunks).decode().replace("\r\n", "\n")


@pytest.mark.parametrize(("page", "written", "names"), TABLES)
def test_the_manual_explains_every_row(page: str, written: str, names: Iterable[str]) -> None:
    """What is added to a table of the program is also added to the page about it."""
    text = read_page(page).lower()
    assert [name for name in names if written.format(name) not in text] == []


@pytest.mark.parametrize(
    ("use", "names"),
    [
        ("`export`", [text.split()[0] for text in describe_shells()]),
        ("`hook`", HOOK_SHELLS),
        ("completion", SCRIPT_RENDERERS),
    ],
)
def test_the_platforms_page_names_every_shell(use: str, names: Iterable[str]) -> None:
    """It has a paragraph about the shells of each kind of script."""
    (line,) = re.findall(rf"^\*\*Shells for {use}\*\*.*", read_page("platforms"), re.MULTILINE)
    assert [name for name in names if not re.search(rf"\b{name}", line, re.IGNORECASE)] == []


def test_the_list_names_every_page(tokencli: Run) -> None:
    """The table of pages and the folder's files are the same; each summary fits on a line."""
    assert {path.stem for path in MANUAL.glob("*.md")} == set(PAGES)
    shown = tokencli("help")
    assert shown.code == 0
    for name in PAGES:
        summary = summarize_page(name)
        assert "\n" not in summary
        assert 20 < len(summary) < 100
        assert summary.endswith(".")
        assert any(line.split() == [name, *summary.split()] for line in shown.out.splitlines())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_a_pipe_is_plain_markdown(name: str, tokencli: Run) -> None:
    """No escapes, no comments, no links to files; the title comes first."""
    shown = tokencli("help", name, env={"FORCE_COLOR": "1", "PAGER": "false"})
    assert (shown.code, shown.err) == (0, "")
    assert "\x1b" not in shown.out
    assert "<!--" not in shown.out
    assert ".md)" not in shown.out
    title = read_page(name).splitlines()[0]
    assert title.startswith("# ")
    first = shown.out.splitlines()[0]
    if name in COMMANDS:
        assert f"`tokencli {name} --help`" in first
    else:
        assert first == title


def test_a_command_is_the_commands_own_help(tokencli: Run) -> None:
    """`help get` and `help profiles add` print what `--help` prints."""
    for words in (("get",), ("profiles", "add")):
        assert tokencli("help", *words) == tokencli(*words, "--help")


@pytest.mark.parametrize("spelling", ["Secrets", "secrets.md", "SECRETS"])
def test_a_page_is_found_by_its_file_name_too(spelling: str, tokencli: Run) -> None:
    """Case and suffix don't matter, and an underscore is a hyphen."""
    assert tokencli("help", spelling).out == tokencli("help", "secrets").out
    assert tokencli("help", "getting_started").code == 0


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("secretz",), "tokencli help secrets"),
        (("gte",), "tokencli help get"),
        (("profiles", "ad"), "tokencli help profiles add"),
        (("qqqqqq",), "tokencli help"),
        (("../secrets",), "tokencli help secrets"),
        (("x" * 100_000,), "tokencli help"),
        (("\x1b[31m\n::add-mask::x",), "tokencli help"),
        (("get", "nothing"), "tokencli help get"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_unknown_topic_names_similar_ones(
    words: tuple[str, ...], near: str, tokencli: Run
) -> None:
    """Exit code 2, nothing on stdout, a command that works, and no control character."""
    shown = tokencli("help", *words)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.splitlines()[-1] == f"tokencli: fix: {near}"
    assert len(shown.err) < 500
    assert all(line.startswith("tokencli: ") for line in shown.err.splitlines())
    assert "\x1b" not in shown.err
    assert tokencli(*near.split()[1:]).code == 0


def test_a_terminal_gets_a_formatted_page_in_the_pager(tmp_path: Path) -> None:
    """`$PAGER` receives the page with colours; links are commands."""
    received = tmp_path / "received"
    pager = tmp_path / "pager"
    pager.write_text(f'#!/bin/sh\nprintf "%s" "$LESS" > {received}.less; cat > {received}\n')
    pager.chmod(0o700)
    shown = in_terminal("help", "getting-started", env={"PAGER": f"{pager} -x"})
    assert shown == ""
    page = received.read_text()
    assert "\x1b[" in page
    assert "# Getting started" not in page
    assert (tmp_path / "received.less").read_text() == "FRX"


@pytest.mark.parametrize("pager", ["", "cat", "/nonexistent/pager", "'"])
def test_without_a_pager_the_page_is_printed(pager: str) -> None:
    """An empty, missing or unreadable `$PAGER` costs nobody the page."""
    assert "Getting started" in in_terminal("help", "getting-started", env={"PAGER": pager})


def test_no_color_and_dumb_terminals_get_no_escapes(tmp_path: Path) -> None:
    """`NO_COLOR` turns off colours; a dumb terminal has no pager either."""
    received = tmp_path / "received"
    plain = in_terminal("help", "secrets", env={"TERM": "dumb", "PAGER": f"tee {received}"})
    assert "\x1b" not in plain
    assert not received.exists()
    in_terminal("help", "secrets", env={"NO_COLOR": "1", "PAGER": f"tee {received}"})
    assert "\x1b" not in received.read_text()


def test_topics_are_completed() -> None:
    """Completion offers every page and every command."""
    from tokencli.commands.completions.command_tree import list_command_specs

    (spec,) = [spec for spec in list_command_specs() if spec.path == ("help",)]
    assert set(spec.candidates) == {*PAGES, *COMMANDS}
    assert spec.candidates == list_help_topics(tuple(COMMANDS))


def test_links_and_comments_are_for_the_forge() -> None:
    """Links become commands outside of code, and comments disappear with their lines."""
    page = (
        "# T\n\n<!-- a\nb -->\ntext <!-- c -->\n[Secrets](secrets.md#x), [here](#y)\n"
        "```sh\n[Secrets](secrets.md)\n```\n"
    )
    assert link_to_help(strip_comments(page)) == (
        "# T\n\ntext\nSecrets (`tokencli help secrets`), here\n```sh\n[Secrets](secrets.md)\n```\n"
    )


def test_the_wheel_contains_manual_man_page_and_completions(tmp_path: Path) -> None:
    """What `pip install .` installs has every page, tokencli(1) and the completion scripts."""
    hatchling = pytest.importorskip("hatchling.builders.wheel")
    built = next(
        hatchling.WheelBuilder(str(MANUAL.parents[1])).build(
            directory=str(tmp_path), versions=["standard"]
        )
    )
    names = zipfile.ZipFile(built).namelist()
    assert {f"tokencli/manual/{page}.md" for page in PAGES} <= set(names)
    shared = {name.split(".data/data/")[1] for name in names if ".data/data/" in name}
    assert shared == {
        "share/man/man1/tokencli.1",
        "share/bash-completion/completions/tokencli",
        "share/zsh/site-functions/_tokencli",
        "share/fish/vendor_completions.d/tokencli.fish",
    }

"""`tokencli help`: the manual, and the help of each command."""

import os
import re
from difflib import get_close_matches
from importlib.resources import files
from typing import Annotated, Any

import typer

from tokencli.commands import output
from tokencli.commands.options import common_options
from tokencli.commands.registry import build_cli
from tokencli.commands.tables import is_terminal_output, render_markdown, render_table
from tokencli.errors import UsageError
from tokencli.terminal.pager import page_text

INTEGRATIONS: tuple[str, ...] = (
    "powershell",
    "exec",
    "request",
    "curl",
    "proxy",
    "keep",
    "git",
    "kubernetes",
    "docker",
    "aws",
    "httpie",
    "dotenv",
    "netrc",
    "clipboard",
    "api-clients",
    "pip",
    "npm",
    "terraform",
    "ansible",
)
"""Pages about handing tokens to other programs; the page `integrations` lists them, README doesn't."""

PAGES = (
    "getting-started",
    "walkthroughs",
    "sandbox",
    "profiles",
    "secrets",
    "scripts",
    "ci",
    "integrations",
    *INTEGRATIONS,
    "sign-in",
    "oauth",
    "any-endpoint",
    "provider-reference",
    "inspect",
    "why",
    "troubleshooting",
    "error-codes",
    "security",
    "speed",
    "platforms",
    "python-api",
    "architecture",
    "testing",
)
"""The manual's pages in reading order: `tokencli/manual/NAME.md`."""

MAX_TOPIC_LENGTH = 64
"""Characters of an unknown topic that are compared and quoted."""
MAX_SUGGESTIONS = 3

_COMMENT_LINES = re.compile(r"^[ \t]*<!--.*?-->[ \t]*\n", re.DOTALL | re.MULTILINE)
_INLINE_COMMENT = re.compile(r"[ \t]*<!--.*?-->", re.DOTALL)
_FENCED_BLOCK = re.compile(r"^(```.*?^```$)", re.DOTALL | re.MULTILINE)
_PAGE_LINK = re.compile(r"\[([^\]]+)\]\(([a-z0-9-]+)\.md(?:#[^)]*)?\)")
_SECTION_LINK = re.compile(r"\[([^\]]+)\]\(#[^)]*\)")


@common_options()
def show_help(
    topic: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOPIC", help="A page of the manual, or a command."),
    ] = None,
) -> None:
    """Show the manual: list its pages, or read one.

    In a terminal a page is formatted and shown in $PAGER; in a pipe it is plain Markdown.

    \b
    tokencli help                    list the pages
    tokencli help scripts            read a page
    tokencli help profiles add       the same as: tokencli profiles add --help
    """
    root = typer.main.get_command(build_cli())
    words = topic or []
    if not words:
        output.write_stdout(_render_page_list())
        return
    page = _normalize_topic(words[0]) if len(words) == 1 else ""
    if page in PAGES:
        _show_page(_render_page(page, is_command=page in _subcommands(root)))
        return
    if _find_command(root, words) is None:
        raise _unknown_topic(root, words)
    root.main(args=[*words, "--help"], prog_name="tokencli", standalone_mode=False)


def list_help_topics(command_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return everything that `tokencli help` accepts as its first word."""
    return tuple(dict.fromkeys((*PAGES, *command_names)))


def read_page(name: str) -> str:
    """Return a page of the manual as it is written."""
    return (files("tokencli") / "manual" / f"{name}.md").read_text(encoding="utf-8")


def summarize_page(name: str) -> str:
    """Return a page's summary: the first paragraph below its title."""
    return strip_comments(read_page(name)).split("\n\n", 2)[1].strip()


def strip_comments(text: str) -> str:
    """Remove HTML comments: they mark generated blocks and speak to contributors."""
    without = _INLINE_COMMENT.sub("", _COMMENT_LINES.sub("", text))
    return re.sub(r"\n{3,}", "\n\n", without)


def link_to_help(text: str) -> str:
    """Replace links to pages by the commands that show them, except in code blocks."""
    parts = _FENCED_BLOCK.split(text)
    parts[::2] = [
        _SECTION_LINK.sub(r"\1", _PAGE_LINK.sub(r"\1 (`tokencli help \2`)", part))
        for part in parts[::2]
    ]
    return "".join(parts)


def _render_page_list() -> str:
    table = render_table(("TOPIC", "SUMMARY"), [(name, summarize_page(name)) for name in PAGES])
    return (
        f"{table}\n"
        "Read a page:          tokencli help TOPIC\n"
        "Options of a command: tokencli COMMAND --help\n"
    )


def _render_page(name: str, *, is_command: bool) -> str:
    text = link_to_help(strip_comments(read_page(name)))
    if is_command:
        return f"For the command's options, run `tokencli {name} --help`.\n\n{text}"
    return text


def _show_page(markdown: str) -> None:
    """Print a page: formatted and paged in a terminal, as Markdown anywhere else."""
    if not is_terminal_output():
        output.write_stdout(markdown)
        return
    rendered = render_markdown(markdown)
    if not page_text(rendered, os.environ):
        output.write_stdout(rendered)


def _normalize_topic(word: str) -> str:
    return word.lower().removesuffix(".md").replace("_", "-")


def _subcommands(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def _find_command(root: Any, words: list[str]) -> Any | None:
    """Return the command of that path, or None if there is none."""
    command = root
    for word in words:
        command = _subcommands(command).get(word)
        if command is None:
            return None
    return command


def _unknown_topic(root: Any, words: list[str]) -> UsageError:
    shown = " ".join(words)[:MAX_TOPIC_LENGTH]
    parent = _find_command(root, words[:1]) if len(words) > 1 else None
    if parent is not None:
        prefix, word = f"{words[0]} ", words[1]
        topics = tuple(_subcommands(parent))
    else:
        prefix, word = "", words[0]
        topics = list_help_topics(tuple(_subcommands(root)))
    near = get_close_matches(
        _normalize_topic(word[:MAX_TOPIC_LENGTH]), topics, MAX_SUGGESTIONS, cutoff=0.6
    )
    # First the topics that start with the word, then those with the same letters in another order.
    near.sort(key=lambda name: (not name.startswith(word), sorted(name) != sorted(word)))
    return UsageError(
        f"no help topic {shown!r}",
        cause=f"similar topics: {', '.join(prefix + name for name in near)}" if near else None,
        fix=f"tokencli help {prefix}{near[0] if near else ''}".rstrip(),
    )

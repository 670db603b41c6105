"""The man page tokencli(1), made from the commands: compared by a test, written by `python -m tests.documents`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tokencli import __version__
from tokencli.commands.help import read_page
from tokencli.commands.registry import build_cli

FILE = Path(__file__).parent.parent / "tokencli" / "manual" / "tokencli.1"
ENVIRONMENT = {
    "TOKENCLI_CONFIG": "The configuration file, unless --config names one.",
    "TOKENCLI_PROFILE": "The profile, unless the command line names one.",
    "PAGER": "The program that shows pages of the manual; less by default.",
    "BROWSER": "The browser for signing in.",
    "EDITOR": "The editor of tokencli profiles edit.",
    "HTTPS_PROXY, NO_PROXY": "The proxy, unless the profile sets one.",
    "NO_COLOR": "Turns colors off.",
    "CI": "If set, nothing is asked.",
}
FILES = {
    "~/.config/tokencli/config.toml": "The configuration.",
    "~/.local/state/tokencli": "Locks, journals and the token files of the store file.",
    "$XDG_RUNTIME_DIR/tokencli": "The store runtime, and copies of access tokens in memory.",
}
EXIT_CODE = re.compile(r"^\| *([0-9, ]+?) *\| *(.*?) *\|", re.MULTILINE)


def render_man_page() -> str:
    """Return the page as roff, in the man(7) macros."""
    root = typer.main.get_command(build_cli())
    lines = [
        f'.TH TOKENCLI 1 "" "tokencli {__version__}" "User Commands"',
        ".SH NAME",
        f"tokencli \\- {_escape(_first_sentence(root.help or '')).rstrip('.').lower()}",
        ".SH SYNOPSIS",
        ".B tokencli",
        r"\fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        *_render_help_text(root.help or ""),
        ".SH COMMANDS",
        *_render_commands(root, ()),
        ".SH EXIT STATUS",
    ]
    for code, meaning in EXIT_CODE.findall(read_page("troubleshooting")):
        lines += [".TP", _escape(code), _escape(_plain(meaning))]
    for title, rows in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines.append(f".SH {title}")
        for name, about in rows.items():
            lines += [".TP", f".B {_escape(name)}", _escape(about)]
    lines += [".SH SEE ALSO", "The manual: \\fBtokencli help\\fR"]
    return "\n".join(lines) + "\n"


def _render_commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name, below in getattr(command, "commands", {}).items():
        if below.hidden:
            continue
        words = (*path, name)
        context = below.context_class(below, info_name=" ".join(("tokencli", *words)))
        usage = " ".join(below.collect_usage_pieces(context))
        yield f".SS tokencli {' '.join(words)} {_escape(usage)}"
        yield from _render_help_text(below.help or "")
        for parameter in below.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None and record[0] != "-h, --help":
                yield from (".TP", f".B {_escape(record[0])}", _escape(record[1]))
        yield from _render_commands(below, words)


def _render_help_text(text: str) -> Iterator[str]:
    """Render a help text: paragraphs, and blocks after `\\b` that keep their lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.lstrip().startswith("\b"):
            lines = [line.strip() for line in paragraph.split("\n")[1:]]
            yield from (".PP", ".nf", *(_escape(line) for line in lines), ".fi")
        else:
            yield from (".PP", _escape(" ".join(paragraph.split())))


def _first_sentence(text: str) -> str:
    return text.strip().split("\n")[0]


def _plain(text: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def _escape(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main() -> None:
    """Write the page."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(render_man_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

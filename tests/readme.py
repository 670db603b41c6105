"""The generated blocks of README.md: compared by a test, rewritten by `python -m tests.readme`.

A block lies between a comment with the command whose output it is and an end comment:
`<!-- help: tokencli get -->`, shown verbatim, or `<!-- output: tokencli … -->`, which is Markdown.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
HELP = re.compile(
    r"(?P<head><!-- help: (?P<command>tokencli[^>]*) -->\n```\n)(?P<text>.*?)(?P<foot>```\n)",
    re.DOTALL,
)
OUTPUT = re.compile(
    r"(?P<head><!-- output: (?P<command>tokencli[^>]*) -->\n)(?P<text>.*?)(?P<foot><!-- end of output -->\n)",
    re.DOTALL,
)
KINDS = {HELP: ("--help",), OUTPUT: ()}


def blocks() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return what the README shows: command -> its text, and the words that bring it."""
    text = README.read_text(encoding="utf-8")
    return {
        found["command"]: (found["text"], more)
        for pattern, more in KINDS.items()
        for found in pattern.finditer(text)
    }


def said(command: str, more: tuple[str, ...]) -> str:
    """Return what the command itself says."""
    program = Path(sys.executable).with_name("tokencli")
    done = subprocess.run(
        [program, *command.split()[1:], *more],
        env={**os.environ, "COLUMNS": "100", "TERM": "dumb"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def main() -> None:
    """Write every block anew."""
    text = README.read_text(encoding="utf-8")
    for pattern, more in KINDS.items():
        text = pattern.sub(
            lambda found, more=more: found["head"] + said(found["command"], more) + found["foot"],  # type: ignore[misc]
            text,
        )
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

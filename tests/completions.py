"""The committed completion scripts: compared by a test, rewritten by `python -m tests.completions`."""

from pathlib import Path

from tokencli.commands.completions import render_completion_script
from tokencli.commands.completions.command_tree import list_command_specs

FOLDER = Path(__file__).parent.parent / "completions"
FILES = {
    "bash": "tokencli.bash",
    "zsh": "_tokencli",
    "fish": "tokencli.fish",
    "powershell": "tokencli.ps1",
}
"""Shell -> the name of its script."""


def main() -> None:
    """Rewrite every script."""
    commands = list_command_specs()
    for shell, name in FILES.items():
        (FOLDER / name).write_text(render_completion_script(shell, commands), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The input of a completion script: the commands with their options and candidates."""

from tokencli.fast_dataclass import dataclass

PROFILES_PLACEHOLDER = "<profiles>"
FILES_PLACEHOLDER = "<files>"
COMMANDS_PLACEHOLDER = "<commands>"
"""Placeholders for candidates that are only known at completion time."""


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option of a command."""

    names: tuple[str, ...]
    help: str
    value_name: str | None
    """The metavar of its value; None for a flag."""
    candidates: tuple[str, ...] = ()
    """The words that can be its value."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command: its path, options, subcommands, and the words that can be its argument."""

    path: tuple[str, ...]
    help: str
    options: tuple[OptionSpec, ...]
    candidates: tuple[str, ...]
    subcommands: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the path as it is typed, e.g. `profiles add`."""
        return " ".join(self.path)


def quote_posix(text: str) -> str:
    """Return text in single quotes for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"

"""What can be typed after `tokencli`, read off the commands themselves; completion is made of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from tokencli.fast_dataclass import dataclass

PROFILES_PLACEHOLDER, FILES_PLACEHOLDER, COMMANDS_PLACEHOLDER = (
    "<profiles>",
    "<files>",
    "<commands>",
)
"""Words that only the moment of completion knows."""


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option: its names, and the words that may stand after it."""

    names: tuple[str, ...]
    help: str
    value_name: str | None
    """What its value is called; None for a flag."""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command: its path, its options, the words of its argument."""

    path: tuple[str, ...]
    help: str
    options: tuple[OptionSpec, ...]
    candidates: tuple[str, ...]
    subcommands: tuple[str, ...] = ()
    """The names of its subcommands."""

    @property
    def name(self) -> str:
        """Return the path in one: `profiles add`."""
        return " ".join(self.path)


def list_command_specs() -> tuple[CommandSpec, ...]:
    """Return every command, the bare `tokencli` first."""
    from tokencli.commands.registry import build_cli

    return tuple(_walk_commands(typer.main.get_command(build_cli()), ()))


def _walk_commands(node: Any, path: tuple[str, ...]) -> Iterator[CommandSpec]:
    below: Mapping[str, Any] = getattr(node, "commands", {})
    shown = {name: one for name, one in below.items() if not one.hidden}
    parameters = [one for one in node.params if not getattr(one, "hidden", False)]
    options = [
        _build_option_spec(one, path) for one in parameters if one.param_type_name == "option"
    ]
    options.append(OptionSpec(("--help", "-h"), "Show this message and exit.", None))
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    words = _find_candidates("", arguments[0].metavar or "", path) if arguments else ()
    yield CommandSpec(path, _first_line(node.help), tuple(options), words, tuple(shown))
    for name, one in shown.items():
        yield from _walk_commands(one, (*path, name))


def _build_option_spec(parameter: Any, path: tuple[str, ...]) -> OptionSpec:
    flag = parameter.is_flag or parameter.count
    takes = None if flag else parameter.metavar or parameter.name.upper()
    words = () if flag else _find_candidates(parameter.opts[0], takes or "", path)
    return OptionSpec(tuple(parameter.opts), _first_line(parameter.help), takes, words)


def _find_candidates(option: str, metavar: str, path: tuple[str, ...]) -> tuple[str, ...]:
    from tokencli.commands.help import list_help_topics
    from tokencli.commands.registry import COMMANDS
    from tokencli.fastpath.hooks import SCHEDULE_STATEMENTS
    from tokencli.formats import DIALECTS, TOKEN_FORMATS
    from tokencli.providers.catalog import BUILTIN_NAMES

    known = {
        ("get", "--format"): tuple(TOKEN_FORMATS),
        ("export", "--format"): tuple(DIALECTS),
        ("export", "--shell"): tuple(DIALECTS),
        ("profiles add", "--provider"): BUILTIN_NAMES,
        ("hook", ""): tuple(SCHEDULE_STATEMENTS),
        ("completion", ""): ("bash", "zsh", "fish", "powershell"),
        ("help", ""): list_help_topics(tuple(COMMANDS)),
        ("profiles add", ""): (),
    }
    at = (" ".join(path), option)
    if at in known:
        return known[at]
    if option == "--profile" or metavar.strip("[").startswith("PROFILE"):
        return (PROFILES_PLACEHOLDER,)
    if path[:1] == ("profiles",) and not option and metavar.strip("[]") == "NAME":
        return (PROFILES_PLACEHOLDER,)
    return {"FILE": (FILES_PLACEHOLDER,), "COMMAND": (COMMANDS_PLACEHOLDER,)}.get(metavar, ())


def _first_line(text: str | None) -> str:
    """Return the first line of a help text."""
    return (text or "").strip().split("\n")[0].strip()

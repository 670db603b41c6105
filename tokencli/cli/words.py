"""What can be typed after `tokencli`, read off the commands themselves; completion is made of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from tokencli.frozen import dataclass

PROFILES, FILES, COMMANDS = "<profiles>", "<files>", "<commands>"
"""Words that only the moment of completion knows."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names, and the words that may stand after it."""

    names: tuple[str, ...]
    help: str
    takes: str | None
    """What its value is called; None for a flag."""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its path, its options, the words of its argument."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    words: tuple[str, ...]
    below: tuple[str, ...] = ()
    """The names of its subcommands."""

    @property
    def name(self) -> str:
        """Return the path in one: `profiles add`."""
        return " ".join(self.path)


def commands() -> tuple[Command, ...]:
    """Return every command, the bare `tokencli` first."""
    from tokencli.cli.main import build

    return tuple(_walk(typer.main.get_command(build()), ()))


def _walk(node: Any, path: tuple[str, ...]) -> Iterator[Command]:
    below: Mapping[str, Any] = getattr(node, "commands", {})
    shown = {name: one for name, one in below.items() if not one.hidden}
    parameters = [one for one in node.params if not getattr(one, "hidden", False)]
    options = [_option(one, path) for one in parameters if one.param_type_name == "option"]
    options.append(Option(("--help", "-h"), "Show this message and exit.", None))
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    words = _words("", arguments[0].metavar or "", path) if arguments else ()
    yield Command(path, _sentence(node.help), tuple(options), words, tuple(shown))
    for name, one in shown.items():
        yield from _walk(one, (*path, name))


def _option(parameter: Any, path: tuple[str, ...]) -> Option:
    flag = parameter.is_flag or parameter.count
    takes = None if flag else parameter.metavar or parameter.name.upper()
    words = () if flag else _words(parameter.opts[0], takes or "", path)
    return Option(tuple(parameter.opts), _sentence(parameter.help), takes, words)


def _words(option: str, metavar: str, path: tuple[str, ...]) -> tuple[str, ...]:
    from tokencli.cli.hooked import SHELLS
    from tokencli.formats import DIALECTS, TOKEN_FORMATS
    from tokencli.providers.catalog import BUILTIN

    known = {
        ("get", "--format"): tuple(TOKEN_FORMATS),
        ("export", "--format"): tuple(DIALECTS),
        ("export", "--shell"): tuple(DIALECTS),
        ("profiles add", "--provider"): BUILTIN,
        ("hook", ""): tuple(SHELLS),
        ("completion", ""): ("bash", "zsh", "fish", "powershell"),
        ("profiles add", ""): (),
    }
    at = (" ".join(path), option)
    if at in known:
        return known[at]
    if option == "--profile" or metavar.strip("[").startswith("PROFILE"):
        return (PROFILES,)
    if path[:1] == ("profiles",) and not option and metavar.strip("[]") == "NAME":
        return (PROFILES,)
    return {"FILE": (FILES,), "COMMAND": (COMMANDS,)}.get(metavar, ())


def _sentence(text: str | None) -> str:
    """Return the first line of a help text."""
    return (text or "").strip().split("\n")[0].strip()

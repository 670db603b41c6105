"""Derive the completion specs of all commands from Typer's command tree."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any
from unicodedata import normalize

import typer

from tokencli.commands.completions import (
    COMMANDS_PLACEHOLDER,
    FILES_PLACEHOLDER,
    PROFILES_PLACEHOLDER,
    SCRIPT_RENDERERS,
    CommandSpec,
    OptionSpec,
)
from tokencli.commands.help import PAGES, list_help_topics, summarize_page
from tokencli.commands.registry import ALIASES, COMMANDS, build_cli
from tokencli.fastpath.hooks import HOOK_SHELLS
from tokencli.formats import DIALECTS, TOKEN_FORMATS
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin

_CANDIDATES = {
    ("get", "--format"): tuple(TOKEN_FORMATS),
    ("export", "--format"): tuple(DIALECTS),
    ("export", "--shell"): tuple(DIALECTS),
    ("profiles add", "--provider"): BUILTIN_NAMES,
    ("profiles copy", "--provider"): BUILTIN_NAMES,
    ("profiles edit", "--provider"): BUILTIN_NAMES,
    ("profiles add", ""): (),
    ("hook", ""): tuple(HOOK_SHELLS),
    ("completion", ""): tuple(SCRIPT_RENDERERS),
    ("help", ""): list_help_topics(tuple(COMMANDS)),
}
"""Command and option (empty: its first argument) -> candidates that their metavar doesn't imply."""


def _describe_format(name: str) -> str:
    """Return the first line of the format's module."""
    module, _, _ = {**TOKEN_FORMATS, **DIALECTS}[name].partition(":")
    return import_module(module).__doc__ or ""


def _describe_topic(name: str) -> str:
    return summarize_page(name) if name in PAGES else f"The help of `tokencli {name}`."


_DESCRIPTIONS: dict[tuple[str, ...], Callable[[str], str]] = {
    tuple(TOKEN_FORMATS): _describe_format,
    tuple(DIALECTS): _describe_format,
    BUILTIN_NAMES: lambda name: load_builtin(name).title,
    _CANDIDATES["help", ""]: _describe_topic,
}
"""Candidates -> how each is described."""


def list_command_specs() -> tuple[CommandSpec, ...]:
    """Return the spec of every visible command, `tokencli` itself first."""
    return tuple(_walk_commands(typer.main.get_command(build_cli()), ()))


def _walk_commands(command: Any, path: tuple[str, ...]) -> Iterator[CommandSpec]:
    subcommands: Mapping[str, Any] = getattr(command, "commands", {})
    visible = {name: sub for name, sub in subcommands.items() if not sub.hidden}
    parameters = [p for p in command.params if not getattr(p, "hidden", False)]
    options = [_build_option_spec(p, path) for p in parameters if p.param_type_name == "option"]
    options.append(OptionSpec(("--help", "-h"), "Show this message and exit.", None))
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    candidates = _find_candidates("", arguments[0].metavar or "", path) if arguments else ()
    text, names = _first_line(command.help), tuple(visible)
    aliases = tuple(alias for alias, name in ALIASES.items() if path[1:] == (name,))
    descriptions = _describe_candidates(candidates)
    yield CommandSpec(path, text, tuple(options), candidates, names, aliases, descriptions)
    for name, sub in visible.items():
        yield from _walk_commands(sub, (*path, name))


def _build_option_spec(parameter: Any, path: tuple[str, ...]) -> OptionSpec:
    names, text = tuple(parameter.opts), _first_line(parameter.help)
    if parameter.is_flag or parameter.count:
        return OptionSpec(names, text, None)
    metavar = parameter.metavar or parameter.name.upper()
    candidates = _find_candidates(parameter.opts[0], metavar, path)
    return OptionSpec(names, text, metavar, candidates, _describe_candidates(candidates))


def _find_candidates(option: str, metavar: str, path: tuple[str, ...]) -> tuple[str, ...]:
    key = (" ".join(path), option)
    if key in _CANDIDATES:
        return _CANDIDATES[key]
    if option == "--profile" or metavar.strip("[").startswith("PROFILE"):
        return (PROFILES_PLACEHOLDER,)
    if path[:1] == ("profiles",) and not option and metavar.strip("[]") == "NAME":
        return (PROFILES_PLACEHOLDER,)
    return {"FILE": (FILES_PLACEHOLDER,), "COMMAND": (COMMANDS_PLACEHOLDER,)}.get(metavar, ())


def _describe_candidates(candidates: tuple[str, ...]) -> dict[str, str]:
    describe = _DESCRIPTIONS.get(candidates)
    return {word: _first_line(describe(word)) for word in candidates} if describe else {}


def _first_line(text: str | None) -> str:
    """Return a text's first line in ASCII, which shells read with any code page."""
    line = (text or "").strip().split("\n")[0].strip()
    return normalize("NFKD", line).encode("ascii", "ignore").decode()

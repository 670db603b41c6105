"""Command lines that run without Typer, whose import takes as long as everything else together.

They are what scripts, prompts and completions run most, and have at most the options listed here.
Each calls the function that the command of that name calls. This saves 35.6% of the instructions of
a cold `get` (Python 3.11, measured by `python -m tests.bench.start_up`).
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from tokencli.app import App
from tokencli.commands import output


class FastCommand(NamedTuple):
    """A command that can run without Typer."""

    target: str
    """`module:function`; the function gets the app, the words and the keyword arguments."""
    max_words: int = 1
    """The most words that it accepts."""
    min_words: int = 0
    """The fewest words that it needs."""
    required_option: str = ""
    """An option without which the command needs Typer."""
    options: Mapping[str, tuple[str, object]] = {}
    """Option without a value -> the keyword argument that it sets, and to what."""
    valued_options: Mapping[str, str] = {}
    """Option with a value -> the keyword argument that gets it; an option given twice needs Typer."""
    runs_command: bool = False
    """Whether the words after `--` are another program's; they are the argument `command`."""
    repeated_options: Mapping[str, str] = {}
    """Option with a value, as the next word -> the keyword argument that gets all of its values."""


_FORCE: Mapping[str, tuple[str, object]] = {"--force": ("force", True)}
_JSON_TOKEN: Mapping[str, tuple[str, object]] = {"--json": ("format_name", "json")}
_PROFILE_LIST = FastCommand(
    "tokencli.commands.profiles_view:print_profile_list",
    0,
    options={"--json": ("json_output", True)},
)

FAST_COMMANDS: dict[tuple[str, ...], FastCommand] = {
    ("get",): FastCommand(
        "tokencli.commands.token_output:print_token",
        options={**_FORCE, **_JSON_TOKEN},
        valued_options={"--format": "format_name"},
    ),
    ("export",): FastCommand("tokencli.commands.token_output:print_export", options=_FORCE),
    ("refresh",): FastCommand(
        "tokencli.commands.token_output:print_refreshed_token", options=_JSON_TOKEN
    ),
    ("exec",): FastCommand(
        "tokencli.commands.child_launch:launch_command",
        100,
        options=_FORCE,
        valued_options={"--var": "variable"},
        runs_command=True,
    ),
    ("request",): FastCommand(
        "tokencli.commands.request_call:run_request",
        3,
        2,
        options={
            **dict.fromkeys(("--include", "-i"), ("include", True)),
            **dict.fromkeys(("--fail", "-f"), ("fail", True)),
            "--anywhere": ("anywhere", True),
        },
        repeated_options={
            **dict.fromkeys(("--request", "-X"), "methods"),
            **dict.fromkeys(("--header", "-H"), "headers"),
            **dict.fromkeys(("--data", "-d"), "data"),
            "--json": "json",
            **dict.fromkeys(("--form", "-F"), "form"),
            **dict.fromkeys(("--output", "-o"), "output"),
        },
    ),
    ("curl",): FastCommand(
        "tokencli.commands.curl_launch:launch_curl",
        options={"--anywhere": ("anywhere", True)},
        runs_command=True,
    ),
    ("profiles",): _PROFILE_LIST,
    ("profiles", "list"): _PROFILE_LIST,
    ("profiles", "ls"): _PROFILE_LIST,
    ("completion",): FastCommand(
        "tokencli.commands.fast_commands:print_profile_names",
        required_option="--profiles",
        options={"--json": ("json_output", True)},
    ),
    ("hook",): FastCommand(
        "tokencli.commands.hook_renewal:print_renewal", 100, 1, required_option="--renew"
    ),
    ("git-credential",): FastCommand(
        "tokencli.commands.git_protocol:answer_git",
        2,
        1,
        valued_options={"--username": "username"},
        repeated_options={"--host": "servers"},
    ),
}
"""The first words of a command line -> how it runs without Typer."""

BLOCKED_MODULES = ("chardet", "charset_normalizer")
"""Modules that requests imports, if installed, to guess the encoding of pages; replies name theirs."""


def find_fast_command(argv: Sequence[str]) -> Callable[[], int | None] | None:
    """Return the function that runs this command line, or None if it needs Typer.

    It returns the exit code, if that isn't 0.
    """
    if "_TOKENCLI_COMPLETE" in os.environ:
        return None
    name = next((tuple(argv[:n]) for n in (2, 1) if tuple(argv[:n]) in FAST_COMMANDS), ())
    if not name:
        return None
    command, rest = FAST_COMMANDS[name], list(argv[len(name) :])
    settings: dict[str, object] = {}
    if command.runs_command:
        if "--" not in rest:
            return None
        end = rest.index("--")
        settings["command"] = rest[end + 1 :]
        rest = rest[:end]
    if command.required_option and command.required_option in rest[:2]:
        rest.remove(command.required_option)
    elif command.required_option:
        return None
    words = []
    repeated: dict[str, list[str]] = {}
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option in command.valued_options and (equals or rest):
            keyword = command.valued_options[option]
            if keyword in settings:
                return None
            settings[keyword] = value if equals else rest.pop(0)
        elif word in command.repeated_options and rest:
            repeated.setdefault(command.repeated_options[word], []).append(rest.pop(0))
        elif word in command.options:
            keyword, setting = command.options[word]
            settings[keyword] = setting
        else:
            words.append(word)
    if not command.min_words <= len(words) <= command.max_words or any(
        word.startswith("-") for word in words
    ):
        return None
    if not sys.warnoptions:  # requests warns about the missing modules, which could be an error
        for blocked in BLOCKED_MODULES:
            sys.modules.setdefault(blocked, None)  # type: ignore[arg-type]  # None blocks the import
    settings |= repeated
    module, _, function = command.target.partition(":")
    run = getattr(import_module(module), function)
    return lambda: run(App(), *words, **settings)


def print_profile_names(app: App, prefix: str = "", *, json_output: bool = False) -> None:
    """Print the names of the profiles that start with a prefix; as JSON, with their servers."""
    names = [name for name in app.list_profile_names() if name.startswith(prefix)]
    if json_output:
        from tokencli.commands.profiles_view import summarize_profiles
        from tokencli.formats.json import dump_json_line

        output.write_stdout(dump_json_line({"profiles": summarize_profiles(app.config, names)}))
    else:
        output.write_stdout("".join(f"{name}\n" for name in names))

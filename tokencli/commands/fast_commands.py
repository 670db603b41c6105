"""Command lines that run without Typer, whose import takes as long as everything else together.

They have no options, and are what scripts, prompts and completions run most. Each does the same as
the command of that name. This saves 35.5% of the instructions of a cold `get` (Python 3.11,
measured by `python -m tests.bench.start_up`).
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from tokencli.app import App
from tokencli.commands import output

FAST_COMMANDS: dict[str, tuple[str, int, str]] = {
    "get": ("tokencli.commands.token_output:print_token", 1, ""),
    "export": ("tokencli.commands.token_output:print_export", 1, ""),
    "refresh": ("tokencli.commands.token_output:print_refreshed_token", 1, ""),
    "completion": ("tokencli.commands.fast_commands:print_profile_names", 1, "--profiles"),
    "hook": ("tokencli.commands.hook_renewal:print_renewal", 100, "--renew"),
}
"""Command -> `module:function` that gets the app and the words, the most words it accepts, and the
option that it requires, if any."""

BLOCKED_MODULES = ("chardet", "charset_normalizer")
"""Modules that requests imports, if installed, to guess the encoding of pages; replies name theirs."""


def find_fast_command(argv: Sequence[str]) -> Callable[[], None] | None:
    """Return the function that runs this command line, or None if it needs Typer."""
    if not argv or argv[0] not in FAST_COMMANDS or "_TOKENCLI_COMPLETE" in os.environ:
        return None
    target, max_words, option = FAST_COMMANDS[argv[0]]
    words = list(argv[1:])
    if option and option in words[:2]:
        words.remove(option)
    elif option:
        return None
    if len(words) > max_words or any(word.startswith("-") for word in words):
        return None
    if not sys.warnoptions:  # requests warns about the missing modules, which could be an error
        for name in BLOCKED_MODULES:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None blocks the import
    module, _, function = target.partition(":")
    run = getattr(import_module(module), function)
    return lambda: run(App(), *words)


def print_profile_names(app: App, prefix: str = "") -> None:
    """Print the names of the profiles that start with a prefix."""
    names = app.list_profile_names()
    output.write_stdout("".join(f"{name}\n" for name in names if name.startswith(prefix)))

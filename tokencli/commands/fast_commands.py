"""Command lines that run without Typer, whose import takes as long as everything else together.

They have no options, and are what scripts, prompts and completions run most. Each does the same as
the command of that name.
"""

import os
import sys
from collections.abc import Callable, Sequence

from tokencli.app import App
from tokencli.commands import output

BLOCKED_MODULES = ("chardet", "charset_normalizer")
"""Modules that requests imports, if installed, to guess the encoding of pages; replies name theirs."""


def find_fast_command(argv: Sequence[str]) -> Callable[[], None] | None:
    """Return the function that runs this command line, or None if it needs Typer."""
    if not argv or "_TOKENCLI_COMPLETE" in os.environ:
        return None
    command, max_words, option = FAST_COMMANDS.get(argv[0], (None, 0, ""))
    words = list(argv[1:])
    if option and option in words[:2]:
        words.remove(option)
    elif option:
        return None
    if command is None or len(words) > max_words or any(word.startswith("-") for word in words):
        return None
    if not sys.warnoptions:  # requests warns about the missing modules, which could be an error
        for name in BLOCKED_MODULES:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None blocks the import
    run = command
    return lambda: run(App(), words)


def _run_get(app: App, words: Sequence[str]) -> None:
    from tokencli.commands.token_output import print_token

    print_token(app, _first_word(words))


def _run_export(app: App, words: Sequence[str]) -> None:
    from tokencli.commands.token_output import print_export

    print_export(app, _first_word(words))


def _run_refresh(app: App, words: Sequence[str]) -> None:
    from tokencli.commands.token_output import print_refreshed_token

    print_refreshed_token(app, _first_word(words))


def print_profile_names(app: App, words: Sequence[str]) -> None:
    """Print the names of the profiles that start with a prefix, for `completion --profiles`."""
    prefix = _first_word(words) or ""
    output.write_stdout(
        "".join(f"{name}\n" for name in app.list_profile_names() if name.startswith(prefix))
    )


def _run_hook_renewal(app: App, words: Sequence[str]) -> None:
    from tokencli.commands.hook_renewal import render_renewal

    output.write_stdout(render_renewal(words[0] if words else "", words[1:], app))


def _first_word(words: Sequence[str]) -> str | None:
    return words[0] if words else None


FAST_COMMANDS: dict[str, tuple[Callable[[App, Sequence[str]], None], int, str]] = {
    "get": (_run_get, 1, ""),
    "export": (_run_export, 1, ""),
    "refresh": (_run_refresh, 1, ""),
    "completion": (print_profile_names, 1, "--profiles"),
    "hook": (_run_hook_renewal, 100, "--renew"),
}
"""Command -> its function, the most words it accepts, and the option that it requires, if any."""

"""The command lines that need no parsing, from `get` to what a prompt and a completion ask.

They do what the commands of the same names do, and leave Typer out, which takes as long as all the
rest together. Whatever has an option goes through Typer.
"""

import os
import sys
from collections.abc import Callable, Sequence

from tokencli.app import App, AppOptions
from tokencli.commands import output
from tokencli.models import Profile

BLOCKED_MODULES = ("chardet", "charset_normalizer")
"""Modules that requests loads where it can, to guess how a page is encoded; no token reply is guessed."""


def find_fast_command(argv: Sequence[str]) -> Callable[[], None] | None:
    """Return what the command line asks for, or None where it is not one of these."""
    if not argv or "_TOKENCLI_COMPLETE" in os.environ:
        return None
    command, most, option = FAST_COMMANDS.get(argv[0], (None, 0, ""))
    words = list(argv[1:])
    if option and option in words[:2]:
        words.remove(option)
    elif option:
        command = None
    if command is None or len(words) > most or any(word.startswith("-") for word in words):
        return None
    chosen = command
    for name in (
        () if sys.warnoptions else BLOCKED_MODULES
    ):  # requests warns, which might be an error
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # then it can't be imported
    return lambda: chosen(App(AppOptions()), words)


def print_token(app: App, words: Sequence[str]) -> None:
    """Print a token."""
    from tokencli.core.get_token import get_token as obtain
    from tokencli.formats.raw import render

    chosen = app.get_profile(_first_word(words))
    obtained = obtain(chosen, app)
    output.write_stdout(render(chosen.name, obtained.token, app.clock.now()))
    warn_if_dpop_bound(app, chosen)
    if obtained.save_error is not None:
        raise obtained.save_error


def print_export(app: App, words: Sequence[str]) -> None:
    """Print the statement that sets the profile's variable in a POSIX shell."""
    from tokencli.core import export as action

    chosen = app.get_profile(_first_word(words))
    exported = action.export_token(chosen, app, to="sh")
    output.write_stdout(exported.text)
    warn_if_dpop_bound(app, chosen)
    if exported.token_result.save_error is not None:
        raise exported.token_result.save_error


def print_refreshed_token(app: App, words: Sequence[str]) -> None:
    """Print a new token."""
    from tokencli.core.refresh import refresh_profile as renew
    from tokencli.formats.raw import render

    chosen = app.get_profile(_first_word(words))
    obtained = renew(chosen, app)
    app.terminal.print_note(f"{chosen.name}: {describe_renewal(obtained.source)}")
    output.write_stdout(render(chosen.name, obtained.token, app.clock.now()))
    warn_if_dpop_bound(app, chosen)
    if obtained.save_error is not None:
        raise obtained.save_error


def warn_if_dpop_bound(app: App, profile: Profile) -> None:
    """Say of a token that is bound to a key that it is not enough by itself (RFC 9449)."""
    if profile.dpop:
        from tokencli.formats import dpop

        app.terminal.print_warning(dpop.bound_token_warning(profile.name))


def describe_renewal(how: str) -> str:
    """Say by which way a token was renewed."""
    return {
        "stored": "another process got a new token just now",
        "refresh_token": "new token by refresh token",
    }.get(how, f"new token by the {how} grant")


def describe_source(how: str) -> str:
    """Say by which way a token came."""
    return "the stored token" if how == "stored" else describe_renewal(how)


def print_profile_names(app: App, words: Sequence[str]) -> None:
    """Print the profiles whose names begin with the word."""
    beginning = _first_word(words) or ""
    output.write_stdout(
        "".join(f"{name}\n" for name in app.list_profile_names() if name.startswith(beginning))
    )


def print_shell_renewal(app: App, words: Sequence[str]) -> None:
    """Print what renews the variables of a hooked shell."""
    from tokencli.fastpath.hooks import render_renewal

    output.write_stdout(render_renewal(words[0] if words else "", words[1:], app))


def _first_word(words: Sequence[str]) -> str | None:
    return words[0] if words else None


FAST_COMMANDS: dict[str, tuple[Callable[[App, Sequence[str]], None], int, str]] = {
    "get": (print_token, 1, ""),
    "export": (print_export, 1, ""),
    "refresh": (print_refreshed_token, 1, ""),
    "completion": (print_profile_names, 1, "--profiles"),
    "hook": (print_shell_renewal, 100, "--renew"),
}
"""Command -> the function, how many words it takes, and the option without which it is not plain."""

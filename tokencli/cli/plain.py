"""The command lines that need no parsing, from `get` to what a prompt and a completion ask.

They do what the commands of the same names do, and leave Typer out, which takes as long as all the
rest together. Whatever has an option goes through Typer.
"""

import os
import sys
from collections.abc import Callable, Sequence

from tokencli.app import App, Settings
from tokencli.cli import stdout
from tokencli.model import Profile

UNUSED = ("chardet", "charset_normalizer")
"""Modules that requests loads where it can, to guess how a page is encoded; no token reply is guessed."""


def plain(argv: Sequence[str]) -> Callable[[], None] | None:
    """Return what the command line asks for, or None where it is not one of these."""
    if not argv or "_TOKENCLI_COMPLETE" in os.environ:
        return None
    command, most, option = PLAIN.get(argv[0], (None, 0, ""))
    words = list(argv[1:])
    if option and option in words[:2]:
        words.remove(option)
    elif option:
        command = None
    if command is None or len(words) > most or any(word.startswith("-") for word in words):
        return None
    chosen = command
    for name in () if sys.warnoptions else UNUSED:  # requests warns, which might be an error
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # then it can't be imported
    return lambda: chosen(App(Settings()), words)


def get(app: App, words: Sequence[str]) -> None:
    """Print a token."""
    from tokencli.actions.get import get as obtain
    from tokencli.formats.raw import render

    chosen = app.profile(_first(words))
    obtained = obtain(chosen, app)
    stdout.emit(render(chosen.name, obtained.token, app.clock.now()))
    caution(app, chosen)
    if obtained.unsaved is not None:
        raise obtained.unsaved


def export(app: App, words: Sequence[str]) -> None:
    """Print the statement that sets the profile's variable in a POSIX shell."""
    from tokencli.actions import export as action

    chosen = app.profile(_first(words))
    exported = action.export(chosen, app, to="sh")
    stdout.emit(exported.text)
    caution(app, chosen)
    if exported.obtained.unsaved is not None:
        raise exported.obtained.unsaved


def refresh(app: App, words: Sequence[str]) -> None:
    """Print a new token."""
    from tokencli.actions.refresh import refresh as renew
    from tokencli.formats.raw import render

    chosen = app.profile(_first(words))
    obtained = renew(chosen, app)
    app.terminal.note(f"{chosen.name}: {way(obtained.how)}")
    stdout.emit(render(chosen.name, obtained.token, app.clock.now()))
    caution(app, chosen)
    if obtained.unsaved is not None:
        raise obtained.unsaved


def caution(app: App, profile: Profile) -> None:
    """Say of a token that is bound to a key that it is not enough by itself (RFC 9449)."""
    if profile.dpop:
        from tokencli.formats import dpop

        app.terminal.warn(dpop.caution(profile.name))


def way(how: str) -> str:
    """Say by which way a token was renewed."""
    return {
        "stored": "another process got a new token just now",
        "refresh_token": "new token by refresh token",
    }.get(how, f"new token by the {how} grant")


def came(how: str) -> str:
    """Say by which way a token came."""
    return "the stored token" if how == "stored" else way(how)


def names(app: App, words: Sequence[str]) -> None:
    """Print the profiles whose names begin with the word."""
    beginning = _first(words) or ""
    stdout.emit("".join(f"{name}\n" for name in app.names() if name.startswith(beginning)))


def renew(app: App, words: Sequence[str]) -> None:
    """Print what renews the variables of a hooked shell."""
    from tokencli.cli.hooked import renewal

    stdout.emit(renewal(words[0] if words else "", words[1:], app))


def _first(words: Sequence[str]) -> str | None:
    return words[0] if words else None


PLAIN: dict[str, tuple[Callable[[App, Sequence[str]], None], int, str]] = {
    "get": (get, 1, ""),
    "export": (export, 1, ""),
    "refresh": (refresh, 1, ""),
    "completion": (names, 1, "--profiles"),
    "hook": (renew, 100, "--renew"),
}
"""Command -> the function, how many words it takes, and the option without which it is not plain."""

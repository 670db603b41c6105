"""`tokencli login`."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import (
    CommonOptions,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    parse_positive_duration,
    select_profile_name,
)
from tokencli.core.login import describe_login, log_in
from tokencli.errors import UsageError
from tokencli.protocols import Terminal, WaitStatus, hide_wait
from tokencli.terminal.console import is_terminal

MAX_STDIN_BYTES = 1 << 20


@common_options(lock_timeout=True)
def login(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin",
            help="Read secrets from stdin, one per line, the user's before the client's.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also ask for secrets that are already stored.")
    ] = False,
    no_browser: Annotated[
        bool,
        typer.Option(
            "--no-browser",
            help="Show the sign-in URL instead of opening a browser, and ask for the result.",
        ),
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="DURATION",
            parser=parse_positive_duration,
            help="How long to wait for the sign-in, e.g. 15m. Also allows a sign-in without a terminal.",
        ),
    ] = None,
    scope: ScopeOption = None,
) -> None:
    """Store a profile's secrets, or sign in.

    You are asked only for secrets that belong in the OS keyring and are missing there. They are
    tested with a token request, and stored unless the server refuses them. Without a keyring, login
    shows commands that set up other sources on this machine.

    If the grant needs an interactive sign-in, a browser opens, or the URL is shown.

    \b
    tokencli login groupid
    tokencli login corp --no-browser
    printf '%s\\n' "$PASSWORD" "$CLIENT_SECRET" | tokencli login groupid --stdin
    """
    if common.no_input and wait is not None:
        raise UsageError("--no-input and --wait can't be combined")
    app = App(replace(common, no_browser=no_browser, wait=wait))
    name = select_profile_name(profile, profile_option)
    lines = _read_secret_lines(app.terminal) if stdin else None
    run_login(app, name, scope=scope, lines=lines, again=again)


def run_login(
    app: App,
    name: str | None,
    *,
    scope: str | None = None,
    lines: Sequence[str] | None = None,
    again: bool = False,
) -> None:
    """Log in to a profile and say what was received; raises TokencliError."""
    chosen = app.get_profile(name, scope=scope, anew=True)
    result = log_in(chosen, app, lines=lines, again=again)
    is_stored = app.token_store(chosen).loss_reason is None
    received = ", ".join(describe_login(chosen, result.token_result, is_stored=is_stored))
    app.terminal.print_note(f"login succeeded for {chosen.name}: {received}")
    if result.token_result.save_error is not None:
        raise result.token_result.save_error


def _read_secret_lines(terminal: Terminal) -> list[str]:
    if sys.stdin is None:
        raise UsageError("--stdin was given, but stdin is closed")
    status = WaitStatus("waiting for the secrets on stdin")
    show_wait = hide_wait if is_terminal(sys.stdin) else terminal.show_wait
    try:
        with show_wait(lambda: status, shares_terminal=True):
            text = sys.stdin.buffer.read(MAX_STDIN_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("stdin is not UTF-8 text") from None
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line:
            raise UsageError(f"line {number} of stdin is empty, but a secret can't be empty")
        if not line.isprintable():
            raise UsageError(
                f"line {number} of stdin contains a control character, which is not allowed in a secret"
            )
    return lines

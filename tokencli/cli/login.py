"""`tokencli login` and `tokencli logout`."""

import sys
from typing import Annotated

import typer

from tokencli.app import App, Settings
from tokencli.cli.options import (
    ConfigOption,
    LockTimeoutOption,
    NoInputOption,
    ProfileArgument,
    ProfileOption,
    QuietOption,
    ScopeOption,
    TimeoutOption,
    VerboseOption,
    one_profile,
    span,
)
from tokencli.errors import UsageError


def login(
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin",
            help="Read the secrets from stdin, one a line: the user's before the client's.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Ask for secrets that are stored already, too.")
    ] = False,
    no_browser: Annotated[
        bool,
        typer.Option(
            "--no-browser", help="Open no browser: show the address, take it pasted back."
        ),
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="DURATION",
            parser=span,
            help="How long to wait for somebody to sign in, as 15m; also without a terminal.",
        ),
    ] = None,
    scope: ScopeOption = None,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    lock_timeout: LockTimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Store a profile's secrets, or sign in, and try it.

    Secrets go to the OS keyring, and are proven with a token: what the server refuses is not kept,
    and what was there before is put back. Asked for is only what is missing, hidden; what a profile
    takes from elsewhere stays there.

    Where the grant wants a person to sign in, a browser opens, or the address is shown.

    \b
    tokencli login groupid
    tokencli login corp --no-browser
    printf '%s\\n' "$PASSWORD" "$CLIENT_SECRET" | tokencli login groupid --stdin
    """
    from tokencli.actions.login import login as log_in
    from tokencli.actions.login import summary

    if no_input and wait is not None:
        raise UsageError("--no-input and --wait contradict each other", hint="leave one out")
    app = App(Settings(config, timeout, lock_timeout, no_input, quiet, verbose, no_browser, wait))
    chosen = app.profile(one_profile(profile, profile_option), scope=scope, anew=True)
    done = log_in(chosen, app, lines=_lines() if stdin else None, again=again)
    brought = ", ".join(summary(chosen, done.obtained))
    app.terminal.note(f"{chosen.name}: it works: {brought}")
    if done.obtained.unsaved is not None:
        raise done.obtained.unsaved


def logout(
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="Forget the profile's secrets in the OS keyring, too."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Forget them even if the server could not revoke them."),
    ] = False,
    config: ConfigOption = None,
    timeout: TimeoutOption = None,
    no_input: NoInputOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Revoke and forget a profile's tokens, or its secrets too.

    The server is told first, where it has a revocation endpoint (RFC 7009); what it does not revoke
    is kept, unless --force, which also leaves behind what is in a keyring that can't be reached.
    Tokens go from wherever they rest; secrets only with --secrets.

    \b
    tokencli logout groupid
    tokencli logout groupid --secrets
    """
    from tokencli.actions.logout import listed
    from tokencli.actions.logout import logout as sign_out

    app = App(
        Settings(config=config, timeout=timeout, no_input=no_input, quiet=quiet, verbose=verbose)
    )
    chosen = app.profile(one_profile(profile, profile_option), anew=None)
    done = sign_out(chosen, app, secrets=secrets, force=force)
    app.terminal.note(
        f"{chosen.name}: "
        + (f"revoked {listed(done.revoked)}, " if done.revoked else "")
        + (f"{listed(done.gone)} had ended at the server already, " if done.gone else "")
        + f"forgot {done.tokens or 'no'} token{'s' if done.tokens != 1 else ''}"
        + (f" and the secrets {', '.join(done.secrets)}" if done.secrets else "")
        + ("" if secrets else "; its secrets stay (--secrets forgets them, too)")
    )


def _lines() -> list[str]:
    if sys.stdin is None:
        raise UsageError("--stdin was given, but stdin is closed")
    try:
        text = sys.stdin.buffer.read(1 << 20).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("stdin is not UTF-8 text") from None
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if lines and not lines[-1]:
        lines.pop()
    for line in lines:
        if not line or not line.isprintable():
            raise UsageError(
                "a line of stdin is empty or holds a control character; a secret does not"
            )
    return lines

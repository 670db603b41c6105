"""`tokencli login` and `tokencli logout`."""

import sys
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
from tokencli.errors import UsageError


@common_options(lock_timeout=True)
def login(
    common: CommonOptions,
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
            parser=parse_positive_duration,
            help="How long to wait for somebody to sign in, as 15m; also without a terminal.",
        ),
    ] = None,
    scope: ScopeOption = None,
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
    from tokencli.core.login import describe_login
    from tokencli.core.login import log_in as log_in

    if common.no_input and wait is not None:
        raise UsageError("--no-input and --wait contradict each other", fix="leave one out")
    app = App(replace(common, no_browser=no_browser, wait=wait))
    chosen = app.get_profile(select_profile_name(profile, profile_option), scope=scope, anew=True)
    done = log_in(chosen, app, lines=_read_secret_lines() if stdin else None, again=again)
    brought = ", ".join(describe_login(chosen, done.token_result))
    app.terminal.print_note(f"{chosen.name}: it works: {brought}")
    if done.token_result.save_error is not None:
        raise done.token_result.save_error


@common_options()
def logout(
    common: CommonOptions,
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
) -> None:
    """Revoke and forget a profile's tokens, or its secrets too.

    The server is told first, where it has a revocation endpoint (RFC 7009); what it does not revoke
    is kept, unless --force, which also leaves behind what is in a keyring that can't be reached.
    Tokens go from wherever they rest; secrets only with --secrets.

    \b
    tokencli logout groupid
    tokencli logout groupid --secrets
    """
    from tokencli.core.logout import describe_tokens
    from tokencli.core.logout import log_out as sign_out

    app = App(common)
    chosen = app.get_profile(select_profile_name(profile, profile_option), anew=None)
    done = sign_out(chosen, app, secrets=secrets, force=force)
    app.terminal.print_note(
        f"{chosen.name}: "
        + (f"revoked {describe_tokens(done.revoked)}, " if done.revoked else "")
        + (
            f"{describe_tokens(done.already_invalid)} had ended at the server already, "
            if done.already_invalid
            else ""
        )
        + f"forgot {done.token_count or 'no'} token{'s' if done.token_count != 1 else ''}"
        + (f" and the secrets {', '.join(done.secret_names)}" if done.secret_names else "")
        + ("" if secrets else "; its secrets stay (--secrets forgets them, too)")
    )


def _read_secret_lines() -> list[str]:
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

"""Get a token and print it: what `get`, `export` and `refresh` do with and without Typer.

Imports that a plain `get` doesn't need are inside the functions, because scripts run it often.
"""

import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from tokencli.app import App
from tokencli.commands import output
from tokencli.core.get_token import get_token
from tokencli.core.token_renewal import TokenResult
from tokencli.errors import StorageError, UsageError
from tokencli.formats import (
    FORMAT_VARIABLES,
    PROVIDER_USAGE_FORMATS,
    check_format_options,
    render_token,
    require_token_format,
)
from tokencli.humanize import describe_clock, format_time
from tokencli.models import Profile, Secret, TokenSet

if TYPE_CHECKING:
    from tokencli.terminal.clipboard import Clipboard


def print_token(
    app: App,
    profile_name: str | None = None,
    *,
    format_name: str = "raw",
    format_options: Mapping[str, str] | None = None,
    output_file: str | None = None,
    clip_seconds: float | None = None,
    scope: str | None = None,
    min_ttl: float | None = None,
    force: bool = False,
    interactive: bool = False,
    dry_run: bool = False,
    trace: bool = False,
) -> None:
    """Print a token as `get` does, or write it to `output_file` (`-` is stdout) in the same form.

    With `clip_seconds` it goes to the clipboard, for so long.
    """
    profile = app.get_profile(profile_name, scope=scope)
    require_token_format(
        format_name, profile_name
    )  # the fast path doesn't; before any token is fetched
    given = dict(format_options or {})
    if format_name in FORMAT_VARIABLES:
        option, variable = FORMAT_VARIABLES[format_name]
        given[option] = app.environ.get(variable, "")
    options = check_format_options(format_name, profile, given)
    write = _choose_output(app, output_file, clip_seconds)
    if dry_run:
        from tokencli.core.dry_run import render_dry_run

        output.write_stdout(render_dry_run(profile, app))
        return
    if trace:
        from tokencli.core.http_trace import TracingTransport

        app.transport = TracingTransport(app.transport, profile, app.terminal.print_note)
    result = get_token(profile, app, min_ttl=min_ttl, force=force, interactive=interactive)
    app.terminal.print_detail(describe_source(result))
    write(render_for_profile(app, profile, result.token, format_name, options), result)
    _finish(app, profile, result, warn_if_dpop=format_name != "dpop")


def print_refreshed_token(
    app: App, profile_name: str | None = None, *, format_name: str = "raw", scope: str | None = None
) -> None:
    """Get a new token, print it as `refresh` does, and say on stderr how it was obtained."""
    profile = app.get_profile(profile_name, scope=scope)
    result = get_token(profile, app, force=True, unless_sticky=True)
    app.terminal.print_note(f"{profile.name}: {describe_refresh(result)}")
    output.write_stdout(render_for_profile(app, profile, result.token, format_name, {}))
    _finish(app, profile, result)


def print_export(
    app: App,
    profile_name: str | None = None,
    *,
    to: str = "sh",
    variable: str | None = None,
    all_variables: bool = False,
    scope: str | None = None,
    min_ttl: float | None = None,
    force: bool = False,
) -> None:
    """Print the statements that set a token's variables in the shell or format `to`."""
    from tokencli.core.export import export_token

    profile = app.get_profile(profile_name, scope=scope)
    github_env = _find_github_env(app.environ) if to == "github_actions" else None
    exported = export_token(
        profile,
        app,
        to=to,
        variable=variable,
        all_variables=all_variables,
        min_ttl=min_ttl,
        force=force,
    )
    app.terminal.print_detail(describe_source(exported.token_result))
    if to == "github_actions":
        _write_github_env(exported.text, exported.secrets, github_env)
    else:
        output.write_stdout(exported.text)
    _finish(app, profile, exported.token_result)


def describe_renewal(result: TokenResult) -> str:
    """Describe how the token of a refresh was obtained."""
    if result.source != "stored":
        how = "refresh token" if result.source == "refresh_token" else f"{result.source} grant"
        return f"{'the same token again' if result.reissued else 'new token'} ({how})"
    if result.reissued:
        return "stored token; the server would return the same token, so it was not asked"
    return "another process just got a new token"


def describe_refresh(result: TokenResult) -> str:
    """Describe how the token of a refresh was obtained, and until when it is valid if that is known."""
    expiry = result.token.known_expiry
    until = "" if expiry is None else f", valid until {format_time(expiry)}"
    return f"{describe_renewal(result)}{until}"


def describe_source(result: TokenResult) -> str:
    """Describe where the token of a `get` came from."""
    if result.source != "stored" or result.reissued:
        return describe_renewal(result)
    skew = result.token.clock_skew
    return "stored token" if skew is None else f"stored token, fresh {describe_clock(skew)}"


def _choose_output(
    app: App, output_file: str | None, clip_seconds: float | None
) -> Callable[[str, TokenResult], None]:
    """Return the function that writes the token; raises StorageError if it couldn't."""
    if clip_seconds is not None:
        from tokencli.terminal.clipboard import find_clipboard

        clipboard = find_clipboard(app.environ)
        return lambda text, result: _copy(app, clipboard, text, clip_seconds, result)
    if output_file is None or output_file == "-":
        return lambda text, _: output.write_stdout(text)
    if not Path(output_file).name or output_file.endswith(os.sep):
        raise UsageError(f"--output requires the name of a file, and {output_file!r} has none")
    from tokencli.system.private_files import require_replaceable, write_private_file

    path = Path(output_file).absolute()
    require_replaceable(path)
    return lambda text, _: write_private_file(path, text.encode())


def _copy(app: App, clipboard: "Clipboard", text: str, seconds: float, result: TokenResult) -> None:
    """Put the token on the clipboard until its expiry or for so many seconds, whichever is sooner."""
    if not result.token.never_expires:
        left = result.token.remaining_lifetime(app.clock.now())
        seconds = seconds if left is None else min(seconds, max(left, 0))
    clipboard.copy(text.rstrip("\n"), seconds)
    if clipboard.is_cleared:
        app.terminal.print_note(f"copied to the clipboard, to be cleared in {ceil(seconds)} s")
    else:
        app.terminal.print_warning(
            "sent to your terminal's clipboard, if it accepts that (OSC 52); it can't be cleared from here"
        )


def render_for_profile(
    app: App, profile: Profile, token: TokenSet, format_name: str, options: Mapping[str, str]
) -> str:
    """Return the token as `get` prints it; `options` are what `check_format_options` returned."""
    secrets = None
    if format_name in PROVIDER_USAGE_FORMATS:
        from tokencli.core.secret_resolver import resolve_usage_secrets

        secrets = resolve_usage_secrets(profile, app)
    return render_token(format_name, profile, token, app.clock.now(), secrets, **options)


def _finish(app: App, profile: Profile, result: TokenResult, *, warn_if_dpop: bool = True) -> None:
    """Warn about a DPoP-bound token, and raise if the printed token could not be stored."""
    if profile.dpop and warn_if_dpop:
        from tokencli.formats.dpop import bound_token_warning

        app.terminal.print_warning(bound_token_warning(profile.name))
    if result.save_error is not None:
        raise result.save_error


def _find_github_env(environ: Mapping[str, str]) -> Path | None:
    """Return the file named by $GITHUB_ENV, or None if stdout is redirected to a file."""
    if _stdout_is_file():
        return None
    path = environ.get("GITHUB_ENV")
    if not path:
        raise UsageError(
            "not running in GitHub Actions (GITHUB_ENV is not set)",
            cause="the format github_actions is for a workflow step; to see what it prints, redirect"
            " stdout to a file",
        )
    return Path(path)


def _write_github_env(blocks: str, secrets: Sequence[Secret], github_env: Path | None) -> None:
    """Mask the secrets in the log, then append the variables to $GITHUB_ENV.

    The runner obeys commands on both stdout and stderr. If stdout is a file, as in
    `>> "$GITHUB_ENV"`, the variables go there and the masks to stderr.
    """
    from tokencli.formats.github_actions import mask_command

    masks = "".join(mask_command(secret.reveal()) for secret in secrets)
    if github_env is None:
        sys.stderr.write(masks)
        sys.stderr.flush()
        output.write_stdout(blocks)
        return
    output.write_stdout(masks)
    try:
        with github_env.open("a", encoding="ascii", newline="\n") as file:
            file.write(blocks)
    except OSError as error:
        raise StorageError(f"can't write the file of $GITHUB_ENV: {error.strerror}") from None


def _stdout_is_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False

"""`tokencli keep`."""

from pathlib import Path
from typing import Annotated

import typer

from tokencli import platforms
from tokencli.commands.keep_service import KeepService
from tokencli.commands.kept_file import KeepOptions
from tokencli.commands.options import (
    CommonOptions,
    MinTtlOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    parse_positive_duration,
    select_profile_name,
)
from tokencli.errors import UsageError
from tokencli.formats import TOKEN_FORMATS, require_token_format
from tokencli.humanize import join_alternatives

FORMATS = tuple(name for name in TOKEN_FORMATS if name != "dpop")
ALLOWED_MODE = 0o644
"""The permissions that a file with a token may have."""


@common_options(lock_timeout=True)
def keep(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PATH",
            help="File to write, or a directory (with / at the end) with the files token, expires_at"
            " and others.",
        ),
    ] = "",
    format_name: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help=f"{join_alternatives(FORMATS)}."),
    ] = "raw",
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="Write a text with values, e.g. 'token={{ access_token }}'.",
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="For netrc: the host's URL.")
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE", help="Permissions of the files, e.g. 0640.")
    ] = "0600",
    once: Annotated[bool, typer.Option("--once", help="Write the token once, then end.")] = False,
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Run this after each write: words quoted as for a shell, run without one.",
        ),
    ] = None,
    command_timeout: Annotated[
        float,
        typer.Option(
            "--exec-timeout",
            metavar="DURATION",
            parser=parse_positive_duration,
            help="How long that command may take.",
        ),
    ] = "30s",  # type: ignore[assignment]  # Typer parses the default as well
    min_ttl: MinTtlOption = None,
    scope: ScopeOption = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", metavar="FILE", help="File for metrics, e.g. of node_exporter (.prom)."
        ),
    ] = None,
    remove_expired: Annotated[
        bool, typer.Option("--remove-expired", help="Remove a token that has expired.")
    ] = False,
    remove_at_end: Annotated[
        bool, typer.Option("--remove-at-end", help="Remove the token when this ends.")
    ] = False,
    wait_for_fix: Annotated[
        bool,
        typer.Option(
            "--wait-for-fix",
            help="Don't end if a person is needed; wait for a change of the configuration or secret.",
        ),
    ] = False,
) -> int:
    """Keep a fresh token in a file, as a service or sidecar.

    The token is renewed when a fifth of its lifetime is left, and the file is replaced atomically.
    If the server is down, the old token stays and the renewal is tried again. If the credentials are
    refused, the server is not asked again until something changes; once no valid token is left, this
    ends with exit code 4 or 5. SIGHUP renews the token at once. Supports systemd's Type=notify and
    watchdog.

    \b
    tokencli keep groupid --to /run/tokens/groupid
    tokencli keep groupid --to /run/tokens/groupid --exec 'systemctl reload nginx'
    tokencli keep groupid --to /tokens/groupid/ --mode 0640
    tokencli keep groupid --to /tokens/groupid/ --once
    """
    if template is not None and format_name == "raw":
        format_name = "template"
    require_token_format(format_name)
    if format_name not in FORMATS:
        raise UsageError(
            f"--format {format_name} can't be kept in a file",
            cause="each request needs its own proof",
        )
    if not to:
        raise UsageError("--to is required: the file to write")
    with KeepService(
        KeepOptions(
            profile=select_profile_name(profile, profile_option),
            path=Path(to),
            is_directory=to.endswith("/") or (Path(to).is_dir() and not Path(to).is_symlink()),
            format_name=format_name,
            format_options={
                name: value
                for name, value in {"template": template, "url": url}.items()
                if value is not None
            },
            mode=parse_mode(mode),
            scope=scope,
            min_ttl=min_ttl,
            command=parse_command(command),
            command_timeout=command_timeout,
            metrics=Path(metrics) if metrics is not None else None,
            removes_expired=remove_expired,
            removes_at_end=remove_at_end,
            waits_for_fix=wait_for_fix,
        ),
        common,
    ) as service:
        return service.run_once() if once and not wait_for_fix else service.run(once=once)


def parse_mode(text: str) -> int:
    """Parse octal permissions; only the owner may write, and the owner must be able to read."""
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if mode < 0 or mode & ~ALLOWED_MODE or not mode & 0o400:
        raise UsageError(
            f"--mode {text}: must be octal permissions that let the owner read and only the owner write",
            fix="use e.g. 0600 for this user only, or 0640 for its group as well",
        )
    return mode


def parse_command(text: str | None) -> list[str]:
    """Split a command line into words as the system does, without expanding anything."""
    if text is None:
        return []
    try:
        words = platforms.current().split_command(text)
    except ValueError as error:
        raise UsageError(f"--exec {text!r}: {error}") from None
    if not words:
        raise UsageError("--exec: the command is empty")
    return words

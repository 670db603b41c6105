"""`tokencli get`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import (
    CommonOptions,
    ForceOption,
    JsonOption,
    MinTtlOption,
    ProfileArgument,
    ProfileOption,
    ScopeOption,
    common_options,
    parse_positive_duration,
    select_profile_name,
)
from tokencli.commands.token_output import print_token
from tokencli.errors import UsageError
from tokencli.formats import TOKEN_FORMATS, require_token_format
from tokencli.humanize import join_alternatives

CLIP_SECONDS = 45.0
"""How long a token stays on the clipboard."""


@common_options(lock_timeout=True)
def get(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    format_name: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help=f"{join_alternatives(TOKEN_FORMATS)}."),
    ] = "raw",
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="Print a text with values, e.g. '{{ access_token }}'.",
        ),
    ] = None,
    json_output: JsonOption = False,
    output_file: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to a file that only you can read, instead of stdout.",
        ),
    ] = None,
    clip: Annotated[
        bool, typer.Option("--clip", help="Copy to the clipboard, instead of stdout.")
    ] = False,
    clip_clear: Annotated[
        float | None,
        typer.Option(
            "--clip-clear",
            metavar="DURATION",
            parser=parse_positive_duration,
            help="When to clear the clipboard (default: 45s, or when the token expires).",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", metavar="METHOD", help="For dpop: the request's method (default: GET)."
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="For dpop: the request's URL. For netrc: the host's."
        ),
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option("--nonce", metavar="NONCE", help="For dpop: the API's DPoP-Nonce header."),
    ] = None,
    min_ttl: MinTtlOption = None,
    force: ForceOption = False,
    scope: ScopeOption = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", help="Start an interactive sign-in if the grant requires one."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the request, secrets masked, without sending it."),
    ] = False,
    trace: Annotated[
        bool,
        typer.Option("--trace", help="Log requests and responses to stderr, secrets masked."),
    ] = False,
) -> None:
    """Print a token, fetching a new one only if needed.

    A stored token is printed while it is fresh; otherwise it is refreshed, or a new one is
    requested. Only the token goes to stdout.

    \b
    tokencli get groupid
    tokencli get groupid --format header | curl -H @- https://api.example.com/
    tokencli get groupid --min-ttl 5m --json
    tokencli get groupid --format curl | curl -K- https://api.example.com/
    tokencli get groupid --template 'token={{ access_token }}' --output app.conf
    tokencli get corp --format dpop --url https://api.example.com/x | curl -H @- https://api.example.com/x
    """
    places = {"--clip": clip, "--output": output_file is not None, "--dry-run": dry_run}
    if len(chosen := [option for option, is_given in places.items() if is_given]) > 1:
        raise UsageError(f"{' and '.join(chosen)} can't be combined", fix="tokencli get --help")
    if json_output and template is not None:
        raise UsageError("--json and --template can't be combined", fix="tokencli get --help")
    if clip_clear is not None and not clip:
        raise UsageError("--clip-clear requires --clip", fix="tokencli get --help")
    if template is not None and format_name == "raw":
        format_name = "template"
    format_name = "json" if json_output else format_name
    name = select_profile_name(profile, profile_option)
    require_token_format(format_name, name)
    given = {"method": method, "url": url, "nonce": nonce, "template": template}
    print_token(
        App(common),
        name,
        format_name=format_name,
        format_options={name: value for name, value in given.items() if value is not None},
        output_file=output_file,
        clip_seconds=(clip_clear or CLIP_SECONDS) if clip else None,
        scope=scope,
        min_ttl=min_ttl,
        force=force,
        interactive=interactive,
        dry_run=dry_run,
        trace=trace,
    )

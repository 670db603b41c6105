"""`tokencli curl`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.curl_launch import launch_curl
from tokencli.commands.options import (
    COMMAND_KEY,
    CommandAfterDashes,
    CommonOptions,
    MinTtlOption,
    ProfileArgument,
    ProfileOption,
    common_options,
    select_profile_name,
)


class CurlArgumentsAfterDashes(CommandAfterDashes):
    """The words after `--` are curl's."""

    usage_after_dashes = ("CURL_OPTIONS_AND_URL...",)
    options_of_both = ("-v", "-q")
    begins_with_option = True


@common_options(lock_timeout=True)
def curl(
    context: typer.Context,
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    min_ttl: MinTtlOption = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Send the token to another server than the API's.")
    ] = False,
) -> int:
    """Run curl with a token.

    curl gets the token on a descriptor, so that no other user can see it in the list of processes. It
    replaces tokencli, so its output and its exit code are its own. The token goes only to the server of
    the profile's api_url, or without one to that of its token endpoint.

    \b
    tokencli curl corp -- https://api.example.com/orders
    tokencli curl corp --min-ttl 10m -- -fsS -o export.zip https://api.example.com/export
    """
    name = select_profile_name(profile, profile_option)
    return launch_curl(
        App(common),
        *([] if name is None else [name]),
        command=context.meta[COMMAND_KEY],
        min_ttl=min_ttl,
        anywhere=anywhere,
    )


curl.typer_settings = {"cls": CurlArgumentsAfterDashes}  # type: ignore[attr-defined]  # read by registry

"""`tokencli providers new`: draft a provider from answers, a curl command line, or a file."""

import json
import re
from collections.abc import Collection
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode, urlsplit

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import CommonOptions, common_options
from tokencli.commands.providers_add import (
    ReplaceOption,
    YesOption,
    install_providers,
    read_sections,
)
from tokencli.config.provider_file import read_provider_text
from tokencli.duration import parse_duration
from tokencli.errors import ConfigError, UsageError
from tokencli.protocols import Choice, Terminal
from tokencli.shell_words import join

if TYPE_CHECKING:
    from tokencli.importers.draft.builder import ProviderDraft
    from tokencli.importers.model import Imported, ImportedRequest

BODY_FORMATS = (
    Choice("form", "form", "as HTML forms send them"),
    Choice("json", "json", "members of a JSON object"),
    Choice("query", "query", "part of the URL, with GET"),
    Choice("none", "none", "no parameters"),
)
LIFETIME_UNITS = (
    Choice("s", "seconds until the token expires"),
    Choice("min", "minutes until it expires"),
    Choice("h", "hours until it expires"),
    Choice("ms", "milliseconds until it expires"),
    Choice("time", "the time when it expires"),
)
PLACE_HELP = "the name of a JSON member of the reply"
MAX_REQUESTS_LISTED = 20
"""Requests of one file that are listed; --pick accepts every one."""


@common_options()
def new(
    common: CommonOptions,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Name of the system.")] = "",
    from_curl: Annotated[
        str | None,
        typer.Option(
            "--from-curl",
            metavar="COMMAND",
            help="A working curl command line; - reads it from stdin.",
        ),
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A HAR file, Postman or Bruno collection, or OpenAPI file; - reads stdin.",
        ),
    ] = None,
    pick: Annotated[
        int,
        typer.Option("--pick", metavar="N", min=1, help="Use the Nth token request of the file."),
    ] = 1,
    add: Annotated[
        bool, typer.Option("--add", help="Add it to the configuration, and don't print it.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="With --add: its name there.")
    ] = None,
    yes: YesOption = False,
    replace: ReplaceOption = False,
) -> None:
    """Print a new provider as TOML, or add it to the configuration.

    Without options, you are asked about the request. Values of the request become references to
    settings and secrets of the profile; values that were kept, e.g. the path, are listed on stderr
    for you to check.

    \b
    tokencli providers new Acme --from-curl - < command.txt > acme.toml
    tokencli providers new Acme --from recording.har > acme.toml
    tokencli providers new Acme --from openapi.yaml --pick 2 > acme.toml
    tokencli providers check acme.toml
    tokencli providers new Acme --from recording.har --add
    """
    if from_curl is not None and from_file is not None:
        raise UsageError("--from-curl and --from can't be combined")
    # start-up: `tokencli --help` imports this module, and the importers cost as much as Typer
    from tokencli.importers.curl import parse_curl
    from tokencli.importers.model import ImportedRequest
    from tokencli.importers.recording import read_token_requests

    app = App(common)
    requests: list[Imported]
    if from_curl is not None:
        requests = [*parse_curl(read_provider_text("-") if from_curl == "-" else from_curl)]
    elif from_file is not None:
        requests = read_token_requests(from_file)
    else:
        requests = [_ask_token_request(app.terminal)]
    draft = _pick_draft(app, requests, pick, title)
    is_asked = from_curl is None and from_file is None
    if app.terminal.interactive and (add or is_asked) and isinstance(draft.source, ImportedRequest):
        request = _ask_open_fields(draft.source, draft.open_questions, app.terminal)
        draft = _pick_draft(app, [request], 1, title)
    if not add:
        output.write_stdout(draft.to_toml())
    for question in draft.open_questions:
        app.terminal.print_note(f"check: {question}")
    if not add:
        return
    from tokencli.config.provider_file import slugify_name  # loads pydantic

    command = _repeat_command(title, from_file, pick)
    is_added = False
    try:
        sections = read_sections(draft.to_toml(), "the draft", name or slugify_name(draft.title))
        install_providers(app, sections, command, yes=yes, replace=replace)
        is_added = True
    finally:
        if not is_added and app.terminal.interactive:
            app.terminal.print_note("this is the draft, which was not added:")
            output.write_stdout(draft.to_toml())


def _repeat_command(title: str, from_file: str | None, pick: int) -> str | None:
    """Return this command, for fixes; None if it has input that isn't in a file.

    A curl command may contain secrets, so it isn't repeated.
    """
    if from_file in (None, "-"):
        return None
    words = ["tokencli", "providers", "new", *([title] if title else [])]
    words += ["--from", from_file]
    return join([*words, *(["--pick", str(pick)] if pick > 1 else []), "--add"])


def _ask_open_fields(
    request: "ImportedRequest", open_questions: Collection[str], terminal: Terminal
) -> "ImportedRequest":
    """Return the request with what no recorded reply shows, as far as the user knows it."""
    from tokencli.importers.draft import request as drafts

    if drafts.UNKNOWN_TOKEN_PLACE in open_questions:
        token_locator = terminal.ask_line(
            "Path of the token in the reply",
            default="access_token",
            validate=_describe_invalid_locator,
            help=f"{PLACE_HELP}, e.g. data.token, or another place, e.g. header:X-Token",
        )
        request = replace_fields(request, token_locator=token_locator)
    if drafts.UNKNOWN_LIFETIME in open_questions:
        lifetime = terminal.ask_line(
            "Lifetime of the token (Enter if unknown)",
            default="",
            validate=_describe_invalid_lifetime,
            help=f"a time, e.g. 30m, or never, or {PLACE_HELP} that says so, e.g. data.expires_in;"
            " if it is unknown, each get fetches a new token",
        )
        unit = ""
        if "expires_in" in drafts.read_lifetime(lifetime):
            unit = terminal.ask_choice("What is its value?", LIFETIME_UNITS, default="s")
        request = replace_fields(request, lifetime=lifetime, lifetime_unit=unit)
    if drafts.UNKNOWN_USAGE in open_questions:
        usage = terminal.ask_line(
            "How requests carry the token, e.g. ?k={token}",  # an answer, so it can't be for help
            default=drafts.DEFAULT_USAGE,
            validate=_describe_invalid_usage,
        )
        request = replace_fields(request, usage=usage)
    if drafts.UNKNOWN_ERRORS in open_questions:
        error_locator = terminal.ask_line(
            "Path of the error code in a refusal (Enter if unknown)",
            default="",
            validate=_describe_invalid_locator,
            help=f"{PLACE_HELP}, e.g. error.code; the usual names are found without it",
        )
        request = replace_fields(request, error_locator=error_locator)
    return request


def _describe_invalid_locator(place: str) -> str | None:
    from tokencli.providers.reply_locator import check_locator

    try:
        check_locator(place)
    except ConfigError as error:
        return error.message
    return None


def _describe_invalid_lifetime(text: str) -> str | None:
    try:
        parse_duration(text)
    except ValueError as error:
        return str(error) if text[:1].isdigit() else _describe_invalid_locator(text)
    return None


def _describe_invalid_usage(text: str) -> str | None:
    from tokencli.providers.validation.reply import check_usage_line

    if "{token}" not in text:
        return "it has to contain {token}"
    found = next(check_usage_line(text, {"token"}, ()), None)
    return f"{found.message}; {found.suggestion}" if found else None


def _describe_invalid_url(text: str) -> str | None:
    from tokencli.core.server_discovery import complete_url

    try:
        url = urlsplit(complete_url(text))
    except ValueError:
        url = urlsplit("")
    if url.scheme in ("https", "http") and url.netloc and not re.search(r"\s", url.netloc):
        return None
    return "it has to be a URL, e.g. https://id.example.com/api/login"


def _ask_token_request(terminal: Terminal) -> "ImportedRequest":
    """Return the token request that the answers describe.

    Raises:
        LoginRequiredError: there is no terminal to ask at.
    """
    from tokencli.core.server_discovery import complete_url
    from tokencli.importers.model import ImportedRequest

    url = terminal.ask_line(
        "URL of the token endpoint",
        validate=_describe_invalid_url,
        help="the URL to which the login is sent, e.g. https://id.example.com/api/login",
    )
    body_format = terminal.ask_choice("Format of the parameters", BODY_FORMATS, default="form")
    uses_basic = terminal.ask_yes_no(
        "Does it use HTTP Basic authentication (user name and password)?", default=False
    )
    parameters = ""
    if body_format != "none":
        parameters = terminal.ask_line(
            "Parameters, separated by spaces (name, or name=value if the value isn't secret)",
            default="username password",
        )
    headers = terminal.ask_line("Names of additional headers with a value", default="").split()
    pairs = dict(_parse_parameter(word) for word in parameters.split())
    body = ""
    if body_format == "json":
        body = json.dumps(pairs)
    elif body_format == "form":
        body = urlencode(pairs)
    elif body_format == "query":
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"
    method = "GET" if body_format == "query" else "POST"
    full_url = complete_url(url)
    header_pairs = tuple((name, "x") for name in headers)
    return ImportedRequest(method, full_url, header_pairs, body, uses_basic)


def _parse_parameter(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return name, value if equals else "x"


def _pick_draft(app: App, requests: "list[Imported]", pick: int, title: str) -> "ProviderDraft":
    """Return the draft of the picked request; list all of them, without their values, if several."""
    from tokencli.config.profile_schema import COMMON_KEYS  # start-up: loads pydantic
    from tokencli.importers.draft.request import draft_provider

    drafts: list[ProviderDraft] = []
    last_error = ConfigError("none of the requests looks like a token request")
    left = len(requests)
    for request in requests:
        if len(drafts) >= max(pick, MAX_REQUESTS_LISTED):
            break  # the others would not be shown
        left -= 1
        try:
            drafts.append(draft_provider(request, title, COMMON_KEYS))
        except ConfigError as error:
            last_error = error
    if not drafts:
        raise last_error
    count = len(drafts) + left
    if pick > count:
        raise UsageError(f"--pick {pick}: there are only {count} token requests")
    if count > 1:
        app.terminal.print_note(f"{count} token requests found; choose another with --pick N")
        for number, draft in enumerate(drafts, 1):
            if number <= MAX_REQUESTS_LISTED or number == pick:
                mark = "->" if number == pick else "  "
                app.terminal.print_note(f"{mark} {number} {draft.summarize()}")
        if count > MAX_REQUESTS_LISTED:
            app.terminal.print_note(f"only the first {MAX_REQUESTS_LISTED} are listed")
    return drafts[pick - 1]

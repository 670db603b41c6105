"""Ask a user about a token endpoint, for a draft of a provider."""

import json
from urllib.parse import urlencode

from tokencli.importers.model import ImportedRequest
from tokencli.protocols import Terminal

BODY_FORMATS = ("form", "json", "query", "none")


def ask_token_request(terminal: Terminal) -> ImportedRequest:
    """Return the token request that the answers describe.

    Raises:
        LoginRequiredError: there is no terminal to ask at.
    """
    url = terminal.ask_line("URL of the token endpoint")
    body_format = terminal.ask_line(
        "Format of the parameters", default="form", choices=BODY_FORMATS
    )
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
    token_member = terminal.ask_line("Name of the token in the reply", default="access_token")
    pairs = dict(_parse_parameter(word) for word in parameters.split())
    body = ""
    if body_format == "json":
        body = json.dumps(pairs)
    elif body_format == "form":
        body = urlencode(pairs)
    elif body_format == "query":
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"
    reply = json.dumps({token_member: "x"}) if token_member.isidentifier() else ""
    method = "GET" if body_format == "query" else "POST"
    full_url = url if "://" in url else f"https://{url}"
    header_pairs = tuple((name, "x") for name in headers)
    return ImportedRequest(method, full_url, header_pairs, body, uses_basic, reply)


def _parse_parameter(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return name, value if equals else "x"

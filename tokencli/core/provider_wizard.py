"""Ask a person how a token endpoint wants to be spoken to."""

import json
from urllib.parse import urlencode

from tokencli.importers.model import ImportedRequest
from tokencli.protocols import Terminal

BODY_FORMATS = ("form", "json", "query", "none")


def ask_token_request(terminal: Terminal) -> ImportedRequest:
    """Return the request that the answers describe; raises LoginNeeded where nobody answers."""
    url = terminal.ask_line("URL of the token endpoint")
    body = terminal.ask_line("How the parameters travel", default="form", choices=BODY_FORMATS)
    basic = terminal.ask_yes_no("Does it want HTTP Basic, a name and a password?", default=False)
    words = ""
    if body != "none":
        words = terminal.ask_line(
            "Parameters, separated by spaces (name, or name=value where the value is no secret)",
            default="username password",
        )
    headers = terminal.ask_line("Further headers that hold a value, by name", default="").split()
    token = terminal.ask_line("Where the token is in the reply", default="access_token")
    pairs = dict(_parse_parameter(word) for word in words.split())
    text = json.dumps(pairs) if body == "json" else urlencode(pairs) if body == "form" else ""
    if body == "query":
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"
    reply = json.dumps({token: "x"}) if token.isidentifier() else ""
    method = "GET" if body == "query" else "POST"
    full = url if "://" in url else f"https://{url}"
    return ImportedRequest(method, full, tuple((name, "x") for name in headers), text, basic, reply)


def _parse_parameter(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return name, value if equals else "x"

"""A call that was pasted: a curl command to send again, or a saved reply to judge as it is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl, urljoin, urlsplit

from tokencli.diagnosis.api_call import (
    SECRET_NAME,
    ApiCall,
    describe_url,
    find_token_in_request,
    list_token_parts,
    measure_request,
    read_reply,
)
from tokencli.diagnosis.evidence import CallFacts
from tokencli.diagnosis.token_facts import TokenText, read_token_text
from tokencli.errors import UnreachableError
from tokencli.importers.model import ImportedRequest
from tokencli.importers.saved_reply import SavedExchange
from tokencli.models import HttpReply, Secret

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
"""How the importer writes what a shell would expand."""
_GET_COMMAND = re.compile(
    r"\btokencli\s+(?:get|refresh)\s+(?:-p\s+|--profile[= ])?([A-Za-z0-9][\w.-]*)"
)


@dataclass(frozen=True, slots=True)
class PastedCall:
    """A call, and the token in it."""

    call: ApiCall
    token: TokenText | None = None
    """None if it has none, or only the name of a variable for it."""
    variable: str | None = None
    """The variable that holds the token, if its value isn't known."""
    profile: str | None = None
    """The profile whose token the command gets with `tokencli get`."""
    notes: tuple[str, ...] = ()
    """What the command has and the call hasn't."""


def read_curl_request(
    request: ImportedRequest, command: str, environ: Mapping[str, str]
) -> PastedCall:
    """Return the call that a curl command makes; its variables are looked up in the environment."""

    def expand(text: str) -> str:
        return _VARIABLE.sub(lambda found: environ.get(found[1], found[0]), text)

    headers = tuple((name, expand(value)) for name, value in request.headers)
    url, body = expand(request.url), expand(request.body)
    found = find_token_in_request(url, headers, body)
    names_profile = _GET_COMMAND.search(command)
    call = ApiCall(
        url,
        request.method,
        headers,
        body.encode(),
        follows_redirects=request.follows_redirects,
        carries_token=True,
        secrets=list_request_secrets(url, headers, body),
        ca_file=request.ca_file or None,
    )
    notes = tuple(note for note in request.notes if "file" in note and "left out" not in note)
    pasted = PastedCall(call, profile=names_profile and names_profile[1], notes=notes)
    if found is None:
        if pasted.profile is not None:  # e.g. a whole header is the command's output
            return replace(pasted, call=replace(call, carries_token=False))
        return pasted
    carrier, text = found
    variable = _VARIABLE.search(text)
    if variable is not None:
        placeholder = variable[0]
        return replace(
            pasted, call=replace(call, token_placeholder=placeholder), variable=variable[1]
        )
    return replace(pasted, token=read_token_text(text, follows_scheme=": " in carrier))


def list_request_secrets(
    url: str, headers: Iterable[tuple[str, str]], body: str = ""
) -> tuple[Secret, ...]:
    """Return what must not be shown of a request: credentials, cookies, secret parameters."""
    secrets = []
    for name, value in headers:
        if name.lower() == "cookie":
            secrets += [pair.partition("=")[2].strip() for pair in value.split(";")]
        elif SECRET_NAME.search(name) and value:
            secrets += [value, *value.split()[1:]]
    for text in (urlsplit(url).query, body if "=" in body[:4096] else ""):
        secrets += [value for name, value in parse_qsl(text) if SECRET_NAME.search(name)]
    return tuple(
        part
        for secret in dict.fromkeys(secrets)
        if secret
        for part in list_token_parts(Secret(secret))
    )


def read_saved_reply(
    exchanges: Sequence[SavedExchange], url: str | None, carrier: str
) -> tuple[CallFacts, TokenText | None]:
    """Return the facts of the last exchange, and the token in its request if that was saved as well.

    The first request was to `url`, if the exchanges don't say. The `carrier` is assumed if the request
    wasn't saved, or without its credentials, as browsers save it.
    """
    final = exchanges[-1]
    urls = _list_urls(exchanges, url)
    found = None
    if final.request_headers or final.url:
        found = find_token_in_request(final.url, final.request_headers, final.request_body)
    secrets = list_request_secrets(final.url, final.request_headers, final.request_body)
    is_request_known = final.method != "" and any(
        name.lower() in ("authorization", "cookie") for name, _ in final.request_headers
    )
    text = None
    if found is not None:
        carrier, token = found
        text = read_token_text(token, follows_scheme=": " in carrier)
        secrets += list_token_parts(Secret(text.token))
    facts = CallFacts(
        final.method or "GET",
        describe_url(urls[-1], secrets) if urls[-1] else "",
        carrier=None if found is None and is_request_known else carrier,
        redirected_from=tuple(describe_url(each, secrets) for each in urls[:-1] if each),
        follows_redirects=len(exchanges) > 1,
        is_saved=True,
        request_header_size=measure_request(final.method, final.url, final.request_headers)
        if final.request_headers
        else None,
    )
    if final.status == 0:
        error = UnreachableError("the recording has no reply to this request")
        return replace(facts, failure="other", failure_error=error), text
    headers: dict[str, str] = {}
    for name, value in final.headers:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    body = final.body.strip().encode(errors="replace")
    reply = HttpReply(final.status, headers, body, _parse_time(final.received_at))
    return read_reply(facts, reply, secrets), text


def _list_urls(exchanges: Sequence[SavedExchange], url: str | None) -> list[str]:
    """Return the URL of each exchange; one that isn't saved follows from the redirect before."""
    urls: list[str] = []
    for number, exchange in enumerate(exchanges):
        if exchange.url:
            urls.append(exchange.url)
        elif number == 0:
            urls.append(url or "")
        else:
            before = exchanges[number - 1]
            target = next(
                (value for name, value in before.headers if name.lower() == "location"), ""
            )
            with suppress(ValueError):
                target = urljoin(urls[-1], target)
            urls.append(target or urls[-1])
    return urls


def _parse_time(text: str) -> float | None:
    """Return a time in RFC 3339 in epoch seconds; None if there is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None

"""A request that somebody has seen work as a provider."""

import re
from collections.abc import Collection
from typing import Any

from tokencli.providers.draft.body import body
from tokencli.providers.draft.header import is_vendors
from tokencli.providers.draft.made import Draft, literal
from tokencli.providers.draft.reply import reply
from tokencli.providers.draft.server import server
from tokencli.providers.draft.url import Query, address, hidden
from tokencli.providers.inline import toml
from tokencli.providers.recorded.seen import Found, Seen, Server

LONGEST_LISTED = 200
DROPPED = frozenset(
    ("user-agent", "host", "content-length", "connection", "accept-encoding", "origin", "referer",
     "cookie", "dnt", "cache-control", "pragma", "priority", "te", "upgrade-insecure-requests",
     "transfer-encoding", "expect", "trailer", "upgrade", "proxy-authorization",
     "proxy-connection", "postman-token", "keep-alive")
)  # fmt: skip
"""Headers of whoever sent it, or of the connection."""
DROPPED_BEGIN = ("sec-", ":")
SCHEMES = ("apikey", "basic", "bearer", "digest", "dpop", "hawk", "key", "oauth", "ssws", "token")
"""Words that stand before a credential in a header, of IANA's registry and of vendors' pages."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def draft(found: Found, title: str = "", taken: Collection[str] = ()) -> Draft:
    """Return the provider that would send this request, or speak to this server.

    No field of it gets a name that is `taken`.

    Raises:
        ConfigError: no credential may be sent to its URL.
    """
    made = Draft(title or found.name, taken, variables=found.variables)
    for note in found.notes:
        made.leave(note)
    if isinstance(found, Server):
        server(found, made)
    else:
        _request(found, made)
    whole = ", ".join(made.kept)
    for kept in [whole] if 0 < len(whole) < LONGEST_LISTED else made.kept:
        made.leave(f"kept as it stood, for it looks like the vendor's own word: {kept}")
    if not made.title:
        host = re.search(r"://([^/{}]+)/?", "".join(made.lines[:1]))
        made.title = host[1].strip('"') if host else "A server"
    return made


def _request(seen: Seen, made: Draft) -> None:
    made.optional, made.constants = seen.optional, seen.constants
    url, pairs = address(seen.url, made, seen.defaults)
    made.lines.append(f"endpoints.token = {toml(url)}")
    query = {name: made.value(name, text) for name, text in pairs if name}
    method = seen.method.upper() if seen.method.upper() in METHODS else "POST"
    request: dict[str, Any] = {"method": method} if method != "POST" else {}
    headers = dict(_headers(seen, made))
    kind, send = body(seen, made)
    if seen.basic or hidden(seen.url):
        request["basic"] = _basic(send, pairs, made)
    if method == "GET" and kind is not None:
        made.leave("the body that went along with GET, which can't be: are its members the query?")
        query |= {name: text for name, text in send.items() if isinstance(text, str)} if isinstance(send, dict) else {}  # fmt: skip
        kind = send = None
    if kind is not None:
        request |= {"body": kind} if kind != "form" else {}
        request["send"] = send
    elif method != "GET":
        request["body"] = "none"
    if query and method == "GET":
        request["send"] = query
    elif query:
        request["query"] = query
    if headers:
        request["headers"] = headers
    made.tables += ["[request]", *(f"{name} = {toml(value)}" for name, value in request.items())]
    reply(seen, made)


def _basic(send: Any, pairs: Query, made: Draft) -> str:
    """Return whose HTTP Basic it is: with an OAuth grant in the request, the client's."""
    members = {**dict(pairs), **(send if isinstance(send, dict) else {})}
    if "grant_type" in members and "client_secret" not in members:
        return "{client_id}:{client_secret}"
    made.leave('whose HTTP Basic it is: "{client_id}:{client_secret}" for an application')
    return "{username}:{password}"


def _headers(seen: Seen, made: Draft) -> list[tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, value in seen.headers:
        low = name.lower()
        if not _NAME.fullmatch(name) or low in found or _is_dropped(low, value, made):
            continue
        if low == "authorization":
            if not seen.basic:
                found[low] = name, _authorization(value, made)
        elif is_vendors(low, value):
            made.keep(f"the header {name}")
            found[low] = name, literal(value)
        else:
            found[low] = name, made.value(name, value)
    return list(found.values())


def _is_dropped(low: str, value: str, made: Draft) -> bool:
    kind = value.split(";")[0].strip().lower()
    if low == "cookie":
        made.leave("the cookie that went along, if the server insists on one: request.headers")
    if low == "content-type":
        return kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "")  # fmt: skip
    usual = value.strip() in ("*/*", "") or (low == "accept" and "json" in value)
    return low in DROPPED or low.startswith(DROPPED_BEGIN) or usual


def _authorization(value: str, made: Draft) -> str:
    scheme, _, rest = value.partition(" ")
    known = rest and scheme.lower() in SCHEMES  # any other word may be a secret itself
    credential = made.field("credential", "secret")
    return f"{scheme} {credential}" if known else credential

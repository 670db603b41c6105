"""A request that somebody has seen work as a provider."""

import re
from collections.abc import Collection
from typing import Any

from tokencli.importers.draft.body import draft_body
from tokencli.importers.draft.builder import ProviderDraft, escape_template
from tokencli.importers.draft.reply import draft_reply
from tokencli.importers.draft.server import draft_oauth_server
from tokencli.importers.draft.url import QueryPairs, draft_url, has_userinfo
from tokencli.importers.draft.vendor_header import is_vendor_header
from tokencli.importers.model import Imported, ImportedRequest, OAuthServer
from tokencli.toml_writer import format_toml_value

MAX_LISTED_LENGTH = 200
DROPPED_HEADERS = frozenset(
    ("user-agent", "host", "content-length", "connection", "accept-encoding", "origin", "referer",
     "cookie", "dnt", "cache-control", "pragma", "priority", "te", "upgrade-insecure-requests",
     "transfer-encoding", "expect", "trailer", "upgrade", "proxy-authorization",
     "proxy-connection", "postman-token", "keep-alive")
)  # fmt: skip
"""Headers of whoever sent it, or of the connection."""
DROPPED_HEADER_PREFIXES = ("sec-", ":")
AUTH_SCHEMES = (
    "apikey",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "hawk",
    "key",
    "oauth",
    "ssws",
    "token",
)
"""Words that stand before a credential in a header, of IANA's registry and of vendors' pages."""
HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def draft_provider(found: Imported, title: str = "", taken: Collection[str] = ()) -> ProviderDraft:
    """Return the provider that would send this request, or speak to this server.

    No field of it gets a name that is `taken`.

    Raises:
        ConfigError: no credential may be sent to its URL.
    """
    made = ProviderDraft(title or found.name, taken, variables=found.variables)
    for note in found.notes:
        made.add_open_question(note)
    if isinstance(found, OAuthServer):
        draft_oauth_server(found, made)
    else:
        _draft_request(found, made)
    whole = ", ".join(made.kept_constants)
    for kept in [whole] if 0 < len(whole) < MAX_LISTED_LENGTH else made.kept_constants:
        made.add_open_question(f"kept as it stood, for it looks like the vendor's own word: {kept}")
    if not made.title:
        host = re.search(r"://([^/{}]+)/?", "".join(made.top_level_lines[:1]))
        made.title = host[1].strip('"') if host else "A server"
    return made


def _draft_request(seen: ImportedRequest, made: ProviderDraft) -> None:
    made.optional_members, made.constant_members = seen.optional_members, seen.constant_members
    url, pairs = draft_url(seen.url, made, seen.defaults)
    made.top_level_lines.append(f"endpoints.token = {format_toml_value(url)}")
    query = {name: made.draft_value(name, text) for name, text in pairs if name}
    method = seen.method.upper() if seen.method.upper() in HTTP_METHODS else "POST"
    request: dict[str, Any] = {"method": method} if method != "POST" else {}
    headers = dict(_draft_headers(seen, made))
    kind, send = draft_body(seen, made)
    if seen.uses_basic_auth or has_userinfo(seen.url):
        request["basic"] = _draft_basic(send, pairs, made)
    if method == "GET" and kind is not None:
        made.add_open_question(
            "the body that went along with GET, which can't be: are its members the query?"
        )
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
    made.table_lines += [
        "[request]",
        *(f"{name} = {format_toml_value(value)}" for name, value in request.items()),
    ]
    draft_reply(seen, made)


def _draft_basic(send: Any, pairs: QueryPairs, made: ProviderDraft) -> str:
    """Return whose HTTP Basic it is: with an OAuth grant in the request, the client's."""
    members = {**dict(pairs), **(send if isinstance(send, dict) else {})}
    if "grant_type" in members and "client_secret" not in members:
        return "{client_id}:{client_secret}"
    made.add_open_question(
        'whose HTTP Basic it is: "{client_id}:{client_secret}" for an application'
    )
    return "{username}:{password}"


def _draft_headers(seen: ImportedRequest, made: ProviderDraft) -> list[tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, value in seen.headers:
        low = name.lower()
        if not _HEADER_NAME.fullmatch(name) or low in found or _is_dropped_header(low, value, made):
            continue
        if low == "authorization":
            if not seen.uses_basic_auth:
                found[low] = name, _draft_authorization(value, made)
        elif is_vendor_header(low, value):
            made.record_kept(f"the header {name}")
            found[low] = name, escape_template(value)
        else:
            found[low] = name, made.draft_value(name, value)
    return list(found.values())


def _is_dropped_header(low: str, value: str, made: ProviderDraft) -> bool:
    kind = value.split(";")[0].strip().lower()
    if low == "cookie":
        made.add_open_question(
            "the cookie that went along, if the server insists on one: request.headers"
        )
    if low == "content-type":
        return kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "")  # fmt: skip
    usual = value.strip() in ("*/*", "") or (low == "accept" and "json" in value)
    return low in DROPPED_HEADERS or low.startswith(DROPPED_HEADER_PREFIXES) or usual


def _draft_authorization(value: str, made: ProviderDraft) -> str:
    scheme, _, rest = value.partition(" ")
    known = rest and scheme.lower() in AUTH_SCHEMES  # any other word may be a secret itself
    credential = made.add_field("credential", "secret")
    return f"{scheme} {credential}" if known else credential

"""A request as Postman, Bruno and OpenCollection keep it, with its authentication beside it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tokencli.providers.recorded import oauth
from tokencli.providers.recorded.curl import has_basic
from tokencli.providers.recorded.seen import Found, Seen

Pairs = list[tuple[str, str]]
_CHAIN = re.compile(
    r"(?:json\(\)|getBody\(\)|res\.body|jsonData|responseBody|response|data|body|JSON\.parse\([\w.]*\))"
    r"((?:\??\.[A-Za-z_]\w*|\[\d{1,3}\])+)(?![\w(])"
)
"""How scripts take a token out of a reply."""
LONGEST_SCRIPT = 20_000
_TOKEN = re.compile(r"(?i)\w*(token|jwt|ticket|session_?id)\w*")
_REFUSED = ("inherit", "none", "noauth", "")


@dataclass(slots=True)
class Kept:
    """The request, still in the tool's own parts."""

    method: str = "GET"
    url: str = ""
    headers: Pairs = field(default_factory=list)
    query: Pairs = field(default_factory=list)
    kind: str = ""
    body: str = ""
    form: Pairs = field(default_factory=list)
    auth: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the authentication."""
    params: Pairs = field(default_factory=list)
    """Further parameters of an OAuth token request."""
    variables: Mapping[str, str] = field(default_factory=dict)
    reply: str = ""
    reply_headers: tuple[str, ...] = ()
    script: str = ""
    """What the tool runs after the reply: it may take the token out."""
    name: str = ""


def found(kept: Kept) -> Iterator[Found]:
    """Yield the OAuth server that a request's authentication names, or the request itself."""
    kind = oauth.plain(kept.auth)
    if kind == "oauth2":
        server = oauth.server(kept.settings, kept.variables, kept.name, tuple(kept.params))
        if server is not None:
            yield server
        return  # a request that is sent with a token is not the one that gets it
    if not kept.url.strip():
        return
    headers, query, notes = list(kept.headers), list(kept.query), []
    settings = {oauth.plain(key): value for key, value in kept.settings.items()}
    if kind == "bearer":
        headers.append(("Authorization", "Bearer x"))
    elif kind == "apikey":
        key = settings.get("key", "") or "X-Api-Key"
        place = settings.get("in", "") or settings.get("placement", "")
        (query if "query" in place else headers).append((key, "x"))
    elif kind not in ("basic", *_REFUSED):
        notes.append(f"its authentication of kind {kept.auth[:40]}, which is left out")
    text = kept.body if kept.kind not in ("form", "multipart") else urlencode(kept.form)
    yield Seen(
        kept.method.upper(),
        _with(kept.url, query),
        tuple(headers),
        text,
        kind == "basic" or has_basic(headers),
        kept.reply,
        kind=kept.kind,
        variables=kept.variables,
        place=place_of(kept.script),
        reply_headers=kept.reply_headers,
        name=kept.name,
        notes=tuple(notes),
    )


def graphql(query: str, variables: str) -> str:
    """Return the JSON body of a GraphQL request."""
    return f'{{"query": {json.dumps(query)}, "variables": {variables.strip() or "{}"}}}'


def place_of(script: str) -> str:
    """Return where a script finds a token in the reply, empty where it says nothing."""
    for each in _CHAIN.finditer(script[:LONGEST_SCRIPT]):
        path = each[1].replace("?", "").lstrip(".")
        last = re.split(r"[.\[]", path.rstrip("]"))[-1]
        if _TOKEN.fullmatch(last) and "refresh" not in last.lower():
            return path
    return ""


def _with(url: str, query: Pairs) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

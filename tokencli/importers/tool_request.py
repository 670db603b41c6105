"""A request as Postman, Bruno and OpenCollection keep it, with its authentication beside it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tokencli.importers import oauth_settings
from tokencli.importers.curl import has_basic_auth
from tokencli.importers.model import Imported, ImportedRequest

Pairs = list[tuple[str, str]]
_PROPERTY_CHAIN = re.compile(
    r"(?:json\(\)|getBody\(\)|res\.body|jsonData|responseBody|response|data|body|JSON\.parse\([\w.]*\))"
    r"((?:\??\.[A-Za-z_]\w*|\[\d{1,3}\])+)(?![\w(])"
)
"""How scripts take a token out of a reply."""
MAX_SCRIPT_LENGTH = 20_000
_TOKEN_NAME = re.compile(r"(?i)\w*(token|jwt|ticket|session_?id)\w*")
_NO_AUTH_KINDS = ("inherit", "none", "noauth", "")


@dataclass(slots=True)
class ToolRequest:
    """The request, still in the tool's own parts."""

    method: str = "GET"
    url: str = ""
    headers: Pairs = field(default_factory=list)
    query: Pairs = field(default_factory=list)
    body_format: str = ""
    body: str = ""
    form: Pairs = field(default_factory=list)
    auth: str = ""
    auth_settings: Mapping[str, str] = field(default_factory=dict)
    """Of the authentication."""
    token_params: Pairs = field(default_factory=list)
    """Further parameters of an OAuth token request."""
    variables: Mapping[str, str] = field(default_factory=dict)
    reply_body: str = ""
    reply_headers: tuple[str, ...] = ()
    script: str = ""
    """What the tool runs after the reply: it may take the token out."""
    name: str = ""


def to_imported(kept: ToolRequest) -> Iterator[Imported]:
    """Yield the OAuth server that a request's authentication names, or the request itself."""
    kind = oauth_settings.normalize_name(kept.auth)
    if kind == "oauth2":
        server = oauth_settings.read_oauth_server(
            kept.auth_settings, kept.variables, kept.name, tuple(kept.token_params)
        )
        if server is not None:
            yield server
        return  # a request that is sent with a token is not the one that gets it
    if not kept.url.strip():
        return
    headers, query, notes = list(kept.headers), list(kept.query), []
    settings = {
        oauth_settings.normalize_name(key): value for key, value in kept.auth_settings.items()
    }
    if kind == "bearer":
        headers.append(("Authorization", "Bearer x"))
    elif kind == "apikey":
        key = settings.get("key", "") or "X-Api-Key"
        place = settings.get("in", "") or settings.get("placement", "")
        (query if "query" in place else headers).append((key, "x"))
    elif kind not in ("basic", *_NO_AUTH_KINDS):
        notes.append(f"its authentication of kind {kept.auth[:40]}, which is left out")
    text = kept.body if kept.body_format not in ("form", "multipart") else urlencode(kept.form)
    yield ImportedRequest(
        kept.method.upper(),
        _append_query(kept.url, query),
        tuple(headers),
        text,
        kind == "basic" or has_basic_auth(headers),
        kept.reply_body,
        body_format=kept.body_format,
        variables=kept.variables,
        token_locator=find_token_locator(kept.script),
        reply_headers=kept.reply_headers,
        name=kept.name,
        notes=tuple(notes),
    )


def build_graphql_body(query: str, variables: str) -> str:
    """Return the JSON body of a GraphQL request."""
    return f'{{"query": {json.dumps(query)}, "variables": {variables.strip() or "{}"}}}'


def find_token_locator(script: str) -> str:
    """Return where a script finds a token in the reply, empty where it says nothing."""
    for each in _PROPERTY_CHAIN.finditer(script[:MAX_SCRIPT_LENGTH]):
        path = each[1].replace("?", "").lstrip(".")
        last = re.split(r"[.\[]", path.rstrip("]"))[-1]
        if _TOKEN_NAME.fullmatch(last) and "refresh" not in last.lower():
            return path
    return ""


def _append_query(url: str, query: Pairs) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

"""Which headers the proxy passes on (RFC 9110 section 7.6.1)."""

import re
from collections.abc import Callable, Iterable, Mapping

from multidict import CIMultiDict, CIMultiDictProxy

from tokencli.proxy.addresses import SECRET_HEADER, Api, Route, rewrite_reference

HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_REFERENCES = frozenset(("origin", "referer", "destination"))
"""Headers with a URL of the proxy, which the API knows by another (RFC 9110, RFC 4918)."""
_LOCATIONS = frozenset(("location", "content-location"))
_LINK_TARGET = re.compile("<([^>]*)>")
"""A URL in a Link header (RFC 8288)."""


def list_connection_options(headers: "CIMultiDictProxy[str]") -> set[str]:
    """Return the options of Connection in lower case."""
    values = headers.getall("Connection", ())
    return {option.strip().lower() for value in values for option in value.split(",")}


def forward_request_headers(
    headers: "CIMultiDictProxy[str]",
    added: Iterable[tuple[str, str]],
    route: Route,
    api: Api,
    secret: str | None,
) -> "CIMultiDict[str]":
    """Return the headers for the API: the client's, with those in `added` instead of its own."""
    added = list(added)
    left_out = {
        *HOP_BY_HOP,
        *list_connection_options(headers),
        *(name.lower() for name, _ in added),
        "host",
        SECRET_HEADER.lower(),
    }
    forwarded: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower in left_out:
            continue
        kept = rewrite_reference(value, route, api) if lower in _REFERENCES else _as_text(value)
        if secret is None or secret not in kept:
            forwarded.add(name, kept)
    forwarded.extend(added)
    return forwarded


def forward_reply_headers(
    headers: "CIMultiDictProxy[str]",
    translate_url: Callable[[str], str],
    translate_cookie: Callable[[str], str],
) -> "CIMultiDict[str]":
    """Return the headers of the API's reply for the client, who knows the API by another URL."""
    left_out = HOP_BY_HOP | list_connection_options(headers)
    forwarded: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower, kept = name.lower(), _as_text(value)
        if lower in left_out:
            continue
        if lower in _LOCATIONS:
            kept = translate_url(kept)
        elif lower == "link":
            kept = _LINK_TARGET.sub(lambda link: f"<{translate_url(link[1])}>", kept)
        elif lower == "set-cookie":
            kept = translate_cookie(kept)
        forwarded.add(name, kept)
    return forwarded


def replace_query(url: str, added: Iterable[tuple[str, str]]) -> str:
    """Return a URL with these parameters, whose values are percent-encoded, instead of its own."""
    added = list(added)
    if not added:
        return url
    path, _, query = url.partition("?")
    names = {name for name, _ in added}
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in names]
    return f"{path}?{'&'.join([*kept, *(f'{name}={value}' for name, value in added)])}"


def remove_query(url: str, added: Iterable[tuple[str, str]]) -> str:
    """Return a Location without the parameters that carry the token, as some servers repeat them."""
    values = {value for _, value in added}
    if not values or "?" not in url:
        return url
    base, hash_mark, fragment = url.partition("#")
    path, _, query = base.partition("?")
    kept = [pair for pair in query.split("&") if pair.partition("=")[2] not in values]
    return path + ("?" + "&".join(kept) if kept else "") + hash_mark + fragment


def lower_headers(headers: "CIMultiDictProxy[str]") -> Mapping[str, str]:
    """Return headers by their names in lower case, repeated ones joined."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return found


def _as_text(value: str) -> str:
    """Return a value that isn't UTF-8 as the Latin-1 that it probably is; aiohttp would drop bytes."""
    if value.isascii():
        return value
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")

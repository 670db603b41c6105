"""Read a HAR file, as a browser's network panel or a proxy records one."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tokencli.providers.recorded import tree
from tokencli.providers.recorded.curl import has_basic
from tokencli.providers.recorded.seen import Seen

LARGEST_REPLY = 2 * 1024 * 1024
REPEATED = (307, 308)
"""A redirect after which the same request goes to another address (RFC 9110 section 15.4)."""


def requests(data: Mapping[str, Any]) -> Iterator[Seen]:
    """Yield the requests of a recording; one that failed only where it never succeeded."""
    entries = tree.rows(tree.table(data.get("log")).get("entries"))
    seen = [(entry, _seen(entry)) for entry in entries if isinstance(entry.get("request"), dict)]
    good = {_address(one) for _, one in seen if 200 <= one.status < 400}
    asked = {one.url.partition("#")[0] for _, one in seen}
    for entry, one in seen:
        failed = not 200 <= one.status < 400
        target = tree.text(tree.table(entry.get("response")).get("redirectURL"))
        moved = one.status in REPEATED and any(url.endswith(target) for url in asked if target)
        if one.method in ("OPTIONS", "HEAD", "CONNECT", "TRACE") or not one.url or moved:
            continue
        if not (failed and _address(one) in good):
            yield one


def _address(one: Seen) -> tuple[str, str]:
    return one.method, one.url.partition("?")[0]


def _seen(entry: dict[str, Any]) -> Seen:
    asked, answer = tree.table(entry.get("request")), tree.table(entry.get("response"))
    headers = tree.pairs(asked.get("headers"), name="name")
    kind, body = _body(tree.table(asked.get("postData")))
    status = answer.get("status")
    known = isinstance(status, int) and not isinstance(status, bool)
    return Seen(
        (tree.text(asked.get("method")) or "POST").upper(),
        tree.text(asked.get("url")),
        tuple(headers),
        body,
        has_basic(headers),
        _decoded(tree.table(answer.get("content"))),
        kind=kind,
        reply_headers=tuple(name for name, _ in tree.pairs(answer.get("headers"), name="name")),
        status=status if known and isinstance(status, int) else 200,
    )


def _body(posted: dict[str, Any]) -> tuple[str, str]:
    """Return the kind and the text of a request's body."""
    kind = tree.text(posted.get("mimeType")).lower()
    text = _decoded(posted)
    params = tree.pairs(posted.get("params"), name="name")
    if "multipart" in kind:
        # Its text, if any, is cut by a boundary; the names of its parts are what counts.
        return "multipart", urlencode([(name, "x") for name, _ in params or _parts(text)])
    if params and not text:
        return "form", urlencode(params)
    for word, meaning in (
        ("json", "json"),
        ("urlencoded", "form"),
        ("xml", "xml"),
        ("text/", "text"),
    ):
        if word in kind:
            return meaning, text
    return "", text


def _parts(text: str) -> list[tuple[str, str]]:
    """List the names of a multipart body's parts."""
    rows = (line.partition('name="') for line in text.splitlines()
            if line.lower().startswith("content-disposition:"))  # fmt: skip
    return [(rest.partition('"')[0], "") for _, found, rest in rows if found]


def _decoded(content: dict[str, Any]) -> str:
    """Return the text of a body that may be kept as base64."""
    text = tree.text(content.get("text"))
    if tree.text(content.get("encoding")).lower() != "base64":
        return text[:LARGEST_REPLY]
    try:
        return base64.b64decode(text[: LARGEST_REPLY * 2]).decode()
    except (binascii.Error, ValueError):
        return ""

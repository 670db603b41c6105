"""Read HAR files, which browsers and proxies record."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urldefrag, urlencode, urljoin

from tokencli.importers.document import as_pairs, as_rows, as_table, as_text
from tokencli.importers.model import ImportedRequest, get_body_format, has_basic_auth

MAX_REPLY_LENGTH = 2 * 1024 * 1024
REPEATING_REDIRECTS = (307, 308)
"""Redirects that repeat the request at another URL (RFC 9110 section 15.4)."""


def read_requests(data: Mapping[str, Any]) -> Iterator[ImportedRequest]:
    """Yield the requests of a recording; a failed one only if the same request never succeeded."""
    entries = as_rows(as_table(data.get("log")).get("entries"))
    seen = [
        (entry, _read_entry(entry)) for entry in entries if isinstance(entry.get("request"), dict)
    ]
    good = {_get_method_and_url(one) for _, one in seen if 200 <= one.status < 400}
    asked = {one.url.partition("#")[0] for _, one in seen}
    for entry, one in seen:
        failed = not 200 <= one.status < 400
        target = as_text(as_table(entry.get("response")).get("redirectURL"))
        moved = one.status in REPEATING_REDIRECTS and _resolve_url(one.url, target) in asked
        if one.method in ("OPTIONS", "HEAD", "CONNECT", "TRACE") or not one.url or moved:
            continue
        if not (failed and _get_method_and_url(one) in good):
            yield one


def _resolve_url(url: str, target: str) -> str:
    """Return the URL that a redirect leads to, without its fragment; empty if it is none."""
    try:
        return urldefrag(urljoin(url, target)).url if target else ""
    except ValueError:
        return ""


def _get_method_and_url(one: ImportedRequest) -> tuple[str, str]:
    return one.method, one.url.partition("?")[0]


def _read_entry(entry: dict[str, Any]) -> ImportedRequest:
    asked, answer = (
        as_table(entry.get("request")),
        as_table(entry.get("response")),
    )
    headers = as_pairs(asked.get("headers"), name="name")
    kind, body = _read_body(as_table(asked.get("postData")))
    status = answer.get("status")
    known = isinstance(status, int) and not isinstance(status, bool)
    return ImportedRequest(
        (as_text(asked.get("method")) or "POST").upper(),
        as_text(asked.get("url")),
        tuple(headers),
        body,
        has_basic_auth(headers),
        decode_text(as_table(answer.get("content"))),
        body_format=kind,
        reply_headers=tuple(name for name, _ in as_pairs(answer.get("headers"), name="name")),
        status=status if known and isinstance(status, int) else 200,
    )


def _read_body(posted: dict[str, Any]) -> tuple[str, str]:
    """Return the format and the text of a request's body."""
    kind = as_text(posted.get("mimeType")).lower()
    text = decode_text(posted)
    params = as_pairs(posted.get("params"), name="name")
    if "multipart" in kind:
        # The text is split by a boundary; only the names of the parts matter.
        return "multipart", urlencode(
            [(name, "x") for name, _ in params or _list_multipart_names(text)]
        )
    if params and not text:
        return "form", urlencode(params)
    return get_body_format(kind), text


def _list_multipart_names(text: str) -> list[tuple[str, str]]:
    """List the names of a multipart body's parts."""
    rows = (line.partition('name="') for line in text.splitlines()
            if line.lower().startswith("content-disposition:"))  # fmt: skip
    return [(rest.partition('"')[0], "") for _, found, rest in rows if found]


def decode_text(content: dict[str, Any]) -> str:
    """Return the text of a body that may be stored as base64."""
    text = as_text(content.get("text"))
    if as_text(content.get("encoding")).lower() != "base64":
        return text[:MAX_REPLY_LENGTH]
    try:
        return base64.b64decode(text[: MAX_REPLY_LENGTH * 2]).decode()
    except (binascii.Error, ValueError):
        return ""

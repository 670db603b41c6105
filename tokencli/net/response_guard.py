"""Limits on a reply: no redirect, a maximum size, and gzip as the only compression."""

import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from tokencli.errors import ReplyError
from tokencli.models import Connection, HttpRequest
from tokencli.net.connection import MAX_BODY_BYTES, ReplyTooLargeError
from tokencli.net.request_guard import RequestTarget

READ_CHUNK_BYTES = 64 * 1024
_OPERATORS_FIX = "tell the administrators of the server, or of the proxy in front of it"
KNOWN_CONTENT_CODINGS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"}
"""The codings that a message names; anything else may echo what was sent."""
MAX_QUOTED_CHARS = 200
"""Maximum length of a server's text in a message."""


def refuse_redirect(
    status: int,
    headers: Mapping[str, str],
    request: HttpRequest,
    target: RequestTarget,
    connection: Connection,
) -> None:
    """Refuse a redirect, because requests carry credentials.

    A 307 or 308 would send the body with its password to any host the server names (RFC 9700
    section 4.12), so the user is shown the address instead.

    Raises:
        ReplyError: the status is 3xx.
    """
    if not 300 <= status <= 399 or request.redirect_is_reply:
        return
    from tokencli.providers.redaction import redact_text

    try:
        location = urlsplit(urljoin(request.url, headers.get("location", "")))
        host, port = location.hostname, location.port
    except ValueError:
        host, port = None, None
    if not host or "location" not in headers:
        raise ReplyError(
            f"{target.authority} sent a redirect (HTTP {status}) without a valid address; it is not"
            " followed",
            cause="the profile probably has the wrong URL",
            fix=connection.show_command(),
        )
    authority = f"[{host}]" if ":" in host else host
    url = f"{location.scheme}://{authority}{f':{port}' if port else ''}{location.path}"
    url = redact_text(url, request.secrets)[:MAX_QUOTED_CHARS]
    is_https = location.scheme == "https"
    raise ReplyError(
        f"{target.authority} redirects (HTTP {status}) to {url}; credentials are not sent there",
        cause="if the endpoint has moved and you trust that host, set token_url (or the host it is"
        " made of) in the profile to the new address"
        if is_https
        else "the new address is not https, so it must not be used",
        fix=connection.show_command()
        if is_https
        else "ask the server's administrators for the endpoint's https URL",
    )


def read_body(response: Any, target: RequestTarget) -> bytes:
    """Read a urllib3 response to its end and return the decompressed body.

    The request asks for no compression. Some servers gzip anyway, and an issued token should not be
    lost over that. Any other coding, and gzip within gzip, is refused.

    Raises:
        ReplyTooLargeError: the body is too large. ReplyError: its coding is refused.
    """
    coding = response.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding not in {"identity", "gzip", "x-gzip"}:
        codings = [part.strip() for part in coding.split(",")]
        known = len(codings) < 4 and set(codings) <= KNOWN_CONTENT_CODINGS
        raise ReplyError(
            f"{target.authority} sent a reply that is encoded {f'as {coding}' if known else 'in an unknown way'},"
            " although the request didn't allow any encoding",
            fix=_OPERATORS_FIX,
        )
    # read() goes through http.client, which limits the lines between chunks; stream() doesn't.
    body = bytearray()
    while data := response.read(READ_CHUNK_BYTES, decode_content=False):
        body += data
        if len(body) > MAX_BODY_BYTES:
            raise ReplyTooLargeError
    return bytes(body) if coding == "identity" else _decompress_gzip(bytes(body), target)


def _decompress_gzip(compressed: bytes, target: RequestTarget) -> bytes:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = decompressor.decompress(compressed, MAX_BODY_BYTES + 1)
    except zlib.error:
        body = b""
    if len(body) > MAX_BODY_BYTES:
        raise ReplyTooLargeError
    if not decompressor.eof:
        raise ReplyError(
            f"{target.authority} sent a reply that is marked as gzip but can't be decompressed",
            fix=_OPERATORS_FIX,
        )
    return body

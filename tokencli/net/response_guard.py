"""What of a reply is let in: no redirect, no surplus, one compression at most."""

import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from tokencli.errors import ReplyError
from tokencli.models import HttpRequest
from tokencli.net.connection import MAX_BODY_BYTES, ReplyTooLargeError
from tokencli.net.failure_context import CHECK_ENDPOINT_HINT
from tokencli.net.request_guard import RequestTarget

READ_CHUNK_BYTES = 64 * 1024
KNOWN_CONTENT_CODINGS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"}
"""What a message names; anything else might be what was sent, said back."""
MAX_QUOTED_CHARS = 200
"""Characters of a server's text that a message quotes at most."""


def refuse_redirect(
    status: int, headers: Mapping[str, str], request: HttpRequest, target: RequestTarget
) -> None:
    """Let anything pass but a 3xx: nothing that carries credentials follows one.

    A 307 or 308 would hand the body, password and all, to whatever host it names (RFC 9700 section
    4.12), so the address is told to the person instead.

    Raises:
        ReplyError: it is one.
    """
    if not 300 <= status <= 399 or request.redirect_is_reply:
        return
    from tokencli.providers.redaction import redact_text

    try:
        meant = urlsplit(urljoin(request.url, headers.get("location", "")))
        host, port = meant.hostname, meant.port
    except ValueError:
        host, port = None, None
    if not host or "location" not in headers:
        raise ReplyError(
            f"{target.authority} answered with a redirect (HTTP {status}) to nowhere readable; "
            "nothing was sent on",
            fix=CHECK_ENDPOINT_HINT,
        )
    authority = f"[{host}]" if ":" in host else host
    place = f"{meant.scheme}://{authority}{f':{port}' if port else ''}{meant.path}"
    place = redact_text(place, request.secrets)[:MAX_QUOTED_CHARS]
    raise ReplyError(
        f"{target.authority} redirects (HTTP {status}) to {place}; credentials are not sent on",
        fix=(
            "if that is the right address, and you trust that host, put it into the profile, as"
            " token_url or whichever endpoint it is: tokencli profiles edit"
            if meant.scheme == "https"
            else "that address is not https, so don't set it: ask the server's operators for theirs"
        ),
    )


def read_body(response: Any, target: RequestTarget) -> bytes:
    """Read a urllib3 response to its end and return the bytes of its body, unpacked.

    No compression is asked for; some servers gzip all the same, and a token that has been issued
    should not be lost for it. Anything else, and gzip within gzip, is refused.

    Raises:
        ReplyTooLarge, ReplyError, and whatever urllib3 raises.
    """
    coding = response.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding not in {"identity", "gzip", "x-gzip"}:
        listed = [part.strip() for part in coding.split(",")]
        known = len(listed) < 4 and set(listed) <= KNOWN_CONTENT_CODINGS
        raise ReplyError(
            f"{target.authority} sent its reply encoded {f'as {coding}' if known else 'in its own way'},"
            " which was not asked for",
            fix="tell the server's operators, or whoever runs the proxy in front of it",
        )
    # read() goes through http.client, which bounds the lines between chunks; stream() does not.
    body = bytearray()
    while data := response.read(READ_CHUNK_BYTES, decode_content=False):
        body += data
        if len(body) > MAX_BODY_BYTES:
            raise ReplyTooLargeError
    return bytes(body) if coding == "identity" else _decompress_gzip(bytes(body), target)


def _decompress_gzip(packed: bytes, target: RequestTarget) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(packed, MAX_BODY_BYTES + 1)
    except zlib.error:
        body = b""
    if len(body) > MAX_BODY_BYTES:
        raise ReplyTooLargeError
    if not unpacker.eof:
        raise ReplyError(
            f"{target.authority} said that its reply is gzip, but it can't be unpacked",
            fix="tell the server's operators, or whoever runs the proxy in front of it",
        )
    return body

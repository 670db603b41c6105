"""Limits on a reply: no redirect, a maximum size, and no compression but gzip and deflate."""

import codecs
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from tokencli.errors import ReplyError, TokencliError
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.net.connection import MAX_BODY_BYTES, ExchangeProgress, ReplyTooLargeError
from tokencli.net.request_guard import RequestTarget

READ_CHUNK_BYTES = 64 * 1024
DECOMPRESSED_STEP_BYTES = 256
_GZIP_MAGIC = b"\x1f\x8b"
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


def read_body(
    response: Any, progress: ExchangeProgress, take: Callable[[bytes], object] | None = None
) -> None:
    """Read a urllib3 response to its end: piece by piece with `take`, else into `progress`.

    Raises:
        ReplyTooLargeError: it is too large for `progress`.
    """
    # read1() goes through http.client, which limits the lines between chunks; stream() doesn't.
    while data := response.read1(READ_CHUNK_BYTES, decode_content=False):
        if take is not None:
            progress.call_caller(take, data)
            continue
        progress.body += data
        if len(progress.body) > MAX_BODY_BYTES:
            raise ReplyTooLargeError


def decode_reply(
    head: HttpReply, body: bytes, target: RequestTarget, defect: TokencliError | None = None
) -> HttpReply:
    """Return the reply with its body, decompressed if it is compressed.

    The request asks for no compression. Some servers compress anyway, or name a charset as the coding,
    and an issued token should not be lost over that. So a body that can't be decoded is returned as it
    is, with the reason as the reply's defect. `defect` says why the body is incomplete.

    Raises:
        ReplyTooLargeError: the decompressed body is too large.
    """
    coding = head.headers.get("content-encoding", "").strip().lower() or "identity"
    decoded, complete = body, coding in {"identity", "gzip", "x-gzip", "deflate"}
    for is_coded, wbits in (
        (body.startswith(_GZIP_MAGIC), zlib.MAX_WBITS | 16),
        (coding == "deflate", zlib.MAX_WBITS),
        (coding == "deflate", -zlib.MAX_WBITS),
    ):
        if is_coded and (decompressed := _decompress(body, wbits)) is not None:
            decoded, complete = decompressed
            complete = complete and not decoded.startswith(_GZIP_MAGIC)
            break
    else:
        complete = complete and (coding == "identity" or not body)
    if not complete and defect is None:
        defect = ReplyError(
            f"can't decode the reply of {target.authority}: {_describe_coding(coding, decoded != body)}",
            cause="the request allows no content coding (RFC 9110 section 12.5.3)",
            fix=_OPERATORS_FIX,
        )
    return replace(head, body=decoded, defect=defect)


def _describe_coding(coding: str, partly_decoded: bool) -> str:
    """Say what is wrong with a Content-Encoding, and name it if it can't be an echo of a secret."""
    names = [part.strip() for part in coding.split(",")]
    if partly_decoded and len(names) == 1:
        return "its compressed data is damaged"
    if len(names) < 4 and set(names) <= KNOWN_CONTENT_CODINGS:
        wrong = coding in {"gzip", "x-gzip", "deflate"}
        return f"its Content-Encoding ({coding}) is {'wrong' if wrong else 'not supported'}"
    try:
        shown = f" ({codecs.lookup(coding).name})"  # e.g. a charset
    except (LookupError, ValueError):
        shown = ""
    return f"its Content-Encoding{shown} is not a content coding"


def _decompress(compressed: bytes, wbits: int) -> tuple[bytes, bool] | None:
    """Return the decompressed bytes and whether they are complete; None if it is another format."""
    decompressor = zlib.decompressobj(wbits=wbits)
    body = bytearray()
    try:
        # In steps, so that damage costs only what comes after it.
        for start in range(0, len(compressed), DECOMPRESSED_STEP_BYTES):
            step = compressed[start : start + DECOMPRESSED_STEP_BYTES]
            body += decompressor.decompress(step, MAX_BODY_BYTES + 1 - len(body))
            if len(body) > MAX_BODY_BYTES:
                raise ReplyTooLargeError
    except zlib.error:
        return (bytes(body), False) if body else None
    return bytes(body), decompressor.eof

"""The faults of a server, as functions of a connection's peer."""

import gzip
import zlib

from tests.faults.server import Behaviour, Peer

TOKEN = b'{"access_token": "canary-issued-7f3a", "token_type": "Bearer", "expires_in": 3600}'
ZEROS = 64 * 1024 * 1024


def message(status: str, body: bytes = b"", *headers: str, kind: str = "application/json") -> bytes:
    """Return a well-formed response."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


def says(*parts: bytes) -> Behaviour:
    """Read the request, send these bytes, and close."""

    def behave(peer: Peer) -> None:
        peer.read_request()
        for part in parts:
            peer.send(part)

    return behave


def says_and_resets(*parts: bytes) -> Behaviour:
    """Read the request, send these bytes, and reset the connection."""

    def behave(peer: Peer) -> None:
        says(*parts)(peer)
        peer.reset()

    return behave


def says_and_resets_later(peer: Peer) -> None:
    """Send a whole response, and reset the connection once the client has closed its side."""
    says(message("200 OK", TOKEN))(peer)
    peer.hang()
    peer.reset()


def drips(start: bytes, data: bytes, every: float = 0.05, size: int = 1) -> Behaviour:
    """Read the request, send `start`, then `data` in small pieces for ever."""

    def behave(peer: Peer) -> None:
        says(start)(peer)
        peer.drip(data, every, size)

    return behave


def floods(start: bytes, data: bytes) -> Behaviour:
    """Read the request, send `start`, then `data` for ever."""

    def behave(peer: Peer) -> None:
        says(start)(peer)
        peer.flood(data)

    return behave


def silent(peer: Peer) -> None:
    """Accept the request and send nothing."""
    peer.hang()


def silent_after_reading(peer: Peer) -> None:
    """Read the whole request and send nothing."""
    peer.read_request()
    peer.hang()


def resets_at_once(peer: Peer) -> None:
    """Reset the connection before a byte has been exchanged."""
    peer.reset()


def closes_at_once(_: Peer) -> None:
    """Close the connection before a byte has been exchanged."""


def drips_handshake(peer: Peer) -> None:
    """Start a TLS record that never ends."""
    peer.send(b"\x16\x03\x03\x3f\x00")
    peer.drip(b"\x02")


def speaks_plain_http(peer: Peer) -> None:
    """Answer the TLS hello in HTTP, as a web server without TLS does."""
    peer.socket.recv(65536)
    peer.send(message("400 Bad Request", b"plain"))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = HEAD + b"Content-Length: 100000\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def packed(body: bytes, coding: str) -> bytes:
    """Return a response with that Content-Encoding and these bytes."""
    return message("200 OK", body, f"Content-Encoding: {coding}")


def bomb(twice: bool = False) -> bytes:
    """Return a small gzip file that expands to 64 MiB."""
    squeeze = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    once = squeeze.compress(bytes(ZEROS)) + squeeze.flush()
    return gzip.compress(once) if twice else once

"""The table of faults with the expected result of each, and `serve`, which runs one."""

import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.child.fault_resolver import resolving
from tests.faults.server import Behaviour, Counters, Server, running
from tokencli.errors import (
    DeadlineError,
    RefusedError,
    ReplyError,
    TlsError,
    TokencliError,
    UnreachableError,
)

PATH = "/connect/token"


@dataclass(frozen=True)
class Fault:
    """One fault of a server or network."""

    name: str
    behave: Callable[["Served"], Behaviour] | Behaviour
    error: type[TokencliError] | None
    """What the transport raises, or the defect of the reply that it returns; None: a good reply."""
    status: int = 200
    """The status of that reply."""
    requests: int = 1
    """Requests that the server may see at most, where nothing says that the request may be repeated."""
    connections: int = 1
    """Connections that it may see at most."""
    tls: str | None = "good"
    """How it presents itself (see `authority.CONTEXTS`); None: no TLS by the server itself."""
    resolver: str | None = None
    """How names are looked up; then the URL has a name in it."""
    port: str = "listening"
    """`listening`, `closed`, or `full`: accepting nothing more."""
    says: str = ""
    """A word that the message has to say, beside the host."""
    elsewhere: bool = False
    """Whether `behave` wants to know the servers that redirects point to."""
    ahead: Callable[[], object] | None = None
    """What takes its time to make, and is made before anybody's clock runs."""
    read_as: type[TokencliError] | None = None
    """What becomes of a reply that the transport hands over; None: a token."""
    readable: bool = False
    """Whether the reply contains a token that can be read in spite of its defect."""
    passing: bool = False
    """Whether it may be gone at the next try, so that a request that may be repeated is."""

    @property
    def exit_code(self) -> int:
        """The expected exit code."""
        ends = None if self.readable else self.error or self.read_as
        return ends.exit_code if ends else 0

    def __str__(self) -> str:
        return self.name


@dataclass
class Served:
    """A running fault."""

    url: str
    ca_file: Path
    counters: Counters
    environ: dict[str, str]
    """What a child process needs in its environment to meet the fault."""
    other: Server | None = None
    """A second server, which no request may ever reach."""


@contextmanager
def serve(fault: Fault) -> Iterator[Served]:
    """Run a fault during the block, including this process's name lookups."""
    if fault.ahead:
        fault.ahead()
    with ExitStack() as stack:
        served = Served("", ca_file(), Counters(), _environ(fault))
        if fault.elsewhere:
            served.other = stack.enter_context(running(b.says(b.message("200 OK", b.TOKEN))))
            behave = _late(fault, served)
        else:
            behave = fault.behave  # type: ignore[assignment]
        if fault.port == "listening":
            server = stack.enter_context(running(behave, fault.tls))
            served.counters, port = server.counters, server.port
        else:
            port = stack.enter_context(PORTS[fault.port]())
        stack.enter_context(resolving(fault.resolver))
        served.url = f"https://{'idp.example' if fault.resolver else '127.0.0.1'}:{port}{PATH}"
        yield served


def _late(fault: Fault, served: Served) -> Behaviour:
    """Return a behaviour that is created once the URLs are known."""
    return lambda peer: fault.behave(served)(peer)  # type: ignore[call-arg, arg-type, misc]


def _environ(fault: Fault) -> dict[str, str]:
    if fault.resolver is None:
        return {}
    return {
        "PYTHONPATH": str(Path(__file__).parent / "child"),
        "FAULT_RESOLVER": fault.resolver,
    }


@contextmanager
def _closed() -> Iterator[int]:
    """Reserve a port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def _full() -> Iterator[int]:
    """Reserve a port with a full queue, so that connecting gets no answer."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


PORTS = {"closed": _closed, "full": _full}

NOWHERE = b.closes_at_once

TOO_SLOW = (
    Fault("body drip", b.drips(b.LONG, b" "), DeadlineError, says="did not finish"),
    Fault("chunk drip", b.drips(b.CHUNKED, b"1\r\n \r\n"), DeadlineError, says="did not finish"),
    Fault("drip without a length", b.drips(b.HEAD + b"\r\n", b" "), DeadlineError),
    Fault("trailer drip", b.drips(b.CHUNKED + b"0\r\n", b"A: b\r\n"), DeadlineError),
    Fault("header drip", b.drips(b.HEAD, b"x"), DeadlineError, says="no complete reply"),
    Fault("header line drip", b.drips(b.HEAD, b"X: y\r\n", 0.1, 6), DeadlineError),
    Fault("status line drip", b.drips(b"", b"H"), DeadlineError),
    Fault("endless 100 Continue", b.drips(b"", b.CONTINUE, 0.02, 25), DeadlineError),
    Fault("silent", b.silent, DeadlineError, says="no complete reply"),
    Fault("silent after reading", b.silent_after_reading, DeadlineError),
    Fault("no handshake", b.silent, DeadlineError, requests=0, connections=3, tls=None, says="TLS"),
    Fault("handshake drip", b.drips_handshake, DeadlineError, requests=0, connections=3, tls=None),
    Fault("slow DNS", b.silent, DeadlineError, requests=0, connections=0, resolver="slow"),
    Fault("no answer to connect", NOWHERE, DeadlineError, requests=0, port="full"),
)

CUT_OFF = (
    Fault("refused", NOWHERE, UnreachableError, port="closed", says="refused"),
    Fault("unknown name", NOWHERE, UnreachableError, requests=0, connections=0, resolver="unknown"),
    Fault("DNS down", NOWHERE, UnreachableError, requests=0, connections=0, resolver="failing"),
    Fault("reset at once", b.resets_at_once, UnreachableError, requests=0, connections=3, tls=None),
    Fault("FIN at once", b.closes_at_once, UnreachableError, requests=0, connections=3, tls=None),
    Fault("reset before headers", b.says_and_resets(), UnreachableError),
    Fault("reset during headers", b.says_and_resets(b.HEAD), UnreachableError),
    Fault("reset during the body", b.says_and_resets(b.LONG + b"{"), UnreachableError),
    Fault("reset in a TLS session unread", b.resets_at_once, UnreachableError),
    Fault("FIN before the reply", b.says(), UnreachableError),
    Fault("FIN during headers", b.says(b.HEAD + b"X-Half: a"), UnreachableError),
    Fault("FIN between headers", b.says(b.HEAD), UnreachableError),
    Fault(
        "length too long",
        b.says(b.LONG + b.TOKEN),
        UnreachableError,
        says="in the middle of its reply",
        readable=True,
    ),
    Fault(
        "chunk cut",
        b.says(b.CHUNKED + b"ff\r\n{"),
        UnreachableError,
        says="in the middle of its reply",
    ),
    Fault("last chunk missing", b.says(b.CHUNKED + b"2\r\n{}\r\n"), UnreachableError),
    Fault("chunk length broken", b.says(b.CHUNKED + b"zz\r\n{}\r\n"), UnreachableError),
)


@cache
def _bomb(twice: bool) -> bytes:
    return b.packed(b.bomb(twice), "gzip, gzip" if twice else "gzip")


@cache
def _long_word() -> bytes:
    """Return a refusal that is expensive to search carelessly for secrets."""
    text = '{"error": "invalid_client", "error_description": "' + "9" * (2**20 - 100) + '"}'
    return b.message("400 No", text.encode())


@cache
def _many_members() -> bytes:
    """Return an object whose members are expensive to count carelessly."""
    members = ",".join(f'"{number}":1' for number in range(70_000))
    return b.message("200 OK", f'{{{members},"1":2}}'.encode())


TOO_MUCH = (
    Fault(
        "gzip bomb",
        lambda peer: b.says(_bomb(False))(peer),
        ReplyError,
        says="1 MiB",
        ahead=lambda: _bomb(False),
    ),
    Fault(
        "gzip twice",
        lambda peer: b.says(_bomb(True))(peer),
        ReplyError,
        says="Content-Encoding",
        ahead=lambda: _bomb(True),
    ),
    Fault("gzip cut", b.says(b.packed(gzip.compress(b.TOKEN)[:20], "gzip")), ReplyError),
    Fault(
        "brotli", b.says(b.packed(b"\x8b\x01\x80{}\x03", "br")), ReplyError, says="Content-Encoding"
    ),
    Fault("header of 70 kB", b.says(b.HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n"), ReplyError),
    Fault("1000 headers", b.says(b.HEAD + b"X: y\r\n" * 1000 + b"\r\n"), ReplyError),
    Fault("endless header", b.floods(b.HEAD + b"X: ", b"y" * 10_000), ReplyError),
    Fault("flood of 100 Continue", b.floods(b"", b.CONTINUE * 400), ReplyError, says="1 MiB"),
    Fault("body of 2 MiB", b.says(b.message("200 OK", b" " * 2**21)), ReplyError, says="1 MiB"),
    Fault("endless body", b.floods(b.HEAD + b"\r\n", b" " * 65536), ReplyError, says="1 MiB"),
    Fault("endless chunks", b.floods(b.CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"), ReplyError),
    Fault("chunk of -1", b.floods(b.CHUNKED + b"-1\r\n", b" " * 65536), ReplyError),
    Fault("endless chunk length", b.floods(b.CHUNKED, b"0" * 65536), ReplyError),
    Fault("endless trailers", b.floods(b.CHUNKED + b"0\r\n", b"A: b\r\n" * 999), ReplyError),
)

READABLE = (
    Fault("gzip said, not done", b.says(b.packed(b.TOKEN, "gzip")), ReplyError, says="gzip"),
    Fault(
        "gzip without its end", b.says(b.packed(gzip.compress(b.TOKEN)[:-4], "gzip")), ReplyError
    ),
    Fault(
        "brotli said, not done",
        b.says(b.packed(b.TOKEN, "br")),
        ReplyError,
        says="(br) is not supported",
    ),
    Fault(
        "charset as coding",
        b.says(b.packed(b.TOKEN, "UTF-8")),
        ReplyError,
        says="(utf-8) is not a content coding",
    ),
    Fault("2 MiB after a token", b.says(b.message("200 OK", b.TOKEN + b" " * 2**21)), ReplyError),
    Fault(
        "trailers too long",
        b.says(b.CHUNKED + b"%x\r\n%b\r\n0\r\nX: " % (len(b.TOKEN), b.TOKEN) + b"y" * 70_000),
        ReplyError,
    ),
)

NOT_A_REPLY = (
    Fault("SSH", b.says(b"SSH-2.0-OpenSSH_9.2p1\r\n"), ReplyError, says="not HTTP"),
    Fault("HTTP/2 frames", b.says(b"\x00\x00\x12\x04" + b"\x00" * 23), ReplyError, says="not HTTP"),
    Fault("status of letters", b.says(b"HTTP/1.1 OK 200\r\n\r\n"), ReplyError, says="not HTTP"),
    Fault(
        "two lengths",
        b.says(b.HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
        ReplyError,
    ),
)

PASSED_ON = (
    Fault(
        "length too short",
        b.says(b.HEAD + b"Content-Length: 9\r\n\r\n" + b.TOKEN),
        None,
        read_as=ReplyError,
        says="not valid JSON",
    ),
    Fault("reset after the body", b.says_and_resets_later, None),
    Fault("gzip once", b.says(b.packed(gzip.compress(b.TOKEN), "gzip")), None),
    Fault("deflate", b.says(b.packed(zlib.compress(b.TOKEN), "deflate")), None),
    Fault("raw deflate", b.says(b.packed(zlib.compress(b.TOKEN)[2:-4], "deflate")), None),
    Fault("gzip unsaid", b.says(b.message("200 OK", gzip.compress(b.TOKEN))), None),
    Fault(
        "interim replies",
        b.says(b.CONTINUE, b.PROCESSING, b.EARLY_HINTS * 2, b.message("200 OK", b.TOKEN)),
        None,
    ),
    Fault(
        "HTML",
        b.says(b.message("200 OK", b"<html>Sign in</html>", kind="text/html")),
        None,
        read_as=ReplyError,
        says="HTML",
    ),
    Fault(
        "problem+json",
        b.says(b.message("400 Bad", b'{"title":"no"}', kind="application/problem+json")),
        None,
        400,
        read_as=RefusedError,
        says="HTTP 400: no",
    ),
    Fault("empty 403", b.says(b.message("403 No")), None, 403, read_as=RefusedError, says="403"),
    Fault(
        "busy",
        b.says(b.message("503 Busy", b"", "Retry-After: 0")),
        None,
        503,
        read_as=RefusedError,
        passing=True,
        says="503",
    ),
    Fault(
        "busy for a day",
        b.says(b.message("429 Slow", b"", "Retry-After: 86400")),
        None,
        429,
        read_as=RefusedError,
        says="too many requests",
    ),
    Fault(
        "a megabyte of one word",
        lambda peer: b.says(_long_word())(peer),
        None,
        400,
        read_as=RefusedError,
        says="invalid_client",
    ),
    Fault(
        "a member twice among many",
        lambda peer: b.says(_many_members())(peer),
        None,
        read_as=ReplyError,
        says="twice",
    ),
    Fault("header without a colon", b.says(b.HEAD + b"\x1b]0;evil\x07\r\n\r\n" + b.TOKEN), None),
    Fault("length of letters", b.says(b.HEAD + b"Content-Length: x\r\n\r\n" + b.TOKEN), None),
)

TLS = (
    # The second connection looks at the certificate's dates and sends nothing.
    Fault("expired", NOWHERE, TlsError, requests=0, connections=2, tls="expired", says="expired"),
    Fault(
        "not valid yet",
        NOWHERE,
        TlsError,
        requests=0,
        connections=2,
        tls="early",
        says="not valid yet",
    ),
    Fault(
        "wrong host", NOWHERE, TlsError, requests=0, tls="other name", says="not for this address"
    ),
    Fault(
        "wrong name",
        NOWHERE,
        TlsError,
        requests=0,
        tls="other name",
        resolver="loopback",
        says="another host name",
    ),
    # The second connection is for what the server sends: perhaps an intermediate certificate is missing.
    Fault(
        "unknown CA",
        NOWHERE,
        TlsError,
        requests=0,
        connections=2,
        tls="unknown CA",
        says="not trusted",
    ),
    Fault("self-signed", NOWHERE, TlsError, requests=0, tls="self-signed", says="self-signed"),
    Fault("TLS 1.1", NOWHERE, TlsError, requests=0, tls="old", says="older than 1.2"),
    Fault("plain HTTP", b.speaks_plain_http, TlsError, requests=0, tls=None, says="plain HTTP"),
    Fault("wants a certificate", NOWHERE, TlsError, tls="wants certificate", says="certificate"),
)


def _redirects(status: int, location: Callable[[Served], str]) -> Callable[[Served], Behaviour]:
    def behave(served: Served) -> Behaviour:
        return b.says(b.message(f"{status} Elsewhere", b"", f"Location: {location(served)}"))

    return behave


def _other_port(served: Served) -> int:
    assert served.other is not None
    return served.other.port


TARGETS: dict[str, Callable[[Served], str]] = {
    "the same origin": lambda served: f"{served.url}/",
    "another port": lambda served: f"https://127.0.0.1:{_other_port(served)}/evil",
    "another host": lambda served: f"https://localhost:{_other_port(served)}/evil",
    "http": lambda served: f"http://127.0.0.1:{_other_port(served)}/evil",
    "a relative path": lambda _: "../evil?password=canary-password-7f3a",
    "garbage": lambda _: "https://[::1/\x1b[31m\\..\x7f%zz",
}

REDIRECTS = tuple(
    Fault(
        f"{status} to {where}",
        _redirects(status, location),
        ReplyError,
        says="redirect",
        elsewhere=True,
    )
    for status in (301, 302, 303, 307, 308)
    for where, location in TARGETS.items()
)

FAULTS: tuple[Fault, ...] = (
    *TOO_SLOW,
    *(replace(fault, passing=True) for fault in CUT_OFF),
    *TOO_MUCH,
    *(replace(fault, readable=True) for fault in READABLE),
    *NOT_A_REPLY,
    *PASSED_ON,
    *TLS,
    *REDIRECTS,
)

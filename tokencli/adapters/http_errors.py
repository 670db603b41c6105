"""What the layers below raise, told in our own errors: one table, first match wins."""

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError

from tokencli.adapters import proxy_errors, tls_errors
from tokencli.adapters.connection import ReplyTooLarge, Stage
from tokencli.adapters.failure import NETWORK, NOT_THE_ENDPOINT, Circumstances, Row
from tokencli.errors import (
    ConfigError,
    DeadlineError,
    ReplyError,
    TlsError,
    TokencliError,
    UnreachableError,
)

LATER = "run it again; if it stays so, tell the server's operators"
NO_ROUTE = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
}
OVERDUE: dict[Stage, str] = {
    "connect": "could not be connected to",
    "tls": "took the connection but did not finish the TLS handshake",
    "wait": "took the request but sent no whole answer",
    "read": "began its reply but did not finish it",
}


def explain(error: BaseException, at: Circumstances) -> tuple[TokencliError, bool]:
    """Return the error to raise, and whether one more try may help.

    Raises `error` itself where it is none of the network's.
    """
    links = tuple(_chain(error))
    proxys = at.proxy is not None and at.stage in {"connect", "proxy"}
    for row in proxy_errors.TABLE if proxys else TABLE:
        for link in links:
            if isinstance(link, row.kind) and row.when(link):
                message, hint = row.say(link, at)
                told = row.raises(message, hint=hint)
                if isinstance(told, UnreachableError):
                    told.sent = at.sent
                return told, row.passing
    raise error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and those it was made of: urllib3 and requests wrap, and wrap again."""
    queue: list[object] = [error]
    seen: set[int] = set()
    while queue:
        link = queue.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            queue += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]


def _overdue(_: TimeoutError, at: Circumstances) -> tuple[str, str]:
    more = f"or allow more time: --timeout {max(60, round(at.waited * 2))}s"
    slow = f"run it again later, {more}"
    return (
        f"{at.server} {OVERDUE[at.stage]} within {at.waited:.1f} s",
        slow if at.sent else f"{NETWORK}; {more}",
    )


def _unresolved(error: socket.gaierror, at: Circumstances) -> tuple[str, str]:
    if error.errno == socket.EAI_AGAIN:
        return (
            f"the name {at.target.host} could not be looked up: no name server answered",
            "check the network connection and its DNS, then try again",
        )
    return (
        f"there is no host named {at.target.host}",
        "check its spelling (tokencli profiles show); if it is an internal name, join that network "
        "or VPN first",
    )


def _cut(_: Exception, at: Circumstances) -> tuple[str, str]:
    match at.stage:
        case "read":
            return f"the reply of {at.server} broke off before its end", LATER
        case "wait":
            return f"{at.server} closed the connection without a whole answer", LATER
        case _:
            return (
                f"{at.server} closed the connection before anything was sent",
                "check that the port is the server's https port (tokencli profiles show); a "
                "firewall may also be in the way",
            )


def _no_http(_: Exception, at: Circumstances) -> tuple[str, str]:
    return f"what {at.server} answered is not HTTP", NOT_THE_ENDPOINT


def _failed(error: Exception, at: Circumstances) -> tuple[str, str]:
    return f"the exchange with {at.server} failed ({type(error).__name__})", NETWORK


TABLE: tuple[Row, ...] = (
    Row(
        ReplyTooLarge,
        lambda _, at: (
            f"{at.server} sent far more than a token reply (over 1 MiB)",
            NOT_THE_ENDPOINT,
        ),
        ReplyError,
    ),
    Row(
        ssl.SSLCertVerificationError,
        lambda e, at: tls_errors.certificate(e, at.target, at.trust, at.proxy, at.left),
        TlsError,
    ),
    Row(ssl.SSLEOFError, _cut, passing=True),
    Row(ssl.SSLZeroReturnError, _cut, passing=True),
    Row(ssl.SSLError, lambda e, at: tls_errors.protocol(e, at.target), TlsError),
    Row(socket.gaierror, _unresolved),
    Row(
        ConnectionRefusedError,
        lambda _, at: (f"{at.server} refused the connection: nothing listens there", NETWORK),
        passing=True,
    ),
    Row(TimeoutError, _overdue, DeadlineError, passing=True),
    Row(http.client.IncompleteRead, _cut, passing=True),
    Row(ConnectionError, _cut, passing=True),
    Row(http.client.BadStatusLine, _no_http, ReplyError),
    Row(http.client.UnknownProtocol, _no_http, ReplyError),
    Row(
        http.client.HTTPException,
        lambda _, at: (
            f"{at.server} sent lines too long or too many to be a reply",
            NOT_THE_ENDPOINT,
        ),
        ReplyError,
    ),
    Row(
        InvalidHeader,
        lambda _, at: (f"{at.server} sent headers that contradict each other", NOT_THE_ENDPOINT),
        ReplyError,
    ),
    Row(
        OSError,
        lambda _, at: (f"there is no way to {at.server} from here", NETWORK),
        when=lambda e: e.errno in NO_ROUTE,
    ),
    Row(
        LocationParseError,
        lambda _, at: (
            f"{at.target.host[:200]!r} can't be the name of a host",
            "check the host in the profile: tokencli profiles show",
        ),
        ConfigError,
    ),
    Row(OSError, _failed),
    Row(HTTPError, _failed),
)

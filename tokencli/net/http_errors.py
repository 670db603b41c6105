"""What the layers below raise, told in our own errors: one table, first match wins."""

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator

from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError

from tokencli.errors import (
    ConfigError,
    DeadlineError,
    ReplyError,
    TlsError,
    TokencliError,
    UnreachableError,
)
from tokencli.net import proxy_errors, tls_errors
from tokencli.net.connection import ExchangeStage, ReplyTooLargeError
from tokencli.net.failure_context import (
    CHECK_ENDPOINT_HINT,
    CHECK_NETWORK_HINT,
    ErrorRule,
    FailureContext,
)

RUN_AGAIN_HINT = "run it again; if it stays so, tell the server's operators"
NO_ROUTE_ERRNOS = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
}
TIMEOUT_DESCRIPTIONS: dict[ExchangeStage, str] = {
    "connect": "could not be connected to",
    "tls": "took the connection but did not finish the TLS handshake",
    "wait": "took the request but sent no whole answer",
    "read": "began its reply but did not finish it",
}


def translate_exception(error: BaseException, at: FailureContext) -> tuple[TokencliError, bool]:
    """Return the error to raise, and whether one more try may help.

    Raises `error` itself where it is none of the network's.
    """
    links = tuple(_walk_exception_chain(error))
    proxys = at.proxy is not None and at.stage in {"connect", "proxy"}
    for row in proxy_errors.PROXY_ERROR_RULES if proxys else HTTP_ERROR_RULES:
        for link in links:
            if isinstance(link, row.exception_type) and row.matches(link):
                message, fix = row.describe(link, at)
                told = row.error_type(message, fix=fix)
                if isinstance(told, UnreachableError):
                    told.request_sent = at.request_sent
                return told, row.transient
    raise error


def _walk_exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and those it was made of: urllib3 and requests wrap, and wrap again."""
    queue: list[object] = [error]
    seen: set[int] = set()
    while queue:
        link = queue.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            queue += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]


def _describe_timeout(_: TimeoutError, at: FailureContext) -> tuple[str, str]:
    more = f"or allow more time: --timeout {max(60, round(at.elapsed_s * 2))}s"
    slow = f"run it again later, {more}"
    return (
        f"{at.server_description} {TIMEOUT_DESCRIPTIONS[at.stage]} within {at.elapsed_s:.1f} s",
        slow if at.request_sent else f"{CHECK_NETWORK_HINT}; {more}",
    )


def _describe_dns_failure(error: socket.gaierror, at: FailureContext) -> tuple[str, str]:
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


def _describe_disconnect(_: Exception, at: FailureContext) -> tuple[str, str]:
    match at.stage:
        case "read":
            return f"the reply of {at.server_description} broke off before its end", RUN_AGAIN_HINT
        case "wait":
            return (
                f"{at.server_description} closed the connection without a whole answer",
                RUN_AGAIN_HINT,
            )
        case _:
            return (
                f"{at.server_description} closed the connection before anything was sent",
                "check that the port is the server's https port (tokencli profiles show); a "
                "firewall may also be in the way",
            )


def _describe_non_http_reply(_: Exception, at: FailureContext) -> tuple[str, str]:
    return f"what {at.server_description} answered is not HTTP", CHECK_ENDPOINT_HINT


def _describe_other_failure(error: Exception, at: FailureContext) -> tuple[str, str]:
    return (
        f"the exchange with {at.server_description} failed ({type(error).__name__})",
        CHECK_NETWORK_HINT,
    )


HTTP_ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        ReplyTooLargeError,
        lambda _, at: (
            f"{at.server_description} sent far more than a token reply (over 1 MiB)",
            CHECK_ENDPOINT_HINT,
        ),
        ReplyError,
    ),
    ErrorRule(
        ssl.SSLCertVerificationError,
        lambda e, at: tls_errors.describe_certificate_error(
            e, at.target, at.trust, at.proxy, at.remaining_s
        ),
        TlsError,
    ),
    ErrorRule(ssl.SSLEOFError, _describe_disconnect, transient=True),
    ErrorRule(ssl.SSLZeroReturnError, _describe_disconnect, transient=True),
    ErrorRule(
        ssl.SSLError, lambda e, at: tls_errors.describe_handshake_error(e, at.target), TlsError
    ),
    ErrorRule(socket.gaierror, _describe_dns_failure),
    ErrorRule(
        ConnectionRefusedError,
        lambda _, at: (
            f"{at.server_description} refused the connection: nothing listens there",
            CHECK_NETWORK_HINT,
        ),
        transient=True,
    ),
    ErrorRule(TimeoutError, _describe_timeout, DeadlineError, transient=True),
    ErrorRule(http.client.IncompleteRead, _describe_disconnect, transient=True),
    ErrorRule(ConnectionError, _describe_disconnect, transient=True),
    ErrorRule(http.client.BadStatusLine, _describe_non_http_reply, ReplyError),
    ErrorRule(http.client.UnknownProtocol, _describe_non_http_reply, ReplyError),
    ErrorRule(
        http.client.HTTPException,
        lambda _, at: (
            f"{at.server_description} sent lines too long or too many to be a reply",
            CHECK_ENDPOINT_HINT,
        ),
        ReplyError,
    ),
    ErrorRule(
        InvalidHeader,
        lambda _, at: (
            f"{at.server_description} sent headers that contradict each other",
            CHECK_ENDPOINT_HINT,
        ),
        ReplyError,
    ),
    ErrorRule(
        OSError,
        lambda _, at: (f"there is no way to {at.server_description} from here", CHECK_NETWORK_HINT),
        matches=lambda e: e.errno in NO_ROUTE_ERRNOS,
    ),
    ErrorRule(
        LocationParseError,
        lambda _, at: (
            f"{at.target.host[:200]!r} can't be the name of a host",
            "check the host in the profile: tokencli profiles show",
        ),
        ConfigError,
    ),
    ErrorRule(OSError, _describe_other_failure),
    ErrorRule(HTTPError, _describe_other_failure),
)

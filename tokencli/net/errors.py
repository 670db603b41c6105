"""Network failures: one table that maps the exceptions of lower layers to tokencli's errors.

The table is loaded only once a request has failed.
"""

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError

from tokencli.errors import (
    ConfigError,
    DeadlineError,
    ReplyError,
    TlsError,
    TokencliError,
    UnreachableError,
)
from tokencli.fast_dataclass import dataclass
from tokencli.humanize import join_alternatives
from tokencli.net.connection import Explanation, FailureContext, ReplyTooLargeError
from tokencli.net.proxy import describe_proxy_script
from tokencli.net.tls_errors import explain_certificate_error, explain_handshake_error
from tokencli.shell_words import quote, user_shell

WRONG_ENDPOINT_CAUSE = "the profile probably has the wrong URL"
RUN_AGAIN_CAUSE = "try again in a minute, and tell the server's administrators if it keeps failing"
NO_ROUTE_ERRNOS = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
}
_CONNECT_STATUS_RE = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""http.client's text for any status but 200 in the reply to CONNECT."""


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """One kind of failure: how it is recognized, and what is said about it."""

    exception_type: type[BaseException]
    explain: Callable[[Any, FailureContext], Explanation]
    """Quotes no text of an exception or a server: that may contain a URL, a header or a body."""
    error_type: type[TokencliError] = UnreachableError
    transient: bool = False
    """Whether the next attempt may succeed, if sending the request again is harmless."""
    matches: Callable[[Any], bool] = lambda _: True


def translate_exception(
    error: BaseException, context: FailureContext
) -> tuple[TokencliError, bool]:
    """Return the error to raise, and whether another attempt may succeed.

    Raises `error` itself if it isn't a network failure.
    """
    chain = tuple(_walk_exception_chain(error))
    at_proxy = context.proxy is not None and context.stage in {"connect", "proxy"}
    for rule in PROXY_ERROR_RULES if at_proxy else HTTP_ERROR_RULES:
        for link in chain:
            if isinstance(link, rule.exception_type) and rule.matches(link):
                message, cause, fix, untrusted_issuer = rule.explain(link, context)
                translated = rule.error_type(message, cause=cause, fix=fix)
                if isinstance(translated, TlsError):
                    translated.untrusted_issuer = untrusted_issuer
                if isinstance(translated, UnreachableError):
                    if context.is_connecting_directly and (script := describe_proxy_script()):
                        translated.cause = f"{cause}; {script}" if cause else script
                    translated.request_sent = context.request_sent
                    translated.failure = "connect" if at_proxy else _name_failure(link)
                    translated.proxy = None if context.proxy is None else context.proxy.authority
                    translated.stage = context.stage
                return translated, rule.transient
    raise error


def _name_failure(error: BaseException) -> str:
    """Return `UnreachableError.failure` for the exception that a rule matched."""
    for exception_type, name in (
        (socket.gaierror, "dns"),
        ((ssl.SSLEOFError, ssl.SSLZeroReturnError), "broken_off"),
        (ssl.SSLError, "tls"),
        (ConnectionRefusedError, "connect"),
        (TimeoutError, "timeout"),
        ((ConnectionError, http.client.IncompleteRead), "broken_off"),
    ):
        if isinstance(error, exception_type):
            return name
    is_unroutable = isinstance(error, OSError) and error.errno in NO_ROUTE_ERRNOS
    return "connect" if is_unroutable else "other"


def _walk_exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those behind it: urllib3 and requests wrap, and wrap again."""
    queue: list[object] = [error]
    seen: set[int] = set()
    while queue:
        link = queue.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            queue += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]


def _explain_timeout(_: TimeoutError, at: FailureContext) -> Explanation:
    seconds = f"within {at.elapsed_s:.1f} s"
    longer: str | None = None
    cause: str | None = f"--timeout allows {at.connection.timeout:g} s"
    if not at.connection.is_timeout_option:
        limit = max(60, round((at.elapsed_s if at.idle_s is None else at.idle_s) * 2))
        longer, cause = at.connection.edit_command(f"timeout={limit}s"), None
    if at.idle_s is not None and at.stage in ("read", "wait"):
        message = f"nothing came from {at.server} for {at.idle_s:.1f} s"
        return Explanation(message, cause, longer)
    match at.stage:
        case "read":
            return Explanation(f"{at.server} did not finish its reply {seconds}", cause, longer)
        case "wait":
            return Explanation(f"{at.server} sent no complete reply {seconds}", cause, longer)
        case "tls":
            message = f"{at.server} did not finish the TLS handshake {seconds}"
        case _:
            message = f"can't connect to {at.server} {seconds}"
    return Explanation(message, _network_cause(at, "a firewall is in the way"), at.probe_command)


def _explain_dns_failure(error: socket.gaierror, at: FailureContext) -> Explanation:
    if error.errno == socket.EAI_AGAIN:
        return Explanation(
            f"can't look up the host name {at.target.host}: no name server answered",
            "this computer is offline, or its DNS server is down",
            f"nslookup {quote(at.target.host)}",
        )
    return Explanation(
        f"there is no host named {at.target.host}",
        "the name is misspelled, or it is internal and resolves only in its own network or VPN",
        at.connection.show_command(),
    )


def _explain_disconnect(_: Exception, at: FailureContext) -> Explanation:
    match at.stage:
        case "read":
            return Explanation(
                f"{at.server} closed the connection in the middle of its reply",
                RUN_AGAIN_CAUSE,
                None,
            )
        case "wait":
            return Explanation(
                f"{at.server} closed the connection without a complete reply", RUN_AGAIN_CAUSE, None
            )
        case _:
            return Explanation(
                f"{at.server} closed the connection before the request was sent",
                "the port isn't the server's https port, or a firewall is in the way",
                at.probe_command,
            )


def _explain_non_http_reply(_: Exception, at: FailureContext) -> Explanation:
    return Explanation(
        f"the reply of {at.server} is not HTTP",
        "the port probably belongs to another service",
        at.connection.show_command(),
    )


def _explain_bad_reply(what: str) -> Callable[[Exception, FailureContext], Explanation]:
    """Return a function that explains a reply that no token endpoint would send."""
    return lambda _, at: Explanation(
        f"{at.server} sent {what}", WRONG_ENDPOINT_CAUSE, at.connection.show_command()
    )


def _network_cause(at: FailureContext, obstacle: str) -> str:
    """List what can be wrong; a proxy can only be missing if one would be used."""
    if at.proxy is not None or at.target.is_loopback:
        return f"the host or port is wrong, or {obstacle}"
    return f"the host or port is wrong, {obstacle}, or the network requires a proxy (HTTPS_PROXY)"


def _explain_other_failure(error: Exception, at: FailureContext) -> Explanation:
    return Explanation(
        f"the request to {at.server} failed ({type(error).__name__})",
        _network_cause(at, "a firewall is in the way"),
        at.probe_command,
    )


HTTP_ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        ReplyTooLargeError,
        _explain_bad_reply("more than 1 MiB, far too much for a token reply"),
        ReplyError,
    ),
    ErrorRule(ssl.SSLCertVerificationError, explain_certificate_error, TlsError),
    ErrorRule(ssl.SSLEOFError, _explain_disconnect, transient=True),
    ErrorRule(ssl.SSLZeroReturnError, _explain_disconnect, transient=True),
    ErrorRule(ssl.SSLError, explain_handshake_error, TlsError),
    ErrorRule(socket.gaierror, _explain_dns_failure),
    ErrorRule(
        ConnectionRefusedError,
        lambda _, at: Explanation(
            f"{at.server} refused the connection: nothing listens on that port",
            _network_cause(at, "the server is down"),
            at.connection.show_command(),
        ),
        transient=True,
    ),
    ErrorRule(TimeoutError, _explain_timeout, DeadlineError, transient=True),
    ErrorRule(http.client.IncompleteRead, _explain_disconnect, transient=True),
    ErrorRule(ConnectionError, _explain_disconnect, transient=True),
    ErrorRule(http.client.BadStatusLine, _explain_non_http_reply, ReplyError),
    ErrorRule(http.client.UnknownProtocol, _explain_non_http_reply, ReplyError),
    ErrorRule(
        http.client.HTTPException,
        _explain_bad_reply("header lines that are too long or too many"),
        ReplyError,
    ),
    ErrorRule(InvalidHeader, _explain_bad_reply("headers that contradict each other"), ReplyError),
    ErrorRule(
        OSError,
        lambda _, at: Explanation(
            f"there is no network route to {at.server}",
            "this computer is offline, or the host is reachable only in its own network or VPN",
            at.probe_command,
        ),
        matches=lambda error: error.errno in NO_ROUTE_ERRNOS,
    ),
    ErrorRule(
        LocationParseError,
        lambda _, at: Explanation(
            f"{at.target.host[:200]!r} is not a valid host name", None, at.connection.show_command()
        ),
        ConfigError,
    ),
    ErrorRule(OSError, _explain_other_failure),
    ErrorRule(HTTPError, _explain_other_failure),
)
"""The first rule that matches counts."""


def _explain_connect_refusal(error: OSError, at: FailureContext) -> Explanation:
    proxy = at.proxy
    assert proxy is not None
    status = _CONNECT_STATUS_RE.match(str(error))
    if status is None or status[1] != "407":
        reason = f"it refused to connect to {at.target.authority} (HTTP {status and status[1]})"
        return _explain_proxy_failure(reason)(error, at)
    who = f"the proxy {proxy.authority} (from {proxy.configured_by})"
    if at.proxy_schemes and "basic" not in at.proxy_schemes:
        setting = proxy.configured_by if proxy.is_from_environment else "proxy of the profile"
        return Explanation(
            f"{who} requires authentication by {join_alternatives(at.proxy_schemes)}, which tokencli"
            " doesn't support (HTTP 407)",
            "run a local proxy that does it for you, such as Px or cntlm, and set"
            f" {setting} to its URL",
            None,
        )
    url = f"http://USER:PASSWORD@{proxy.authority}"
    has_user = proxy.proxy_authorization_header() is not None
    return Explanation(
        f"{who} {'rejected the' if has_user else 'requires a'} user name and password (HTTP 407)",
        "special characters in them must be percent-encoded",
        user_shell().set_variable(proxy.configured_by, url)
        if proxy.is_from_environment
        else at.connection.edit_command(f"proxy={url}"),
    )


def _explain_proxy_failure(reason: str) -> Callable[[BaseException, FailureContext], Explanation]:
    def explain(_: BaseException, at: FailureContext) -> Explanation:
        proxy = at.proxy
        assert proxy is not None
        return Explanation(
            f"the proxy {proxy.authority} (from {proxy.configured_by}) failed: {reason}",
            f"{proxy.configured_by} is wrong, or {at.target.host} must be reached without a proxy",
            user_shell().append_to_variable("NO_PROXY", ",", at.target.host)
            if proxy.is_from_environment
            else at.connection.edit_command("proxy=none"),
        )

    return explain


PROXY_ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        OSError,
        _explain_connect_refusal,
        matches=lambda error: _CONNECT_STATUS_RE.match(str(error)) is not None,
    ),
    ErrorRule(socket.gaierror, _explain_proxy_failure("its name can't be looked up")),
    ErrorRule(
        ConnectionRefusedError, _explain_proxy_failure("it refused the connection"), transient=True
    ),
    ErrorRule(
        TimeoutError,
        _explain_proxy_failure("it did not answer in time"),
        DeadlineError,
        transient=True,
    ),
    ErrorRule(ssl.SSLError, _explain_proxy_failure("TLS to the proxy itself failed")),
    ErrorRule(ConnectionError, _explain_proxy_failure("it closed the connection"), transient=True),
    ErrorRule(
        http.client.HTTPException, _explain_proxy_failure("it does not answer like an HTTP proxy")
    ),
    ErrorRule(ReplyTooLargeError, _explain_proxy_failure("it does not answer like an HTTP proxy")),
    ErrorRule(OSError, _explain_proxy_failure("there is no network route to it")),
    ErrorRule(HTTPError, _explain_proxy_failure("the connection to it failed")),
)
"""For failures before the proxy's tunnel is open: the server has not been reached yet."""

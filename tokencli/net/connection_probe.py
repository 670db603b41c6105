"""Connect to a server as a request would, and report each stage: for the checks of `doctor`."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cryptography.x509 import Certificate as X509Certificate

from tokencli import platforms
from tokencli.errors import ConfigError, TlsError, TokencliError, UnreachableError
from tokencli.machine import Certificate, ConnectionReport
from tokencli.models import ClientCertificate, Connection, HttpRequest
from tokencli.net.proxy import PROXY_VARIABLES, Proxy, describe_proxy_script, select_proxy
from tokencli.net.request_guard import RequestTarget, parse_target
from tokencli.net.tls_context import resolve_trust_config
from tokencli.net.tls_errors import fetch_peer_certificates, parse_chain
from tokencli.net.transport import HttpTransport
from tokencli.sanitize import sanitize_text
from tokencli.system.timeout import run_with_timeout

MAX_NAME_CHARS = 100
"""Characters of a distinguished name that are shown."""


def probe_connection(
    url: str,
    connection: Connection,
    environ: Mapping[str, str],
    certificate: ClientCertificate | None = None,
    detail: Callable[[str], None] | None = None,
) -> ConnectionReport:
    """Send HEAD for the root of the URL's server, without credentials, and report what happened.

    Everything takes at most `connection.timeout` seconds. What is sent and received is described
    to `detail`.
    """
    deadline = time.monotonic() + connection.timeout
    try:
        target = parse_target(url)
    except ConfigError as error:
        return ConnectionReport("", failed_stage="url", error=error)
    trust = resolve_trust_config(connection, environ)
    report: dict[str, Any] = {
        "authority": target.authority,
        "is_tls": target.scheme == "https",
        "trust": trust.description,
    }
    try:
        proxy = select_proxy(target, connection, environ)
    except ConfigError as error:
        return ConnectionReport(**report, failed_stage="proxy", error=error)
    report["proxy"] = None if proxy is None else proxy.authority
    report["proxy_reason"] = _explain_proxy_choice(target, connection, environ, proxy)
    if proxy is None:
        report["addresses"], report["dns_s"] = _look_up(target, connection.timeout)
    connected: list[float] = []

    def observe(sock: Any) -> None:
        connected.append(time.monotonic())
        if isinstance(sock, ssl.SSLSocket):
            report["tls_version"] = sock.version()
            report["certificates"] = _read_chain(sock)

    started = time.monotonic()
    transport = HttpTransport(environ, lambda _: None, detail, observe=observe)
    request = HttpRequest(
        "HEAD",
        f"{target.scheme}://{target.authority}/",
        {"Accept": "*/*"},
        client_certificate=certificate,
        redirect_is_reply=True,
    )
    remaining = replace(connection, timeout=max(deadline - started, 0.1))
    try:
        reply = transport.send(request, remaining)
    except TokencliError as error:
        report["error"] = error
        report["failed_stage"] = _find_stage(error, is_connected=bool(connected))
        if isinstance(error, TlsError) and proxy is None and not report.get("certificates"):
            chain = fetch_peer_certificates(target, deadline - time.monotonic())
            report["certificates"] = _describe_chain(chain)
    else:
        report["status"] = reply.status
        if reply.server_time is not None and reply.received_at is not None:
            report["skew"] = reply.received_at - reply.server_time
    if connected:
        report["connect_s"] = connected[-1] - started
    return ConnectionReport(**report)


def _find_stage(error: TokencliError, *, is_connected: bool) -> str:
    """Return the stage of `ConnectionReport` that failed."""
    if isinstance(error, TlsError):  # with TLS 1.3 also after the handshake
        return "tls"
    if is_connected:
        return "reply"
    if not isinstance(error, UnreachableError):  # a CA file or a client certificate can't be used
        return "tls"
    if error.failure == "dns":
        return "dns"
    if error.stage in ("connect", "proxy"):
        return "connect" if error.proxy is None else "proxy"
    return "tls" if error.stage == "tls" else "reply"


def _explain_proxy_choice(
    target: RequestTarget,
    connection: Connection,
    environ: Mapping[str, str],
    proxy: Proxy | None,
) -> str:
    if proxy is not None:
        return f"from {proxy.configured_by}"
    if target.is_loopback:
        return "the server is on this computer"
    if connection.proxy == "none":
        return 'the profile sets proxy = "none"'
    if any(environ.get(name, "").strip() for name in PROXY_VARIABLES):
        variable = "no_proxy" if environ.get("no_proxy") else "NO_PROXY"
        return f"{variable} lists the server"
    platform = platforms.current()
    if platform.read_proxy_settings().url:
        return f"the proxy setting of {platform.name} excepts the server"
    unset = f"neither {' nor '.join(PROXY_VARIABLES[1::2])} is set"
    script = describe_proxy_script()
    return f"{unset}; {script}" if script else unset


def _look_up(target: RequestTarget, seconds: float) -> tuple[tuple[str, ...], float | None]:
    """Return the host's addresses, and the time the lookup took; the request itself reports a failure."""
    started = time.monotonic()
    try:
        found = run_with_timeout(
            lambda: socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM), seconds
        )
    except (OSError, UnicodeError):
        return (), None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    return addresses, time.monotonic() - started


def _read_chain(sock: ssl.SSLSocket) -> tuple[Certificate, ...]:
    """Return the chain that was verified, or what the server sent if nothing is."""
    connection: Any = sock._sslobj  # type: ignore[attr-defined]  # public methods: Python 3.13
    chain = connection.get_verified_chain() or connection.get_unverified_chain() or ()
    return _describe_chain(parse_chain(chain))


def _describe_chain(chain: Sequence[X509Certificate]) -> tuple[Certificate, ...]:
    try:
        return tuple(
            Certificate(
                sanitize_text(each.subject.rfc4514_string(), MAX_NAME_CHARS),
                sanitize_text(each.issuer.rfc4514_string(), MAX_NAME_CHARS),
                each.not_valid_before_utc.timestamp(),
                each.not_valid_after_utc.timestamp(),
            )
            for each in chain
        )
    except ValueError:  # a name that can't be parsed
        return ()

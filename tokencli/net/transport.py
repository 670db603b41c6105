"""The one transport: every request of the program goes through here, by rules that nothing softens.

requests is used below its Session, because it is the Session that reads netrc and the environment,
keeps cookies and follows redirects.
"""

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any

from requests import PreparedRequest, Request, Response
from requests.adapters import HTTPAdapter
from urllib3.exceptions import SystemTimeWarning

from tokencli.errors import TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.humanize import describe_clock_skew
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.net import retry
from tokencli.net.client_certificate import load_client_certificate
from tokencli.net.connection import ExchangeProgress, make_tracked_connection_class
from tokencli.net.failure_context import FailureContext
from tokencli.net.proxy import Proxy, select_proxy
from tokencli.net.request_guard import RequestTarget, build_headers, parse_target
from tokencli.net.response_guard import read_body, refuse_redirect
from tokencli.net.tls_context import TrustConfig, build_tls_context, resolve_trust_config
from tokencli.providers.redaction import mask_secrets, redact_name
from tokencli.system.deadline import WORKER_THREAD_NAME, run_with_deadline

CONNECT_TIMEOUT_SHARE = 1 / 3
"""One address of a host gets this share of the time left, so that the next one has a chance …"""
MIN_CONNECT_TIMEOUT_S = 5.0
"""… but this many seconds, where the deadline allows them."""


@dataclass(frozen=True, slots=True)
class _PreparedExchange:
    """All that is settled before the first byte is sent."""

    request: HttpRequest
    prepared_request: PreparedRequest
    target: RequestTarget
    trust: TrustConfig
    tls_context: SSLContext | None
    """None for http to loopback."""
    proxy: Proxy | None
    started_at: float
    """Monotonic seconds."""
    timeout: float

    @property
    def elapsed_s(self) -> float:
        """Seconds since the exchange began, all tries included."""
        return time.monotonic() - self.started_at

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline."""
        return self.timeout - self.elapsed_s


@dataclass(frozen=True, slots=True)
class _FailedAttempt:
    """A try that brought no reply."""

    error: TokencliError
    retryable: bool
    """Whether one more try may help and can't harm."""


class HttpTransport:
    """Send requests over HTTPS, or over HTTP to this very machine."""

    def __init__(
        self,
        environ: Mapping[str, str],
        warn: Callable[[str], None],
        detail: Callable[[str], None],
    ) -> None:
        self._environ = environ
        self._warn = warn
        self._detail = detail

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send `request` and return the reply, whatever its status, unless that is a redirect.

        Sent again, three times in all, is only what can't have reached the server and, where the
        request says that it may be, what met a busy server or a broken connection.

        Raises:
            UnreachableError, TlsError, DeadlineError: no reply came; `sent` says whether the
                request may have reached the server.
            ReplyError: a redirect, or a reply that is too large, encoded or not HTTP.
            ConfigError: the URL, a header, a CA file or a proxy is not fit; nothing was sent.
        """
        plan = self._prepare_exchange(request, connection)
        tried = 0
        while True:
            tried += 1
            outcome = _attempt_exchange(plan)
            if isinstance(outcome, _FailedAttempt):
                pause = retry.compute_backoff(tried) if outcome.retryable else None
                why = outcome.error.message
            else:
                pause = retry.compute_retry_delay(outcome, tried) if request.is_retry_safe else None
                why = _describe_reply(outcome, plan)
            if pause is None or pause >= plan.remaining_s:
                if isinstance(outcome, _FailedAttempt):
                    raise outcome.error from None  # what lies below may quote a secret
                self._detail(why)
                return outcome
            self._detail(f"{why}; trying again in {pause:.1f} s")
            time.sleep(pause)

    def _prepare_exchange(self, request: HttpRequest, connection: Connection) -> _PreparedExchange:
        started = time.monotonic()
        target = parse_target(request.url)
        headers = build_headers(request)
        proxy = select_proxy(target, connection, self._environ)
        trust = resolve_trust_config(connection, self._environ)
        context = build_tls_context(trust) if target.scheme == "https" else None
        if context is not None and request.client_certificate is not None:
            load_client_certificate(request.client_certificate, context)
        way = (
            f"through the proxy {proxy.authority} ({proxy.configured_by})" if proxy else "directly"
        )
        checked = f"; certificates checked against {trust.description}" if context else ""
        path = mask_secrets(target.path, request.secrets)
        self._detail(
            f"{request.method} {target.scheme}://{target.authority}{path} {way}{checked}; "
            f"headers: {', '.join(headers)}"
        )
        if context and not trust.verify_certificates:
            self._warn(
                f"the certificate of {target.authority} is not checked, because the profile says "
                "insecure = true: anybody on the way can read what is sent, secrets included"
            )
        prepared = Request(
            request.method, request.url, headers=headers, data=request.body or None
        ).prepare()
        return _PreparedExchange(
            request, prepared, target, trust, context, proxy, started, connection.timeout
        )


def _attempt_exchange(plan: _PreparedExchange) -> HttpReply | _FailedAttempt:
    """Do the exchange once, within what is left of the deadline."""
    progress = ExchangeProgress()
    seconds = plan.remaining_s
    try:
        return run_with_deadline(
            seconds, lambda: _perform_exchange(plan, progress, seconds), progress.cancel
        )
    except TokencliError as error:
        return _FailedAttempt(error, retryable=False)
    except Exception as error:  # noqa: BLE001  (explain() raises again what is not the network's)
        from tokencli.net.http_errors import translate_exception  # of no use to a run that succeeds

        at = FailureContext(
            plan.target,
            plan.trust,
            plan.proxy,
            progress.stage,
            progress.request_sent,
            plan.elapsed_s,
            plan.remaining_s,
        )
        told, passing = translate_exception(error, at)
        return _FailedAttempt(
            told, passing and (plan.request.is_retry_safe or not progress.request_sent)
        )
    finally:
        progress.close()


def _perform_exchange(
    plan: _PreparedExchange, progress: ExchangeProgress, seconds: float
) -> HttpReply:
    """Connect, send and read; no wait for the socket lasts longer than `seconds`."""
    adapter = _ExchangeAdapter(progress, plan.tls_context, plan.proxy)
    seconds = max(seconds, 0.001)  # zero would mean not to block at all
    connect = max(seconds * CONNECT_TIMEOUT_SHARE, min(seconds, MIN_CONNECT_TIMEOUT_S))
    try:
        raw: Any = adapter.send(
            plan.prepared_request,
            stream=True,
            timeout=(connect, seconds),
            proxies={"https": plan.proxy.url.reveal()} if plan.proxy else {},
        ).raw
        try:
            headers = {name.lower(): raw.headers[name] for name in raw.headers}
            refuse_redirect(raw.status, headers, plan.request, plan.target)
            return HttpReply(raw.status, headers, read_body(raw, plan.target), time.time())
        finally:
            raw.close()
    finally:
        adapter.close()
        progress.close_streams()


def _describe_reply(reply: HttpReply, plan: _PreparedExchange) -> str:
    names = redact_name(", ".join(reply.headers), plan.request.secrets)[:400]
    skew = reply.clock_skew
    clock = "" if skew is None else f"; this computer's clock is {describe_clock_skew(skew)}"
    return (
        f"HTTP {reply.status} with {len(reply.body)} bytes after {plan.elapsed_s * 1000:.0f} ms; "
        f"headers: {names}{clock}"
    )


class _ExchangeAdapter(HTTPAdapter):
    """requests' way to urllib3, with our TLS context, our proxy and a connection that is watched."""

    def __init__(
        self, progress: ExchangeProgress, context: SSLContext | None, proxy: Proxy | None
    ) -> None:
        self._progress = progress
        self._context = context
        self._proxy = proxy
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        if self._proxy is not None and not self._proxy.is_socks:
            kwargs["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)

    def proxy_headers(self, *_: Any, **__: Any) -> dict[str, str]:
        value = self._proxy.proxy_authorization_header() if self._proxy else None
        return {"Proxy-Authorization": value} if value else {}

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        # requests would add certifi's certificates to those of the context.
        if self._context is not None:
            conn.cert_reqs = self._context.verify_mode

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = make_tracked_connection_class(pool.ConnectionCls, self._progress)
        return pool

    def build_response(self, _: Any, resp: Any) -> Response:
        # requests would parse cookies out of it.
        response = Response()
        response.raw = resp
        return response


class _ExcludeExchangeThreads(logging.Filter):
    """Drop what urllib3 logs of our exchanges: URLs with their query, and bytes of bad headers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != WORKER_THREAD_NAME


for _room in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_room}").addFilter(_ExcludeExchangeThreads())
# A clock that is far off is told together with the certificate that it makes invalid.
warnings.filterwarnings("ignore", category=SystemTimeWarning)

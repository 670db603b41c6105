"""The HTTP transport: sends every request of the program, within a deadline, with retries.

requests is used without its Session, which would read netrc and the environment, keep cookies and
follow redirects.
"""

import logging
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from ssl import SSLContext
from typing import Any

from requests import PreparedRequest, Request, Response
from requests.adapters import HTTPAdapter
from urllib3.exceptions import SystemTimeWarning

from tokencli.errors import TokencliError, UnreachableError
from tokencli.fast_dataclass import dataclass
from tokencli.humanize import describe_clock_skew
from tokencli.models import BUSY_STATUSES, Connection, HttpReply, HttpRequest, StreamedBody
from tokencli.net.connection import (
    MAX_BODY_BYTES,
    ExchangeProgress,
    FailureContext,
    ReplyTooLargeError,
    make_tracked_connection_class,
)
from tokencli.net.proxy import Proxy, select_proxy
from tokencli.net.request_guard import RequestTarget, build_headers, parse_target
from tokencli.net.response_guard import decode_reply, read_body, refuse_redirect
from tokencli.net.tls_context import (
    TrustConfig,
    build_tls_context,
    load_client_certificate,
    resolve_trust_config,
)
from tokencli.protocols import ShowWait, WaitStatus, hide_wait
from tokencli.providers.redaction import mask_secrets, redact_name
from tokencli.system.signals import is_reply_kept, stoppable
from tokencli.system.timeout import WORKER_THREAD_NAME, Wakeup, run_with_timeout

MAX_TRIES = 3
FIRST_BACKOFF_S = 0.2
"""Seconds before the second attempt; the delay doubles with each further one."""
CONNECT_TIMEOUT_SHARE = 1 / 3
"""Share of the remaining time for each address of a host, so that the next one has a chance …"""
MIN_CONNECT_TIMEOUT_S = 5.0
"""… but at least this many seconds, if the deadline allows."""
POLL_S = 1.0
"""Seconds until the progress of a streamed exchange is looked at again while its caller is busy."""


@dataclass(frozen=True, slots=True)
class _PreparedExchange:
    """A request with everything that is decided before the first byte is sent."""

    request: HttpRequest
    connection: Connection
    prepared_request: PreparedRequest
    target: RequestTarget
    trust: TrustConfig
    tls_context: SSLContext | None
    """None for http."""
    proxy: Proxy | None
    started_at: float
    """Monotonic seconds."""
    observe: Callable[[Any], None] | None = None
    """Called with the socket once the connection is usable."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the exchange began, earlier attempts included."""
        return time.monotonic() - self.started_at

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline."""
        return self.connection.timeout - self.elapsed_s


@dataclass(frozen=True, slots=True)
class _FailedAttempt:
    """An attempt without a complete reply."""

    error: TokencliError
    retryable: bool
    """Whether another attempt may succeed and is harmless."""
    damaged_reply: HttpReply | None = None
    """What has come of the reply, with the error as its defect, if its headers were complete."""


class HttpTransport:
    """Sends requests over HTTPS, or over HTTP to this machine."""

    def __init__(
        self,
        environ: Mapping[str, str],
        warn: Callable[[str], None],
        detail: Callable[[str], None] | None = None,
        show_wait: ShowWait = hide_wait,
        observe: Callable[[Any], None] | None = None,
    ) -> None:
        self._environ = environ
        self._warn = warn
        self._detail = detail
        self._show_wait = show_wait
        self._observe = observe

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send `request` and return the reply, whatever its status, unless that is a redirect.

        There are up to three attempts. A request is repeated if it can't have reached the server.
        If the request is safe to repeat, a busy server or a broken connection is a reason as well.

        A reply that breaks off after its headers is returned as far as it has come, with the failure as
        its `defect`, because it may contain a token that the server will not issue again. If it does, the
        request is not repeated.

        Raises:
            UnreachableError, TlsError, DeadlineError: there was no reply; `request_sent` says
                whether the request may have reached the server.
            ReplyError: a redirect, or a reply that is not HTTP.
            ConfigError: the URL, a header, a CA file or a proxy is invalid; nothing was sent.
        """
        exchange = self._prepare_exchange(request, connection)
        wait = _ExchangeWait(exchange)
        with self._show_wait(wait.describe), stoppable(wait.stop):
            return self._send_until_final(exchange, wait)

    def _send_until_final(self, exchange: _PreparedExchange, wait: "_ExchangeWait") -> HttpReply:
        request, attempts = exchange.request, 0
        while True:
            attempts += 1
            outcome = _attempt_exchange(exchange, wait)
            if isinstance(outcome, _FailedAttempt):
                partial, is_answered_by = outcome.damaged_reply, request.is_answered_by
                is_answered = bool(partial and is_answered_by and is_answered_by(partial))
                delay = compute_backoff(attempts) if outcome.retryable and not is_answered else None
            else:
                delay = compute_retry_delay(outcome, attempts) if request.is_retry_safe else None
            if delay is None or delay >= exchange.remaining_s:
                self._print_outcome(outcome, exchange)
                if isinstance(outcome, HttpReply):
                    reply = outcome
                elif outcome.damaged_reply is not None:
                    reply = outcome.damaged_reply
                else:
                    raise outcome.error from None  # the original exception may quote a secret
                return reply
            self._print_outcome(outcome, exchange, f"; trying again in {delay:.1f} s")
            if isinstance(outcome, HttpReply):
                reason = f"{exchange.target.authority} replied with HTTP {outcome.status}"
            else:
                reason = outcome.error.message
            wait.back_off(delay, reason)

    def _print_outcome(
        self, outcome: HttpReply | _FailedAttempt, exchange: _PreparedExchange, next_step: str = ""
    ) -> None:
        """Print details of an attempt, if they are wanted: a reply takes long to describe."""
        if self._detail is not None:
            what = (
                outcome.error.message
                if isinstance(outcome, _FailedAttempt)
                else _describe_reply(outcome, exchange)
            )
            self._detail(f"{what}{next_step}")

    def _prepare_exchange(self, request: HttpRequest, connection: Connection) -> _PreparedExchange:
        started = time.monotonic()
        target = parse_target(request.url)
        headers = build_headers(request)
        proxy = select_proxy(target, connection, self._environ)
        trust = resolve_trust_config(connection, self._environ)
        context = build_tls_context(trust, connection) if target.scheme == "https" else None
        if context is not None and request.client_certificate is not None:
            load_client_certificate(request.client_certificate, context, connection)
        if self._detail is not None:
            route = (
                f"through the proxy {proxy.authority} ({proxy.configured_by})"
                if proxy
                else "directly"
            )
            checked = f"; certificates checked against {trust.description}" if context else ""
            path = mask_secrets(target.path, request.secrets)
            self._detail(
                f"{request.method} {target.scheme}://{target.authority}{path} {route}{checked}; "
                f"headers: {', '.join(headers)}"
            )
        if context and not trust.verify_certificates:
            self._warn(
                f"the certificate of {target.authority} is not verified, because the profile sets"
                " insecure = true: anyone on the network path can read the request and its secrets"
            )
        prepared = Request(
            request.method,
            request.url,
            headers=headers,
            data=request.body or None,
        ).prepare()
        return _PreparedExchange(
            request, connection, prepared, target, trust, context, proxy, started, self._observe
        )


class _ExchangeWait:
    """What an exchange is waiting for: shown to the user, and ended by a deferred signal."""

    def __init__(self, exchange: _PreparedExchange) -> None:
        self._exchange = exchange
        self._progress: ExchangeProgress | None = None
        self._wakeup = Wakeup()
        self._stopped = False
        self._retry_reason = ""
        self._retry_at = 0.0

    def begin_attempt(self) -> tuple[ExchangeProgress, Wakeup]:
        """Return the progress of a new attempt, and what ends it."""
        progress = self._progress = ExchangeProgress(self._exchange.observe)
        return progress, self._begin_wait()

    def back_off(self, delay: float, reason: str) -> None:
        """Wait `delay` seconds before the next attempt."""
        self._progress, self._retry_reason = None, reason
        self._retry_at = time.monotonic() + delay
        self._begin_wait().wait(delay)

    def stop(self, keep_reply: bool) -> float:
        """End the wait (`signals.stoppable`)."""
        progress = self._progress
        if progress is not None and not progress.cancel(unless_sent=keep_reply):
            return max(self._exchange.remaining_s, 0.0)
        self._stopped = True
        self._wakeup.set()
        return 0.0

    def extend(self) -> float:
        """Return how long to wait further for a streamed exchange: as long as it makes progress."""
        progress = self._progress
        if self._stopped or progress is None:
            return 0.0
        if progress.is_waiting_for_caller:
            return POLL_S
        return progress.active_at + self._exchange.connection.timeout - time.monotonic()

    def raise_if_stopped(self) -> None:
        """Raise an error that only ends the block in which signals are deferred."""
        if self._stopped:
            error = UnreachableError("interrupted")
            error.request_sent = self._progress is not None and self._progress.request_sent
            raise error from None  # the original exception may quote a secret

    def describe(self) -> WaitStatus:
        """Return what is being waited for."""
        progress, server = self._progress, self._exchange.target.authority
        if progress is None:
            seconds = max(self._retry_at - time.monotonic(), 0.0)
            return WaitStatus(f"trying again in {seconds:.0f} s, because {self._retry_reason}")
        proxy = self._exchange.proxy
        if progress.stage in ("connect", "proxy") and proxy is not None:
            server += f" through the proxy {proxy.authority}"
        text = {
            "connect": f"connecting to {server}",
            "proxy": f"connecting to {server}",
            "tls": f"setting up TLS with {server}",
            "wait": f"waiting for {server}",
            "read": f"reading the reply of {server}",
        }[progress.stage]
        if progress.request_sent and is_reply_kept():
            return WaitStatus(
                text, self._exchange.connection.timeout, "Ctrl-C stops after the reply"
            )
        request = self._exchange.request
        is_streamed = request.streamed_body is not None or progress.stage == "read"
        if request.receive is not None and is_streamed:  # the timeout is for each wait
            return WaitStatus(text)
        return WaitStatus(text, self._exchange.connection.timeout)

    def _begin_wait(self) -> Wakeup:
        self._wakeup = Wakeup()
        self.raise_if_stopped()  # after the assignment: from now on, a signal ends this wait
        return self._wakeup


def _attempt_exchange(
    exchange: _PreparedExchange, wait: _ExchangeWait
) -> HttpReply | _FailedAttempt:
    """Do the exchange once, within the time that is left."""
    progress, wakeup = wait.begin_attempt()
    seconds = exchange.remaining_s
    is_streamed = exchange.request.receive is not None
    try:
        return run_with_timeout(
            lambda: _perform_exchange(exchange, progress, seconds),
            seconds,
            cancel=progress.cancel,
            wakeup=wakeup,
            extend=wait.extend if is_streamed else None,
        )
    except TokencliError as error:
        return _FailedAttempt(error, retryable=False)
    except Exception as error:  # noqa: BLE001  # raised again unless it is a network failure
        wait.raise_if_stopped()
        if progress.caller_error is not None:
            raise progress.caller_error from None
        from tokencli.net.errors import translate_exception  # start-up: only failures need it

        context = FailureContext(
            exchange.target,
            exchange.connection,
            exchange.trust,
            exchange.proxy,
            progress.stage,
            progress.request_sent,
            exchange.elapsed_s,
            exchange.remaining_s,
            progress.proxy_schemes,
            exchange.request.client_certificate is not None,
            time.monotonic() - progress.active_at if is_streamed else None,
        )
        translated, transient = translate_exception(error, context)
        repeatable = exchange.request.is_retry_safe or not progress.request_sent
        damaged = None
        if progress.reply_head is not None:
            with suppress(ReplyTooLargeError):
                damaged = decode_reply(
                    progress.reply_head, bytes(progress.body), exchange.target, translated
                )
        return _FailedAttempt(translated, transient and repeatable, damaged)
    finally:
        progress.close()


def _perform_exchange(
    exchange: _PreparedExchange, progress: ExchangeProgress, seconds: float
) -> HttpReply:
    """Connect, send and read; each wait for the socket is at most `seconds` long."""
    adapter = _ExchangeAdapter(progress, exchange.tls_context, exchange.proxy)
    seconds = max(seconds, 0.001)  # zero would mean non-blocking
    connect = max(seconds * CONNECT_TIMEOUT_SHARE, min(seconds, MIN_CONNECT_TIMEOUT_S))
    prepared = exchange.prepared_request
    if (body := exchange.request.streamed_body) is not None:
        prepared, connect = _add_streamed_body(prepared, body, progress), seconds
    try:
        raw: Any = adapter.send(
            prepared,
            stream=True,
            timeout=(connect, seconds),
            proxies={"https": exchange.proxy.url.reveal()} if exchange.proxy else {},
        ).raw
        try:
            headers = {name.lower(): raw.headers[name] for name in raw.headers}
            refuse_redirect(
                raw.status, headers, exchange.request, exchange.target, exchange.connection
            )
            proxy = None if exchange.proxy is None else exchange.proxy.authority
            head = progress.reply_head = HttpReply(
                raw.status,
                headers,
                b"",
                time.time(),
                proxy=proxy,
                reason=raw.reason or "",
                version=raw.version,
                header_lines=tuple(raw.headers.items()),
            )
            if (receive := exchange.request.receive) is not None:
                return _receive_body(raw, head, progress, receive)
            read_body(raw, progress)
            return decode_reply(progress.reply_head, bytes(progress.body), exchange.target)
        finally:
            raw.close()
    finally:
        adapter.close()
        progress.close_streams()


def _add_streamed_body(
    prepared: PreparedRequest, body: StreamedBody, progress: ExchangeProgress
) -> PreparedRequest:
    """Return a copy of the request that sends the body piece by piece."""

    def iterate() -> Iterator[bytes]:
        pieces = progress.call_caller(body.open)
        while piece := progress.call_caller(next, pieces, b""):
            yield piece

    copied = prepared.copy()
    copied.body = iterate()  # type: ignore[assignment]  # requests sends any iterable
    copied.headers.pop("Content-Length", None)
    if body.length is not None:
        copied.headers["Content-Length"] = str(body.length)
    return copied


def _receive_body(
    raw: Any,
    head: HttpReply,
    progress: ExchangeProgress,
    receive: Callable[[HttpReply], Callable[[bytes], object] | None],
) -> HttpReply:
    """Hand the body to what `receive` returns, piece by piece; else return its beginning."""
    take = progress.call_caller(receive, head)
    if take is not None:
        progress.is_reply_limited = False
        read_body(raw, progress, take)
        return head
    with suppress(ReplyTooLargeError):
        read_body(raw, progress)
    return replace(head, body=bytes(progress.body[:MAX_BODY_BYTES]))


def _describe_reply(reply: HttpReply, exchange: _PreparedExchange) -> str:
    names = redact_name(", ".join(reply.headers), exchange.request.secrets)[:400]
    skew = reply.clock_skew
    clock = "" if skew is None else f"; this computer's clock is {describe_clock_skew(skew)}"
    size = "" if exchange.request.receive is not None else f" with {len(reply.body)} bytes"
    return (
        f"HTTP {reply.status}{size} after {exchange.elapsed_s * 1000:.0f} ms; "
        f"headers: {names}{clock}"
    )


def compute_backoff(attempts: int) -> float | None:
    """Return the seconds before the next attempt, with some jitter, or None after the last."""
    if attempts >= MAX_TRIES:
        return None
    delay: float = FIRST_BACKOFF_S * 2 ** (attempts - 1)
    return delay * random.uniform(0.75, 1.25)  # noqa: S311  # so that many clients don't collide


def compute_retry_delay(reply: HttpReply, attempts: int) -> float | None:
    """Return the seconds before the next attempt, or None if the reply is final."""
    delay = compute_backoff(attempts)
    if delay is None or reply.status not in BUSY_STATUSES:
        return None
    return max(delay, reply.retry_after or 0.0)


class _ExchangeAdapter(HTTPAdapter):
    """requests' adapter to urllib3, with our TLS context, proxy and tracked connection."""

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
        # requests would add certifi's CAs to those of the context.
        if self._context is not None:
            conn.cert_reqs = self._context.verify_mode

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = make_tracked_connection_class(pool.ConnectionCls, self._progress)
        return pool

    def build_response(self, _: Any, resp: Any) -> Response:
        # requests would parse cookies.
        response = Response()
        response.raw = resp
        return response


class _ExcludeExchangeThreads(logging.Filter):
    """Drop urllib3's log records of our exchanges: URLs with their query, and bytes of bad headers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != WORKER_THREAD_NAME


for _logger_suffix in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_logger_suffix}").addFilter(_ExcludeExchangeThreads())
# A wrong clock is reported together with the certificate that it makes invalid.
warnings.filterwarnings("ignore", category=SystemTimeWarning)

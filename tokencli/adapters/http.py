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

from tokencli.adapters import retry
from tokencli.adapters.client_certificate import show
from tokencli.adapters.connection import Progress, watched
from tokencli.adapters.deadline import WORKER, within
from tokencli.adapters.failure import Circumstances
from tokencli.adapters.incoming import read_body, refuse_redirect
from tokencli.adapters.outgoing import Target, headers_of, target_of
from tokencli.adapters.proxy import Proxy, proxy_for
from tokencli.adapters.trust import Trust, tls_context, trust_for
from tokencli.errors import TokencliError
from tokencli.frozen import dataclass
from tokencli.model import Connection, WireReply, WireRequest
from tokencli.providers.redact import hide, redact_name
from tokencli.providers.skew import told

CONNECT_SHARE = 1 / 3
"""One address of a host gets this share of the time left, so that the next one has a chance …"""
CONNECT_MIN_S = 5.0
"""… but this many seconds, where the deadline allows them."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is settled before the first byte is sent."""

    request: WireRequest
    prepared: PreparedRequest
    target: Target
    trust: Trust
    context: SSLContext | None
    """None for http to loopback."""
    proxy: Proxy | None
    started: float
    """Monotonic seconds."""
    timeout: float

    @property
    def waited(self) -> float:
        """Seconds since the exchange began, all tries included."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.timeout - self.waited


@dataclass(frozen=True, slots=True)
class _Failure:
    """A try that brought no reply."""

    error: TokencliError
    again: bool
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

    def send(self, request: WireRequest, connection: Connection) -> WireReply:
        """Send `request` and return the reply, whatever its status, unless that is a redirect.

        Sent again, three times in all, is only what can't have reached the server and, where the
        request says that it may be, what met a busy server or a broken connection.

        Raises:
            UnreachableError, TlsError, DeadlineError: no reply came; `sent` says whether the
                request may have reached the server.
            ReplyError: a redirect, or a reply that is too large, encoded or not HTTP.
            ConfigError: the URL, a header, a CA file or a proxy is not fit; nothing was sent.
        """
        plan = self._plan(request, connection)
        tried = 0
        while True:
            tried += 1
            outcome = _try(plan)
            if isinstance(outcome, _Failure):
                pause = retry.pause(tried) if outcome.again else None
                why = outcome.error.message
            else:
                pause = retry.pause_for(outcome, tried) if request.retry else None
                why = _reply_in_words(outcome, plan)
            if pause is None or pause >= plan.left:
                if isinstance(outcome, _Failure):
                    raise outcome.error from None  # what lies below may quote a secret
                self._detail(why)
                return outcome
            self._detail(f"{why}; trying again in {pause:.1f} s")
            time.sleep(pause)

    def _plan(self, request: WireRequest, connection: Connection) -> _Plan:
        started = time.monotonic()
        target = target_of(request.url)
        headers = headers_of(request)
        proxy = proxy_for(target, connection, self._environ)
        trust = trust_for(connection, self._environ)
        context = tls_context(trust) if target.scheme == "https" else None
        if context is not None and request.certificate is not None:
            show(request.certificate, context)
        way = f"through the proxy {proxy.shown} ({proxy.origin})" if proxy else "directly"
        checked = f"; certificates checked against {trust.shown}" if context else ""
        path = hide(target.path, request.secrets)
        self._detail(
            f"{request.method} {target.scheme}://{target.shown}{path} {way}{checked}; "
            f"headers: {', '.join(headers)}"
        )
        if context and not trust.checked:
            self._warn(
                f"the certificate of {target.shown} is not checked, because the profile says "
                "insecure = true: anybody on the way can read what is sent, secrets included"
            )
        prepared = Request(
            request.method, request.url, headers=headers, data=request.body or None
        ).prepare()
        return _Plan(request, prepared, target, trust, context, proxy, started, connection.timeout)


def _try(plan: _Plan) -> WireReply | _Failure:
    """Do the exchange once, within what is left of the deadline."""
    progress = Progress()
    seconds = plan.left
    try:
        return within(seconds, lambda: _exchange(plan, progress, seconds), progress.give_up)
    except TokencliError as error:
        return _Failure(error, again=False)
    except Exception as error:  # noqa: BLE001  (explain() raises again what is not the network's)
        from tokencli.adapters.http_errors import explain  # of no use to a run that succeeds

        at = Circumstances(
            plan.target,
            plan.trust,
            plan.proxy,
            progress.stage,
            progress.sent,
            plan.waited,
            plan.left,
        )
        told, passing = explain(error, at)
        return _Failure(told, passing and (plan.request.retry or not progress.sent))
    finally:
        progress.close()


def _exchange(plan: _Plan, progress: Progress, seconds: float) -> WireReply:
    """Connect, send and read; no wait for the socket lasts longer than `seconds`."""
    adapter = _Adapter(progress, plan.context, plan.proxy)
    seconds = max(seconds, 0.001)  # zero would mean not to block at all
    connect = max(seconds * CONNECT_SHARE, min(seconds, CONNECT_MIN_S))
    try:
        raw: Any = adapter.send(
            plan.prepared,
            stream=True,
            timeout=(connect, seconds),
            proxies={"https": plan.proxy.url.reveal()} if plan.proxy else {},
        ).raw
        try:
            headers = {name.lower(): raw.headers[name] for name in raw.headers}
            refuse_redirect(raw.status, headers, plan.request, plan.target)
            return WireReply(raw.status, headers, read_body(raw, plan.target), time.time())
        finally:
            raw.close()
    finally:
        adapter.close()
        progress.close_streams()


def _reply_in_words(reply: WireReply, plan: _Plan) -> str:
    names = redact_name(", ".join(reply.headers), plan.request.secrets)[:400]
    return (
        f"HTTP {reply.status} with {len(reply.body)} bytes after {plan.waited * 1000:.0f} ms; "
        f"headers: {names}{f'; {clock}' if (clock := told(reply)) else ''}"
    )


class _Adapter(HTTPAdapter):
    """requests' way to urllib3, with our TLS context, our proxy and a connection that is watched."""

    def __init__(self, progress: Progress, context: SSLContext | None, proxy: Proxy | None) -> None:
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
        value = self._proxy.authorization() if self._proxy else None
        return {"Proxy-Authorization": value} if value else {}

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        # requests would add certifi's certificates to those of the context.
        if self._context is not None:
            conn.cert_reqs = self._context.verify_mode

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = watched(pool.ConnectionCls, self._progress)
        return pool

    def build_response(self, _: Any, resp: Any) -> Response:
        # requests would parse cookies out of it.
        response = Response()
        response.raw = resp
        return response


class _OthersOnly(logging.Filter):
    """Drop what urllib3 logs of our exchanges: URLs with their query, and bytes of bad headers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != WORKER


for _room in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_room}").addFilter(_OthersOnly())
# A clock that is far off is told together with the certificate that it makes invalid.
warnings.filterwarnings("ignore", category=SystemTimeWarning)

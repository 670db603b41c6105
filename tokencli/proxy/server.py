"""The proxy's server: listen, forward, and end in time."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import aiohttp
from aiohttp import web

from tokencli.errors import TokencliError
from tokencli.proxy.addresses import Gate
from tokencli.proxy.exchange import Forwarder, UpstreamRequest, drop_generated_headers
from tokencli.proxy.tokens import FreshToken, TokenSupply
from tokencli.system.timeout import join_thread, wait_for

MAX_HEADER_BYTES = 64 * 1024
"""Limit of a header or a request line: tokens with many groups are long."""
UPSTREAM_KEEP_ALIVE_S = 4.0
"""Seconds for which an idle connection to the API is used again; common servers close it after 5."""
GRACE_S = 0.6
"""Seconds for the requests that are going on when the proxy ends."""
RENEWAL_GRACE_S = 0.4
"""Seconds for a renewal that is going on then."""
STOP_S = 1.3
"""Limit of the seconds until the proxy has ended."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What a proxy is built from."""

    gate: Gate
    supply: TokenSupply
    connect_timeout: float
    """Seconds for a connection to the API."""
    request_options: Mapping[str, Any]
    """Options of each request of aiohttp: TLS and the proxy to the API."""
    explain: Callable[[BaseException], TokencliError]
    report: Callable[[TokencliError], None]
    log: Callable[[str], None] | None = None


@contextmanager
def running_proxy(settings: ProxySettings, listeners: Sequence[socket.socket]) -> Iterator[None]:
    """Serve in a background thread, from before the block until after it."""
    is_ready, errors = Event(), list[BaseException]()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with _Serving(settings, listeners):
            is_ready.set()
            await stop.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(serve())
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            errors.append(error)
        finally:
            is_ready.set()

    thread = Thread(target=run, daemon=True, name="proxy")
    thread.start()
    wait_for(is_ready.wait)
    try:
        if errors:
            raise errors[0]
        yield
    finally:
        with suppress(RuntimeError):  # it has ended already
            loop.call_soon_threadsafe(stop.set)
        join_thread(thread, STOP_S)


class _Serving:
    """Serve on the listeners."""

    def __init__(self, settings: ProxySettings, listeners: Sequence[socket.socket]) -> None:
        self._settings, self._listeners = settings, listeners
        self._is_ending = False

    async def __aenter__(self) -> None:
        settings = self._settings
        self._tokens = FreshToken(settings.supply, settings.report)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=UPSTREAM_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=UpstreamRequest,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout),
            auto_decompress=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        forwarder = Forwarder(
            settings.gate,
            self._session,
            self._tokens,
            settings.supply,
            settings.request_options,
            settings.explain,
            self._report,
            settings.log,
        )

        @web.middleware
        async def forward(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],  # noqa: ARG001 - aiohttp passes it
        ) -> web.StreamResponse:
            return await forwarder.handle(request)

        async def ask_for_body_later(_: web.Request) -> None:
            """Leave `Expect: 100-continue` to the API."""

        async def unreachable(_: web.Request) -> web.StreamResponse:
            raise AssertionError("the middleware answers")

        app = web.Application(middlewares=[forward])
        app.router.add_route("*", "/{path:(?s:.*)}", unreachable, expect_handler=ask_for_body_later)
        app.on_response_prepare.append(drop_generated_headers)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            handler_cancellation=True,
            shutdown_timeout=GRACE_S,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        await self._runner.setup()
        for listener in self._listeners:
            await web.SockSite(self._runner, listener).start()
        self._renewing = asyncio.create_task(self._tokens.renew_when_due())

    def _report(self, error: TokencliError) -> None:
        if not self._is_ending:  # the proxy itself breaks off what is going on then
            self._settings.report(error)

    async def __aexit__(self, *_: object) -> None:
        self._is_ending = True
        self._renewing.cancel()
        await self._runner.cleanup()
        await self._session.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tokens.finish(), RENEWAL_GRACE_S)

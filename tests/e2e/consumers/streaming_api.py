"""An API that shows what arrives of a request, and replies in ways that proxies get wrong."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from aiohttp import web

from tokencli.jwt.decode import decode_token

CHUNK = bytes(64 * 1024)
EVENTS = ("first", "second", "third")


class StreamingApi:
    """Serve on a loopback port in a background thread, in a `with` block."""

    def __init__(self, accepts: Callable[[str], bool] = lambda _: True) -> None:
        """Accept the tokens for which `accepts` is true, and refuse others as RFC 6750 says."""
        self.accepts = accepts
        self.requests: list[web.Request] = []
        self.refused = 0
        self.reads_before_refusing = False
        self.has_dropped = False
        self.bytes_before_dropping = 1
        self.cancelled = Event()
        self.may_read = Event()
        self.sent_bytes = 0
        self.next_event = Event()
        self.nonce: str | None = None
        """What a DPoP proof must contain (RFC 9449 section 9)."""
        self._is_ready = Event()

    def __enter__(self) -> "StreamingApi":
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._is_ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(middlewares=[self._authorize], client_max_size=1 << 40)
        for name in ("echo", "big", "events", "ws", "odd", "hang", "gzip", "broken", "slow_sink",
                     "drops_once", "session"):  # fmt: skip
            app.router.add_route("*", f"/v1/{name}", getattr(self, name))
        app.router.add_route("*", "/v1/redirect", self.redirect)
        app.router.add_route("*", "/v1/refuse_early", self.echo, expect_handler=self._refuse_early)
        app.router.add_route("*", "/v1/ignores_expect", self.echo, expect_handler=self._ignore)
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            shutdown_timeout=1,
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert runner.addresses
        self.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.url = f"{self.origin}/v1"
        self._is_ready.set()
        await self._stop.wait()
        await runner.cleanup()

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(request)
        token = request.headers.get("Authorization", "").partition(" ")[2]
        if not self.accepts(token):
            self.refused += 1
            if self.reads_before_refusing:
                await request.read()
            challenge = 'Bearer error="invalid_token", error_description="expired"'
            return web.Response(status=401, text="refused", headers={"WWW-Authenticate": challenge})
        if self.nonce is not None and read_nonce(request) != self.nonce:
            self.refused += 1
            headers = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": self.nonce}
            return web.Response(status=401, headers=headers)
        response: web.StreamResponse = await handler(request)
        return response

    async def echo(self, request: web.Request) -> web.Response:
        """Reply with what has arrived."""
        digest, size = hashlib.sha256(), 0
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            size += len(chunk)
        return web.json_response(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": [[name, value] for name, value in request.headers.items()],
                "size": size,
                "sha256": digest.hexdigest(),
            }
        )

    async def big(self, request: web.Request) -> web.StreamResponse:
        """Reply with `chunks` chunks."""
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.query["chunks"])):
            await response.write(CHUNK)
            self.sent_bytes += len(CHUNK)
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send an event each time the test says so (server-sent events)."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in EVENTS:
            await asyncio.to_thread(self.next_event.wait, 20)
            self.next_event.clear()
            await response.write(f"data: {event}\n\n".encode())
        return response

    async def ws(self, request: web.Request) -> web.StreamResponse:
        """Send each message back; `bye` ends it with the code 4321."""
        socket = web.WebSocketResponse(protocols=["made-up"], max_msg_size=1 << 30)
        await socket.prepare(request)
        async for message in socket:
            if message.data == "bye":
                await socket.close(code=4321, message=b"see you")
            elif message.type is web.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        return socket

    async def odd(self, _: web.Request) -> web.Response:
        """Reply with an unusual status line and repeated headers."""
        response = web.Response(status=299, reason="Quite Fine", body=b"x")
        response.headers.add("Set-Cookie", "a=1; Path=/v1")
        response.headers.add("Set-Cookie", "b=2; Domain=example.com")
        response.headers["X-Hop"] = "1"
        response.headers["Connection"] = "X-Hop"
        return response

    async def redirect(self, request: web.Request) -> web.Response:
        """Redirect to `to`."""
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def hang(self, _: web.Request) -> web.Response:
        """Never reply; note that the client went away."""
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return web.Response()

    async def gzip(self, _: web.Request) -> web.Response:
        """Reply with a compressed body."""
        return web.Response(body=gzip.compress(b"made-up"), headers={"Content-Encoding": "gzip"})

    async def broken(self, request: web.Request) -> web.StreamResponse:
        """Break off in the middle of a chunked reply."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def drops_once(self, request: web.Request) -> web.StreamResponse:
        """Close the connection of the first request when `bytes_before_dropping` have arrived."""
        if self.has_dropped:
            return await self.echo(request)
        self.has_dropped = True
        read_bytes = 0
        while read_bytes < self.bytes_before_dropping:
            read_bytes += len(await request.content.readany())
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def session(self, request: web.Request) -> web.Response:
        """Set cookies and name the next page, as the API of another host does."""
        response = web.json_response(dict(request.cookies))
        for attributes in (
            "Path=/v1",
            "Path=/; Secure; HttpOnly",
            "Domain=127.0.0.1; SameSite=None; Secure",
        ):
            response.headers.add("Set-Cookie", f"c{len(attributes)}=1; {attributes}")
        next_page = f'<{self.url}/echo?page=2>; rel="next", <https://other.example.com/>; rel="x"'
        response.headers["Link"] = next_page
        return response

    async def slow_sink(self, request: web.Request) -> web.Response:
        """Read the body only once the test says so."""
        await asyncio.to_thread(self.may_read.wait, 60)
        return await self.echo(request)

    async def _refuse_early(self, _: web.Request) -> web.Response:
        return web.Response(status=413, text="too large")

    async def _ignore(self, _: web.Request) -> None:
        """Send no 100 Continue, as servers that don't know it."""


def read_nonce(request: web.Request) -> object:
    """Return the nonce in a request's DPoP proof."""
    return decode_token(request.headers.get("DPoP", "")).claims.get("nonce")

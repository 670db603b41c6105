"""One request: forward it with the token, send it again with another one if needed, relay the reply."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.helpers import set_result
from multidict import CIMultiDict
from yarl import URL

from tokencli.errors import TokencliError
from tokencli.proxy.addresses import (
    Gate,
    RefusedRequestError,
    Route,
    rewrite_cookie,
    rewrite_location,
)
from tokencli.proxy.headers import (
    forward_reply_headers,
    forward_request_headers,
    list_connection_options,
    lower_headers,
    remove_query,
    replace_query,
)
from tokencli.proxy.replayable_body import ReplayableBody
from tokencli.proxy.tokens import FreshToken, KeptToken, Pairs, TokenSupply
from tokencli.proxy.tunnel import tunnel

CONTINUE_TIMEOUT_S = 1.0
"""Seconds to wait for the API's 100 Continue before the body is sent all the same."""
MAX_DISCARDED_BYTES = 64 * 1024
"""Limit of a refusal that is read to its end, so that the connection can be used again."""
_GENERATED_HEADERS = ("Content-Type", "Date", "Server")
"""Headers that aiohttp adds to a reply without them."""


class UpstreamRequest(aiohttp.ClientRequest):
    """A request that is not stopped by a server that ignores `Expect: 100-continue`."""

    async def write_bytes(self, *args: Any, **options: Any) -> None:
        """Send the body."""
        waiter = getattr(self, "_continue", None)  # private: without it, nothing ends the wait
        if waiter is not None:
            self.loop.call_later(CONTINUE_TIMEOUT_S, set_result, waiter, True)
        await super().write_bytes(*args, **options)


class RelayedReply(web.StreamResponse):
    """A reply with the headers of the API's reply only."""

    def __init__(self, status: int, reason: str, headers: "CIMultiDict[str]") -> None:
        super().__init__(status=status, reason=reason, headers=headers)
        self.absent_names = [name for name in _GENERATED_HEADERS if name not in headers]


async def drop_generated_headers(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Remove what aiohttp adds to a relayed reply just before it is sent."""
    if isinstance(response, RelayedReply):
        for name in response.absent_names:
            response.headers.popall(name, None)


@dataclass(frozen=True, slots=True)
class Forwarder:
    """What every exchange of a proxy needs."""

    gate: Gate
    session: aiohttp.ClientSession
    tokens: FreshToken
    supply: TokenSupply
    request_options: Mapping[str, Any]
    """Options of each request of aiohttp: TLS and the proxy to the API."""
    explain: Callable[[BaseException], TokencliError]
    """Says why the API could not be reached, or broke off."""
    report: Callable[[TokencliError], None]
    log: Callable[[str], None] | None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; the proxy's own replies are problem details (RFC 9457)."""
        started = time.monotonic()
        path = "-"
        try:
            route = self.gate.admit(request.method, request.raw_path, request.headers)
            path = route.log_path
            response = await _Exchange(self, request, route).run()
        except RefusedRequestError as refusal:
            response = problem_response(refusal.status, refusal.detail)
        if self.log is not None:
            took = (time.monotonic() - started) * 1000
            self.log(f"{request.method} {path} {response.status} {took:.0f} ms")
        return response


class _Exchange:
    """A request that was admitted."""

    def __init__(self, forwarder: Forwarder, request: web.BaseRequest, route: Route) -> None:
        self._forwarder, self._request, self._route = forwarder, request, route
        self._is_upgrade = "upgrade" in list_connection_options(request.headers) and (
            request.headers.get("Upgrade", "").lower() == "websocket"
        )
        self._expects_continue = (
            request.headers.get("Expect", "").lower() == "100-continue" and request.body_exists
        )
        self._body = (
            ReplayableBody(request.content, self._ask_for_body if self._expects_continue else None)
            if request.body_exists and request.content is not aiohttp.streams.EMPTY_PAYLOAD
            else None
        )
        self._carried_query: Pairs = ()

    async def run(self) -> web.StreamResponse:
        """Return the response, which has been sent, or that of a failure, which has not."""
        forwarder = self._forwarder
        try:
            kept = await forwarder.tokens.get()
        except TokencliError as error:  # reported where it was renewed
            return problem_response(503, "there is no valid token", error)
        reply: aiohttp.ClientResponse | None = None
        try:
            reply = await self._send(kept)
            reply = await self._send_again_if_refused(reply, kept)
            return await self._relay(reply)
        except TokencliError as error:
            forwarder.report(error)
            return problem_response(503, "the token can't be sent", error)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as failure:
            if self._is_client_gone:
                return problem_response(502, "the client went away")
            if self._body is not None and self._body.error is not None:
                return problem_response(400, "the body of the request is malformed")
            explained = forwarder.explain(failure)
            forwarder.report(explained)
            return problem_response(502, "no reply from the API", explained)
        finally:
            if reply is not None:
                reply.close()

    async def _send(self, kept: KeptToken) -> aiohttp.ClientResponse:
        """Send the request with a token, and return the reply once its headers are there."""
        forwarder, request, route = self._forwarder, self._request, self._route
        added, self._carried_query = forwarder.supply.build_headers_and_query(
            kept, request.method, route.url
        )
        secret = forwarder.gate.secret
        headers = forward_request_headers(
            request.headers,
            added,
            route,
            forwarder.gate.api,
            None if secret is None else secret.reveal(),
        )
        if self._is_upgrade:
            headers["Connection"] = "Upgrade"
            headers["Upgrade"] = request.headers["Upgrade"]
        if not self._expects_continue or (self._body is not None and self._body.is_requested):
            headers.popall("Expect", None)
        return await forwarder.session.request(
            request.method,
            URL(replace_query(route.url, self._carried_query), encoded=True),
            headers=headers,
            data=self._body,
            allow_redirects=False,
            **forwarder.request_options,
        )

    async def _send_again_if_refused(
        self, reply: aiohttp.ClientResponse, kept: KeptToken
    ) -> aiohttp.ClientResponse:
        """Return the reply to the request with what the API asks for instead of the token sent.

        The token is renewed even if the body can't be sent again, for the next request.
        """
        forwarder = self._forwarder
        verdict = forwarder.supply.judge_refusal(reply.status, lower_headers(reply.headers))
        if verdict == "resend" and self._can_replay():
            await self._discard(reply)
            reply = await self._send(kept)
            verdict = forwarder.supply.judge_refusal(reply.status, lower_headers(reply.headers))
        if verdict != "renew":
            return reply
        renewed = await forwarder.tokens.replace(kept.token.access_token)
        if renewed is None or not self._can_replay():
            return reply
        await self._discard(reply)
        reply = await self._send(renewed)
        verdict = forwarder.supply.judge_refusal(reply.status, lower_headers(reply.headers))
        if verdict == "renew":
            forwarder.supply.give_up(renewed.token.access_token)
        return reply

    def _can_replay(self) -> bool:
        return self._body is None or self._body.can_replay

    async def _discard(self, reply: aiohttp.ClientResponse) -> None:
        """Read a reply that is not passed on, if that is quick and lets the connection be used again."""
        if self._body is None and (reply.content_length or 0) <= MAX_DISCARDED_BYTES:
            size = 0
            async for chunk in reply.content.iter_any():
                size += len(chunk)
                if size > MAX_DISCARDED_BYTES:
                    break
        reply.close()

    async def _relay(self, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        """Pass the reply on, piece by piece, as fast as the client takes it."""
        request = self._request
        headers = self._build_reply_headers(reply)
        if reply.status == 101:
            headers["Connection"] = "Upgrade"
            headers["Upgrade"] = reply.headers.get("Upgrade", "websocket")
        response = RelayedReply(reply.status, reply.reason or "", headers)
        if self._body is not None and not self._body.is_requested:
            response.force_close()  # the client may send the body nevertheless, or not
        await response.prepare(request)
        if reply.status == 101:
            connection = reply.connection
            if connection is not None and request.protocol.transport is not None:
                await tunnel(request.protocol, connection.protocol)
            response.force_close()
            return response
        try:
            if request.method != "HEAD":
                async for chunk in reply.content.iter_any():
                    await response.write(chunk)
        except (TimeoutError, aiohttp.ClientError, OSError) as failure:
            self._break_off(reply, failure)
            return response
        await response.write_eof()
        return response

    def _build_reply_headers(self, reply: aiohttp.ClientResponse) -> "CIMultiDict[str]":
        route, api, url = self._route, self._forwarder.gate.api, str(reply.url)
        return forward_reply_headers(
            reply.headers,
            lambda target: remove_query(
                rewrite_location(target, url, route, api), self._carried_query
            ),
            lambda cookie: rewrite_cookie(cookie, route, api),
        )

    def _break_off(self, reply: aiohttp.ClientResponse, failure: BaseException) -> None:
        """End the client's connection without the end of the reply, so that it isn't taken for whole."""
        if self._is_client_gone:
            return
        if reply.content.exception() is not None:
            self._forwarder.report(self._forwarder.explain(failure))
        if self._request.transport is not None:
            self._request.transport.abort()

    @property
    def _is_client_gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def _ask_for_body(self) -> None:
        """Let the client send the body that it holds back (RFC 9110 section 10.1.1)."""
        if self._request.transport is not None:
            self._request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def problem_response(
    status: int, detail: str, error: TokencliError | None = None
) -> web.StreamResponse:
    """Return problem details (RFC 9457) with the cause and the fix of an error."""
    problem: dict[str, Any] = {"type": "about:blank", "status": status, "detail": detail}
    if error is not None:
        problem |= {"detail": f"{detail}: {error.message}", "code": error.code}
        problem |= {key: value for key in ("cause", "fix") if (value := getattr(error, key))}
    return web.Response(
        status=status, text=json.dumps(problem) + "\n", content_type="application/problem+json"
    )

"""Authentication for httpx: `httpx.get(url, auth=HttpxTokenAuth("corp"))`."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from datetime import timedelta
from typing import Any

try:
    import httpx
    from anyio import to_thread  # of httpx, which runs in asyncio and in trio
except ImportError:
    raise ImportError(
        "HttpxTokenAuth needs httpx, which is installed by: pip install httpx"
    ) from None

from tokencli.api import check_arguments
from tokencli.api.token_source import TokenCarrier, TokenSource, contains_any
from tokencli.oauth.token_usage import may_be_renewed

_DEFAULT_PORTS = {b"http": 80, b"https": 443}


class HttpxTokenAuth(httpx.Auth):
    """Authenticate requests with a profile's token: `httpx.get(url, auth=HttpxTokenAuth("corp"))`.

    It does for `httpx.Client` and `httpx.AsyncClient` what `TokenAuth` does for requests. An
    `AsyncClient` waits for a token in a thread, so that the event loop goes on meanwhile.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        config: str | os.PathLike[str] | None = None,
        scope: str | None = None,
        min_ttl: str | float | timedelta | None = None,
    ) -> None:
        """Choose the profile; the arguments are those of `tokencli.token`.

        Raises:
            TokencliError: The profile doesn't exist, or its tokens are bound to a key (DPoP).
        """
        path, least = check_arguments(profile, config, scope, min_ttl)
        self._source = TokenSource(profile, config=path, scope=scope, min_ttl=least)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with a token, and again with another one if that is refused."""
        exchange = _Exchange(request)
        trace = request.extensions.get("trace")

        def strip_then_trace(event: str, info: Mapping[str, Any]) -> None:
            exchange.strip_from_foreign_request(event, info)
            if trace is not None:
                trace(event, info)

        carrier = self._source.get()
        response = yield exchange.add_token(request, carrier, strip_then_trace)
        if exchange.is_token_refused(response, carrier):
            renewed = self._source.renew(carrier)
            if renewed is not None:
                repeated = yield exchange.add_token(response.request, renewed, strip_then_trace)
                self._note_result(repeated, renewed)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do the same without blocking the event loop."""
        exchange = _Exchange(request)
        trace = request.extensions.get("trace")

        async def strip_then_trace(event: str, info: Mapping[str, Any]) -> None:
            exchange.strip_from_foreign_request(event, info)
            if trace is not None:
                await trace(event, info)

        # A thread goes on if the task is cancelled, so that a new token is stored all the same.
        carrier = self._source.find()
        if carrier is None:
            carrier = await to_thread.run_sync(self._source.get, abandon_on_cancel=True)
        response = yield exchange.add_token(request, carrier, strip_then_trace)
        if exchange.is_token_refused(response, carrier):
            renewed = await to_thread.run_sync(self._source.renew, carrier, abandon_on_cancel=True)
            if renewed is not None:
                repeated = yield exchange.add_token(response.request, renewed, strip_then_trace)
                self._note_result(repeated, renewed)

    def _note_result(self, repeated: httpx.Response, renewed: TokenCarrier) -> None:
        if repeated.status_code == httpx.codes.UNAUTHORIZED:
            self._source.give_up(renewed)


class _Exchange:
    """One request with its repetition and the redirects that follow."""

    def __init__(self, request: httpx.Request) -> None:
        self._url = request.url
        """The URL without the token."""
        self._origin = _get_origin(request.url)
        self._left_origin = False
        self._carriers: list[TokenCarrier] = []

    def add_token(
        self,
        request: httpx.Request,
        carrier: TokenCarrier,
        trace: Callable[[str, Mapping[str, Any]], Awaitable[None] | None],
    ) -> httpx.Request:
        """Add what carries the token, and see to it that only the request's origin gets that."""
        self._carriers.append(carrier)
        request.headers.update(carrier.headers)
        if carrier.query:
            added = "&".join(f"{name}={value}" for name, value in carrier.query)
            query = b"&".join(filter(None, (self._url.query, added.encode("ascii"))))
            request.url = self._url.copy_with(query=query)
            self._url_sent = request.url
        request.extensions = {**request.extensions, "trace": trace}
        return request

    def is_token_refused(self, response: httpx.Response, carrier: TokenCarrier) -> bool:
        """Tell whether the request may be repeated with another token."""
        request = response.request
        return (
            may_be_renewed(response.status_code, response.headers.get("WWW-Authenticate", ""))
            and not self._left_origin
            # Any other body may be used up: a generator, or an open file.
            and isinstance(request.stream, httpx.ByteStream)
            and all(request.headers.get(name) == value for name, value in carrier.headers)
            and (not carrier.query or request.url == self._url_sent)
        )

    def strip_from_foreign_request(self, event: str, info: Mapping[str, Any]) -> None:
        """Remove what carries the token from a request to another origin, just before it is sent.

        httpx gives an `auth` object no say in redirects, and removes only Authorization itself. But
        it copies a request's extensions to the next one, and calls `trace` before it sends either.
        Once a redirect has left the origin, no later request gets the token.
        """
        if not event.endswith(".send_request_headers.started"):
            return
        request = info["request"]
        if request.method == b"CONNECT":  # to a proxy, with headers of its own
            return
        url, target = request.url, request.url.target
        if target.startswith(b"/"):
            origin = (url.scheme, url.host, url.origin.port)
        else:  # to a proxy, which gets the whole URL
            origin = _get_origin(httpx.URL(target.decode("ascii")))
        self._left_origin = self._left_origin or origin != self._origin
        if not self._left_origin:
            return
        names = {name.lower().encode() for each in self._carriers for name, _ in each.headers}
        request.headers = [pair for pair in request.headers if pair[0].lower() not in names]
        values = [value for each in self._carriers for _, value in each.query]
        path, _, query = target.partition(b"?")
        kept = [
            pair for pair in query.split(b"&") if not contains_any(pair.decode("ascii"), values)
        ]
        if values:
            url.target = path + (b"?" + b"&".join(kept) if any(kept) else b"")


def _get_origin(url: httpx.URL) -> tuple[bytes, bytes, int | None]:
    """Return scheme, host and port, in the form that httpcore has as well."""
    return url.raw_scheme, url.raw_host, url.port or _DEFAULT_PORTS.get(url.raw_scheme)

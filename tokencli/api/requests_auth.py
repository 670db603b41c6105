"""Authentication for requests: `requests.get(url, auth=TokenAuth("corp"))`."""

import os
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from tokencli.api import check_arguments
from tokencli.api.token_source import TokenCarrier, TokenSource, contains_any
from tokencli.errors import ConfigError
from tokencli.oauth.token_usage import may_be_renewed
from tokencli.providers.endpoint_urls import get_url_origin


class TokenAuth(AuthBase):
    """Authenticate requests with a profile's token: `requests.get(url, auth=TokenAuth("corp"))`.

    Each request gets a token that is fresh at that moment, in the headers or the query parameter
    that the profile's provider prescribes. A redirect to another scheme, host or port doesn't get
    them. If the server refuses a token with HTTP 401, e.g. because it was revoked, the request is
    repeated once with a new one, unless its body can't be sent again, as that of a generator.

    One object can be used for any number of requests, in any number of threads.
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

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token to a request and return it.

        Raises:
            TokencliError: There is no token.
        """
        exchange = _Exchange(self._source, request.url, self._source.get())
        exchange.add_token(request)
        request.register_hook("response", exchange.handle_response)  # type: ignore[no-untyped-call]
        return request


class _Exchange:
    """One request with its repetition and the redirects that follow."""

    def __init__(self, source: TokenSource, url: str | None, carrier: TokenCarrier) -> None:
        self._source = source
        self._url = url
        """The URL without the token."""
        self._carrier = carrier

    def add_token(self, request: PreparedRequest) -> None:
        """Add what carries the token."""
        request.headers.update(self._carrier.headers)
        parameters = [f"{name}={value}" for name, value in self._carrier.query]
        if parameters:
            request.prepare_url(self._url, "&".join(parameters))
        self._url_sent = request.url

    def handle_response(self, response: Response, **options: Any) -> Response:
        """Repeat a request whose token was refused; prepare a redirect."""
        if self._carries_token(response.request) and may_be_renewed(
            response.status_code, response.headers.get("WWW-Authenticate", "")
        ):
            response = self._repeat(response, **options)
        if response.is_redirect and not _stays_on_origin(
            response.url, response.headers["Location"]
        ):
            self._strip(response)
        return response

    def _carries_token(self, request: PreparedRequest) -> bool:
        """Tell whether a request, maybe after redirects, has everything that was added."""
        return all(
            request.headers.get(name) == value for name, value in self._carrier.headers
        ) and (not self._carrier.query or request.url == self._url_sent)

    def _repeat(self, response: Response, **options: Any) -> Response:
        """Send a request again with another token, if there is one and the body can be sent again."""
        request = response.request
        if not _is_body_repeatable(request):
            return response
        renewed = self._source.renew(self._carrier)
        if renewed is None:
            return response
        try:
            if isinstance(getattr(request, "_body_position", None), int):
                rewind_body(request)
        except UnrewindableBodyError:
            return response
        _ = response.content  # so that the connection can be used again
        response.close()
        response.request = request.copy()
        # As requests' own digest authentication does.
        cookies = request._cookies  # type: ignore[attr-defined]  # not in its stubs
        extract_cookies_to_jar(cookies, response.request, response.raw)  # type: ignore[no-untyped-call]
        request.prepare_cookies(cookies)
        self._carrier = renewed
        self.add_token(request)
        repeated: Response = response.connection.send(request, **options)
        repeated.history.append(response)
        repeated.request = request
        if repeated.status_code == response.status_code:
            self._source.give_up(renewed)
        return repeated

    def _strip(self, response: Response) -> None:
        """Before requests follows a redirect to another origin, remove what carries the token.

        requests itself removes nothing but Authorization, and keeps that from http to https. The
        request of the response stays as it was sent; requests makes the next one from the original.
        """
        original, response.request = response.request, response.request.copy()
        for name, _ in self._carrier.headers:
            original.headers.pop(name, None)
        target, _, query = response.headers["Location"].partition("?")
        values = [value for _, value in self._carrier.query]
        kept = [pair for pair in query.split("&") if not contains_any(pair, values)]
        response.headers["Location"] = f"{target}?{'&'.join(kept)}" if kept and query else target


def _is_body_repeatable(request: PreparedRequest) -> bool:
    """Tell whether a body can be sent again: one in memory, or a file that requests can rewind."""
    return (
        request.body is None
        or isinstance(request.body, bytes | str)
        or isinstance(getattr(request, "_body_position", None), int)
    )


def _stays_on_origin(url: str, location: str) -> bool:
    """Compare origins; a location that URL parsers may read differently is of another origin."""
    try:
        return (
            location.isprintable()
            and "\\" not in location
            and get_url_origin(url) == get_url_origin(urljoin(url, location))
        )
    except (ConfigError, ValueError):
        return False

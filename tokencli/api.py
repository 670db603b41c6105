"""The Python API: get an access token, or an `auth` object for requests.

It never prompts and prints nothing but warnings. Every failure is a `TokencliError`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote, urljoin

from tokencli.app import App, AppOptions
from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.errors import ConfigError, UsageError
from tokencli.models import Profile, TokenSet
from tokencli.oauth.token_usage import build_headers_and_query
from tokencli.providers.endpoint_urls import get_url_origin

_MAX_ENCODINGS = 5
"""How often a parameter of a redirect may be percent-encoded so that the token in it is still found."""


def token(
    profile: str | None = None,
    *,
    config: str | None = None,
    scope: str | None = None,
    min_ttl: float | None = None,
    force: bool = False,
) -> str:
    """Return the access token that `tokencli get` would print.

    `min_ttl` is in seconds. The default of `profile` is $TOKENCLI_PROFILE, else the default profile.

    Raises:
        TokencliError: see its subclasses.
    """
    app = _build_app(config)
    chosen = app.get_profile(profile, scope=scope)
    return _get_token_set(chosen, app, min_ttl=min_ttl, force=force).access_token.reveal()


class TokenAuth:
    """Authenticate requests with a profile's token: `requests.get(url, auth=TokenAuth("corp"))`.

    Each request gets a token that is fresh at that moment, in the headers or the query parameter
    that the profile's provider prescribes. A redirect to another scheme, host or port doesn't get
    them.
    """

    def __init__(self, profile: str | None = None, *, config: str | None = None) -> None:
        self._app = _build_app(config)
        self._profile = self._app.get_profile(profile)
        if self._profile.dpop:
            raise UsageError(
                f"TokenAuth can't be used with profile {self._profile.name!r}",
                cause="its tokens are bound to a key (DPoP), so each request needs its own proof",
                fix=f"tokencli get {self._profile.name} --format dpop --url URL",
            )

    def __call__(self, request: Any) -> Any:
        """Add the token to a `requests.PreparedRequest` and return it."""
        token_set = _get_token_set(self._profile, self._app)
        secrets = resolve_usage_secrets(self._profile, self._app)
        headers, query = build_headers_and_query(
            self._profile, token_set, secrets, self._app.clock.now()
        )
        request.headers.update(headers)
        parameters = [f"{name}={value}" for name, value in query]
        if parameters:
            request.prepare_url(request.url, "&".join(parameters))
        # requests itself removes nothing but Authorization, and keeps that from http to https.
        strip = partial(
            _strip_from_foreign_redirect,
            header_names=[name for name, _ in headers],
            query_values=[value for _, value in query],
        )
        request.register_hook("response", strip)
        return request


def _strip_from_foreign_redirect(
    response: Any, *, header_names: Sequence[str], query_values: Sequence[str], **_: object
) -> None:
    """Before requests follows a redirect to another origin, remove what carries the token.

    The request of the response stays as it was sent; requests makes the next one from the original.
    """
    if not response.is_redirect or _stays_on_origin(response.url, response.headers["Location"]):
        return
    original, response.request = response.request, response.request.copy()
    for name in header_names:
        original.headers.pop(name, None)
    target, _, query = response.headers["Location"].partition("?")
    kept = [
        pair
        for pair in query.split("&")
        if not any(unquote(value) in _decode_nested(pair) for value in query_values)
    ]
    response.headers["Location"] = f"{target}?{'&'.join(kept)}" if kept and query else target


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


def _decode_nested(text: str) -> str:
    """Decode percent-encoding, also that of a URL that is itself a parameter."""
    for _ in range(_MAX_ENCODINGS):
        text = unquote(text)
    return text


def _build_app(config: str | None) -> App:
    return App(AppOptions(config=config, no_input=True, quiet=True))


def _get_token_set(
    profile: Profile, app: App, *, min_ttl: float | None = None, force: bool = False
) -> TokenSet:
    """Get the token; if it couldn't be stored, warn, as it is valid nevertheless."""
    obtained = get_token(profile, app, min_ttl=min_ttl, force=force)
    if obtained.save_error is not None:
        app.terminal.print_warning(obtained.save_error.message)
    return obtained.token

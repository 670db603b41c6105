"""The Python API: get an access token, or an `auth` object for requests.

It never prompts and prints nothing but warnings. Every failure is a `TokencliError`.
"""

from typing import Any

from tokencli.app import App, AppOptions
from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.errors import UsageError
from tokencli.models import Profile, TokenSet
from tokencli.oauth.token_usage import build_headers_and_query


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
    that the profile's provider prescribes.
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
        if query:
            request.prepare_url(request.url, query)
        return request


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

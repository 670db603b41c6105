"""The same as Python functions: a token, and an `auth` for requests.

Nothing is asked of anybody and nothing is printed but warnings; every failure is a `TokencliError`.
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
    """Return an access token of the profile, as `tokencli get` prints it.

    `min_ttl` is in seconds. Without `profile` it is $TOKENCLI_PROFILE, else the default profile.

    Raises:
        TokencliError: any of its kinds.
    """
    app = _build_app(config)
    chosen = app.get_profile(profile, scope=scope)
    return _get_token_set(chosen, app, min_ttl=min_ttl, force=force).access_token.reveal()


class TokenAuth:
    """Authenticate requests with a profile's token: `requests.get(url, auth=TokenAuth("corp"))`.

    Each request takes the token that is fresh at that moment, in the headers in which the
    profile's provider says that it is used.
    """

    def __init__(self, profile: str | None = None, *, config: str | None = None) -> None:
        self._app = _build_app(config)
        self._profile = self._app.get_profile(profile)
        if self._profile.dpop:
            raise UsageError(
                f"tokens of profile {self._profile.name!r} are bound to a key: each request needs"
                " a proof of its own",
                fix=f"tokencli get {self._profile.name} --format dpop --url URL",
            )

    def __call__(self, request: Any) -> Any:
        """Put the token into a `requests.PreparedRequest` and return that."""
        found = _get_token_set(self._profile, self._app)
        secrets = resolve_usage_secrets(self._profile, self._app)
        headers, query = build_headers_and_query(
            self._profile, found, secrets, self._app.clock.now()
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
    """Get the token; that it could not be kept is a warning, as it is good all the same."""
    obtained = get_token(profile, app, min_ttl=min_ttl, force=force)
    if obtained.save_error is not None:
        app.terminal.print_warning(obtained.save_error.message)
    return obtained.token

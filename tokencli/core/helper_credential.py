"""The credential that other programs' credential helpers hand out, and for which servers.

A helper is asked for the credential of a server that the asking program has chosen, e.g. the host of a
URL that was cloned. It only answers for servers that the user named.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from tokencli.core.stored_token import find_stored_token
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.dpop import bound_token_error
from tokencli.models import Profile, Secret, TokenSet
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import (
    check_api_is_named,
    check_endpoint_url,
    get_url_origin,
)

DEFAULT_USERNAME = "oauth2"
USERNAMES = {"github": "x-access-token", "google": "oauth2accesstoken"}
"""Provider -> the user name with which its servers accept a token as a password; else the default."""


def list_receiving_origins(profile: Profile, servers: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the origins of the `servers`, or else those of the profile's API and token endpoint.

    A server is a host, `host:port` or a URL; without a scheme, https is meant.

    Raises:
        UsageError: a server is something else, or its URL is not https.
    """
    named = tuple(servers)
    if not named:
        api = find_api_origin(profile)
        return (*(() if api is None else (api,)), get_url_origin(profile.token_url))
    origins = []
    for server in named:
        url = server if "://" in server else f"https://{server}"
        try:
            origins.append(get_url_origin(check_endpoint_url(url)))
        except ConfigError as error:
            raise UsageError(
                f"--host {server[:200]!r} is not a server that a token can be sent to",
                cause=error.message,
            ) from None
    return tuple(origins)


def find_api_origin(profile: Profile) -> str | None:
    """Return the origin of the profile's API; None if it has none, or only a user-defined provider names it."""
    if not profile.api_url:
        return None
    try:
        check_api_is_named(profile)
    except ConfigError:
        return None
    return get_url_origin(profile.api_url)


def find_origin(url: str) -> str | None:
    """Return the origin of a URL that a program asks about; None if no token can be sent there."""
    with suppress(ConfigError):
        return get_url_origin(check_endpoint_url(url))
    return None


def choose_username(profile: Profile, *preferred: str | None) -> str:
    """Return the first user name that is given, or else the one for the profile's provider."""
    given = next((name for name in preferred if name), None)
    return given or USERNAMES.get(profile.provider.name, DEFAULT_USERNAME)


def require_plain_token(profile: Profile, token: TokenSet, consumer: str) -> None:
    """Raise UsageError if the token is bound to a key, of which every request needs a proof."""
    if token.dpop_key is not None or profile.dpop:
        raise bound_token_error(profile.name, consumer)


def expire_refused_token(profile: Profile, ctx: Context, refused: Sequence[Secret]) -> bool:
    """Mark the stored access token as expired if it was `refused`, so that the next use renews it.

    The refresh token is kept, and nothing is sent. Without `refused`, any stored token is meant.

    Returns:
        Whether there was such a token.

    Raises:
        StorageError, KeyringError: the store can't be read or written.
    """
    stored = find_stored_token(profile, ctx)
    if stored is None or (refused and stored.token.access_token not in refused):
        return False
    store, key = ctx.token_store(profile), stored.binding.key
    with store.lock_credential(key, profile.lock_timeout):
        latest = store.load(key)
        if latest is not None and latest.token.access_token == stored.token.access_token:
            store.save(replace(latest, token=replace(latest.token, expires_at=ctx.clock.now())))
    return True

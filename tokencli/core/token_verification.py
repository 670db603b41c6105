"""Check a token against the keys that the profile's issuer publishes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokencli.errors import ConfigError, ReplyError
from tokencli.jwt import verify as jwt
from tokencli.models import HttpRequest, Profile
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.oauth.token_response import read_object_response
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import endpoint_unknown_error


def verify_token(
    profile: Profile, ctx: Context, token: str, audiences: Sequence[str] = ()
) -> jwt.VerificationResult:
    """Return what was proven of the token; keys come from the profile's issuer and nowhere else.

    It may be for the profile's audience, one of its resources, its client, or one of `audiences`.

    Raises:
        NotValid: of `jwt.verify`: the token is not to be believed, and why.
        ConfigError: the profile names no issuer, or where its keys are is not known.
        TokencliError: the keys can't be had.
    """
    return _verify_with_issuer_keys(
        profile, ctx, token, (*_accepted_audiences(profile), *audiences)
    )


def verify_signed_response(profile: Profile, ctx: Context, answer: str) -> jwt.VerificationResult:
    """Return what was proven of a JWT with which an endpoint of the issuer answered the client.

    It is for the client alone, and needs no end; raises as `verify` does.
    """
    return _verify_with_issuer_keys(profile, ctx, answer, _client_audience(profile), endless=True)


def _verify_with_issuer_keys(
    profile: Profile, ctx: Context, token: str, audiences: Sequence[str], *, endless: bool = False
) -> jwt.VerificationResult:
    found = ctx.with_endpoints(profile, "jwks")
    if found.issuer is None:
        raise ConfigError(
            f"profile {profile.name!r} names no issuer, so there is nobody to vouch for a token",
            fix=f'add issuer = "https://…": tokencli profiles edit {profile.name}',
        )
    url = found.endpoints.get("jwks")
    if url is None:
        raise endpoint_unknown_error(profile, "jwks")
    there, issuer = replace(found, token_url=url), found.issuer

    def check() -> jwt.VerificationResult:
        return jwt.verify_jwt(
            token,
            _fetch_jwks(there, ctx),
            issuer=issuer,
            audiences=audiences,
            now=ctx.clock.now(),
            endless=endless,
        )

    try:
        return check()
    except jwt.UnknownKeyError:
        return check()  # a set may be renewed just now, or come from a cache on the way


def _accepted_audiences(profile: Profile) -> tuple[str, ...]:
    told = [profile.params.get(name, ()) for name in ("audience", "resource")]
    listed = [one for value in told for one in ([value] if isinstance(value, str) else value)]
    return tuple(dict.fromkeys((*listed, *_client_audience(profile))))


def _client_audience(profile: Profile) -> tuple[str, ...]:
    client = profile.values.get("client_id")
    return (client,) if client else ()


def _fetch_jwks(there: Profile, ctx: Context) -> Mapping[str, Any]:
    request = HttpRequest(
        "GET", there.token_url, {"Accept": "application/json"}, is_retry_safe=True
    )
    keys = read_object_response(there, request, ctx.transport.send(request, there.connection))
    if not isinstance(keys.get("keys"), list):
        raise ReplyError(
            f"{get_endpoint_host(there)} publishes something that is no set of keys (RFC 7517 section 5)",
            fix=f"check jwks_url: tokencli profiles show {there.name}",
        )
    return keys

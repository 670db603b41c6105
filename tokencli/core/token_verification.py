"""Verify a JWT with the keys that the profile's issuer publishes."""

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
    """Verify a token with the keys of the profile's issuer and return what was checked.

    Accepted audiences are the profile's audience, resources and client id, and `audiences`.

    Raises:
        VerificationError: the token isn't valid, and why.
        ConfigError: the profile has no issuer, or its keys' address isn't known.
        TokencliError: the keys can't be fetched.
    """
    return _verify_with_issuer_keys(
        profile, ctx, token, (*_accepted_audiences(profile), *audiences)
    )


def verify_signed_response(profile: Profile, ctx: Context, response: str) -> jwt.VerificationResult:
    """Verify a JWT that an endpoint of the issuer sent as its response.

    Its audience is the client, and it needs no expiry. Raises the same errors as `verify_token`.
    """
    return _verify_with_issuer_keys(profile, ctx, response, _client_audience(profile), endless=True)


def _verify_with_issuer_keys(
    profile: Profile, ctx: Context, token: str, audiences: Sequence[str], *, endless: bool = False
) -> jwt.VerificationResult:
    resolved = ctx.with_endpoints(profile, "jwks")
    issuer, url = resolved.issuer, resolved.endpoints.get("jwks")
    if issuer is None:
        raise ConfigError(
            f"can't verify: profile {profile.name!r} has no issuer",
            fix=f"tokencli profiles edit {profile.name} --set issuer=https://login.example.com",
        )
    if url is None:
        raise endpoint_unknown_error(profile, "jwks")
    jwks_profile = replace(resolved, token_url=url)

    def verify() -> jwt.VerificationResult:
        return jwt.verify_jwt(
            token,
            _fetch_jwks(jwks_profile, ctx),
            issuer=issuer,
            audiences=audiences,
            now=ctx.clock.now(),
            endless=endless,
        )

    try:
        return verify()
    except jwt.UnknownKeyError:
        return (
            verify()
        )  # the keys may have been rotated just now, or the reply may have been cached


def _accepted_audiences(profile: Profile) -> tuple[str, ...]:
    values = [profile.params.get(name, ()) for name in ("audience", "resource")]
    audiences = [
        audience for value in values for audience in ([value] if isinstance(value, str) else value)
    ]
    return tuple(dict.fromkeys((*audiences, *_client_audience(profile))))


def _client_audience(profile: Profile) -> tuple[str, ...]:
    client = profile.values.get("client_id")
    return (client,) if client else ()


def _fetch_jwks(jwks_profile: Profile, ctx: Context) -> Mapping[str, Any]:
    request = HttpRequest(
        "GET", jwks_profile.token_url, {"Accept": "application/json"}, is_retry_safe=True
    )
    reply = ctx.transport.send(request, jwks_profile.connection)
    jwks = read_object_response(jwks_profile, request, reply)
    if not isinstance(jwks.get("keys"), list):
        raise ReplyError(
            f"{get_endpoint_host(jwks_profile)} sent something that isn't a JWK set (RFC 7517 section 5)",
            cause="jwks_url may be wrong",
            fix=f"tokencli profiles show {jwks_profile.name}",
        )
    return jwks

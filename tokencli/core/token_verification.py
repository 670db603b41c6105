"""Verify a token with the keys of its issuer (RFC 7519 section 7.2, RFC 7517)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tokencli.errors import (
    ConfigError,
    RefusedError,
    ReplyError,
)
from tokencli.jwt.decode import DecodedToken, decode_token
from tokencli.jwt.verify import (
    UnknownKeyError,
    VerificationError,
    VerificationResult,
    check_issuer,
    judge_audience,
    verify_jwt,
)
from tokencli.models import (
    HttpRequest,
    Profile,
)
from tokencli.oauth.refusals import (
    get_endpoint_host,
)
from tokencli.oauth.token_response import read_object_response
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import (
    endpoint_unknown_error,
    get_url_origin,
)
from tokencli.shell_words import quote


def verify_token(
    profile: Profile, ctx: Context, token: str, *, now: float | None = None
) -> VerificationResult:
    """Verify signature, issuer and times of a token with the keys of the profile's issuer.

    A token of another issuer is recognized before any request is sent. `now` is the server's time,
    if it is known to differ from this computer's.

    Raises:
        VerificationError: the token isn't valid, and why.
        ConfigError: the profile has no issuer, or its keys' address isn't known.
        TokencliError: the keys can't be fetched.
    """
    return _verify_with_issuer_keys(profile, ctx, token, now=now)


def verify_signed_response(profile: Profile, ctx: Context, response: str) -> VerificationResult:
    """Verify a JWT that an endpoint of the issuer sent as its response.

    Its audience is the client, and it needs no expiry. Raises the same errors as `verify_token`.
    """
    verified = _verify_with_issuer_keys(profile, ctx, response, endless=True)
    verdict = judge_audience(decode_token(response).claims, _client_audience(profile))
    if verdict.problem is not None:
        raise VerificationError(f"the signature is valid, but {verdict.problem}")
    return verified


def _verify_with_issuer_keys(
    profile: Profile,
    ctx: Context,
    token: str,
    *,
    now: float | None = None,
    endless: bool = False,
) -> VerificationResult:
    decoded = decode_token(token)
    moment = ctx.clock.now() if now is None else now
    if profile.issuer is not None:
        check_issuer(decoded, profile.issuer)
    resolved = ctx.with_endpoints(profile, "jwks")
    issuer, url = resolved.issuer, resolved.endpoints.get("jwks")
    if issuer is None:
        raise _issuer_unknown_error(profile, decoded)
    if url is None:
        raise endpoint_unknown_error(profile, "jwks")
    jwks_profile = replace(resolved, token_url=url)

    def verify() -> VerificationResult:
        jwks = fetch_jwks(jwks_profile, ctx)
        return verify_jwt(token, jwks, issuer=issuer, now=moment, endless=endless)

    try:
        return verify()
    except UnknownKeyError:
        return (
            verify()
        )  # the keys may have been rotated just now, or the reply may have been cached


def _issuer_unknown_error(profile: Profile, decoded: DecodedToken) -> ConfigError:
    return ConfigError(
        f"can't verify: profile {profile.name!r} has no issuer",
        cause="the issuer's metadata says where its keys are, and the token must name the issuer",
        fix=suggest_issuer(profile, decoded),
    )


def suggest_issuer(profile: Profile, decoded: DecodedToken) -> str | None:
    """Suggest the token's own issuer only if it is at the origin that the profile trusts already."""
    issuer = decoded.claims.get("iss")
    with suppress(ConfigError):  # not a URL
        if get_url_origin(str(issuer)) == get_url_origin(profile.token_url):
            return f"tokencli profiles edit {profile.name} --set {quote(f'issuer={issuer}')}"
    return None


def expected_audiences(
    profile: Profile, token: str, requested: Sequence[str] = (), *, id_token: bool = False
) -> tuple[str, ...]:
    """Return the `requested` audiences, or else those that the profile names; none if neither does.

    For an ID token it is always the client (OpenID Connect Core section 3.1.3.7). `id_token` says
    that the token is one, even if it doesn't show it.
    """
    if id_token or _is_id_token(decode_token(token).claims):
        return _client_audience(profile)
    if requested:
        return tuple(requested)
    values = [profile.params.get(name, ()) for name in ("audience", "resource")]
    return tuple(
        name for value in values for name in ([value] if isinstance(value, str) else value)
    )


def _is_id_token(claims: Mapping[str, object]) -> bool:
    """Tell whether it is certainly an ID token (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11)."""
    return claims.get("typ") == "ID" or "at_hash" in claims or "c_hash" in claims


def _client_audience(profile: Profile) -> tuple[str, ...]:
    client = profile.values.get("client_id")
    return (client,) if client else ()


def fetch_jwks(jwks_profile: Profile, ctx: Context) -> Mapping[str, Any]:
    """Return the JWK Set at the profile's `token_url`, which is that of its keys here.

    Raises:
        TokencliError: it can't be fetched. ReplyError: there is no JWK Set.
    """
    request = HttpRequest(
        "GET", jwks_profile.token_url, {"Accept": "application/json"}, is_retry_safe=True
    )
    reply = ctx.transport.send(request, jwks_profile.connection)
    try:
        jwks = read_object_response(jwks_profile, request, reply)
    except RefusedError as error:
        if error.status is not None and 400 <= error.status < 429:  # it needs no credentials
            error.cause = "jwks_url may be wrong"
            error.fix = f"tokencli profiles show {jwks_profile.name}"
            error.blamed_secrets = ()
        raise
    if not isinstance(jwks.get("keys"), list):
        raise ReplyError(
            f"{get_endpoint_host(jwks_profile)} sent something that isn't a JWK set (RFC 7517 section 5)",
            cause="jwks_url may be wrong",
            fix=f"tokencli profiles show {jwks_profile.name}",
        )
    return jwks

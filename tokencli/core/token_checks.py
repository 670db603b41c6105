"""Check a token with its issuer's keys (`verify`) and its server (introspection and UserInfo)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import (
    ConfigError,
    PromptRequiredError,
    RefusedError,
    ReplyError,
)
from tokencli.jwt.decode import decode_token
from tokencli.jwt.verify import (
    UnknownKeyError,
    VerificationError,
    VerificationResult,
    verify_jwt,
)
from tokencli.models import (
    DpopKey,
    HttpReply,
    HttpRequest,
    ParamValue,
    Profile,
    Secret,
    TokenSet,
)
from tokencli.oauth import dpop
from tokencli.oauth.authenticated_request import send_authenticated_request
from tokencli.oauth.refusals import MAX_QUOTE, get_endpoint_host
from tokencli.oauth.token_response import read_object_response
from tokencli.oauth.token_usage import AUTH_SCHEMES
from tokencli.oauth.www_authenticate import find_token_error
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import endpoint_unknown_error
from tokencli.providers.redaction import redact_text


@dataclass(frozen=True, slots=True)
class RequestedChecks:
    """Which checks to run."""

    verify: bool = False
    introspect: bool = False
    userinfo: bool = False
    audiences: Sequence[str] = ()
    """Accepted audiences in addition to the profile's."""

    @property
    def any_requested(self) -> bool:
        """Whether any check is to be run."""
        return self.verify or self.introspect or self.userinfo


@dataclass(frozen=True, slots=True)
class CheckResults:
    """The results of the checks; None for a check that wasn't requested."""

    verified: VerificationResult | None = None
    verification_failure: str | None = None
    """Why the verification failed, as a clause."""
    introspection: Mapping[str, Any] | None = None
    userinfo: Mapping[str, Any] | None = None

    @property
    def rejection_reason(self) -> str | None:
        """Why the token is invalid according to the issuer's keys or the server."""
        if self.verification_failure is not None:
            return self.verification_failure
        if self.introspection is not None and self.introspection["active"] is False:
            return "the server says that it is not active: expired, revoked, or never issued"
        return None


NO_CHECKS = CheckResults()
"""The results if no check was requested."""


def run_checks(
    profile: Profile, ctx: Context, token: str, stored: TokenSet | None, checks: RequestedChecks
) -> CheckResults:
    """Run the requested checks.

    Raises:
        TokencliError: a check couldn't be run.
    """
    results = CheckResults()
    if checks.verify:
        try:
            results = replace(results, verified=verify_token(profile, ctx, token, checks.audiences))
        except VerificationError as error:
            results = replace(results, verification_failure=str(error))
    if checks.introspect:
        results = replace(
            results, introspection=_introspect_with_prompt(profile, ctx, Secret(token))
        )
    if checks.userinfo:
        token_type = "DPoP" if profile.dpop else "Bearer"
        token_set = stored or TokenSet(Secret(token), token_type, obtained_at=ctx.clock.now())
        results = replace(results, userinfo=fetch_userinfo(profile, ctx, token_set))
    return results


def _introspect_with_prompt(profile: Profile, ctx: Context, token: Secret) -> Mapping[str, Any]:
    resolver = SecretResolver(profile, ctx)
    try:
        return introspect_token(profile, ctx, resolver, token)
    except PromptRequiredError as error:
        resolver.prompt_for(error.secret_names)
        return introspect_token(profile, ctx, resolver, token)


def verify_token(
    profile: Profile, ctx: Context, token: str, audiences: Sequence[str] = ()
) -> VerificationResult:
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


def verify_signed_response(profile: Profile, ctx: Context, response: str) -> VerificationResult:
    """Verify a JWT that an endpoint of the issuer sent as its response.

    Its audience is the client, and it needs no expiry. Raises the same errors as `verify_token`.
    """
    return _verify_with_issuer_keys(profile, ctx, response, _client_audience(profile), endless=True)


def _verify_with_issuer_keys(
    profile: Profile, ctx: Context, token: str, audiences: Sequence[str], *, endless: bool = False
) -> VerificationResult:
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

    def verify() -> VerificationResult:
        return verify_jwt(
            token,
            _fetch_jwks(jwks_profile, ctx),
            issuer=issuer,
            audiences=audiences,
            now=ctx.clock.now(),
            endless=endless,
        )

    try:
        return verify()
    except UnknownKeyError:
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


def introspect_token(
    profile: Profile, ctx: Context, resolver: SecretResolver, token: Secret
) -> Mapping[str, Any]:
    """Return the introspection response. Only its `active` is certain to be there (section 2.2).

    Raises:
        ConfigError: the endpoint isn't known. RefusedError: this client isn't allowed to introspect.
        ReplyError: the reply isn't an introspection response.
    """
    resolved = ctx.with_endpoints(profile, "introspection")
    url = resolved.endpoints.get("introspection")
    if url is None:
        raise endpoint_unknown_error(profile, "introspection")
    params: dict[str, ParamValue] = {"token": token, "token_type_hint": "access_token"}
    request, reply, _ = send_authenticated_request(resolved, params, ctx, resolver, url=url)
    endpoint_profile = replace(resolved, token_url=url)
    response = read_object_response(endpoint_profile, request, reply)
    if not isinstance(response.get("active"), bool):
        raise ReplyError(
            f"{get_endpoint_host(endpoint_profile)} sent an introspection response that doesn't say"
            " whether the token is active (RFC 7662 section 2.2)",
            cause="introspection_url may be wrong",
            fix=f"tokencli profiles show {profile.name}",
        )
    return response


def fetch_userinfo(profile: Profile, ctx: Context, token: TokenSet) -> Mapping[str, Any]:
    """Return the claims about the signed-in user (OpenID Connect Core section 5.3).

    Raises:
        ConfigError: the endpoint isn't known, or a signed response can't be verified because no
            issuer is configured.
        RefusedError: the token isn't accepted there.
        ReplyError: the reply isn't a UserInfo response, isn't from the issuer, or is about another
            user than the ID token.
    """
    resolved = ctx.with_endpoints(profile, "userinfo")
    url = resolved.endpoints.get("userinfo")
    if url is None:
        raise endpoint_unknown_error(profile, "userinfo")
    endpoint_profile = replace(resolved, token_url=url)
    request, reply = _send_userinfo_request(endpoint_profile, ctx, token)
    if reply.status >= 400:
        raise _userinfo_refused_error(endpoint_profile, request, reply)
    media_type = reply.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type == "application/jwt":
        claims = _verify_signed_userinfo(endpoint_profile, ctx, request, reply)
    else:
        claims = read_object_response(endpoint_profile, request, reply)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise _invalid_userinfo_error(endpoint_profile, "a UserInfo response without sub")
    expected = decode_token(token.id_token.reveal()).claims.get("sub") if token.id_token else None
    if expected is not None and subject != expected:
        received, required = (
            redact_text(str(value), request.secrets)[:80] for value in (subject, expected)
        )
        raise _invalid_userinfo_error(
            endpoint_profile,
            f"a UserInfo response about {received!r}, but the ID token is about {required!r}",
        )
    return claims


def _verify_signed_userinfo(
    endpoint_profile: Profile, ctx: Context, request: HttpRequest, reply: HttpReply
) -> Mapping[str, Any]:
    """Return the claims of a signed response that the issuer signed for this client."""
    text = reply.body.decode("ascii", "replace").strip()
    decoded = decode_token(text)
    if decoded.kind == "jwe":
        raise _invalid_userinfo_error(
            endpoint_profile, "an encrypted JWT, and tokencli has no key to decrypt it"
        )
    if decoded.kind == "opaque":
        raise _invalid_userinfo_error(endpoint_profile, "content type application/jwt, but no JWT")
    try:
        verify_signed_response(endpoint_profile, ctx, text)
    except VerificationError as error:
        reason = redact_text(str(error), request.secrets)
        raise _invalid_userinfo_error(
            endpoint_profile, f"a JWT that can't be verified: {reason}"
        ) from None
    return decoded.claims


def _invalid_userinfo_error(endpoint_profile: Profile, what: str) -> ReplyError:
    return ReplyError(
        f"{get_endpoint_host(endpoint_profile)} sent {what} (OpenID Connect Core section 5.3.2)",
        fix=f"tokencli profiles show {endpoint_profile.name}",
    )


def _send_userinfo_request(
    endpoint_profile: Profile, ctx: Context, token: TokenSet
) -> tuple[HttpRequest, HttpReply]:
    """Send the token, with a proof if it is bound to a key (RFC 9449 section 7)."""
    nonce: str | None = None
    while True:
        request = _build_userinfo_request(endpoint_profile, token, ctx.clock.now(), nonce)
        reply = ctx.transport.send(request, endpoint_profile.connection)
        if token.dpop_key is None or nonce is not None or not dpop.requires_nonce(reply):
            return request, reply
        nonce = dpop.read_nonce(reply)


def _build_userinfo_request(
    endpoint_profile: Profile, token: TokenSet, now: float, nonce: str | None
) -> HttpRequest:
    url = endpoint_profile.token_url
    scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    headers = {
        "Accept": "application/json",
        "Authorization": f"{scheme} {token.access_token.reveal()}",
    }
    if isinstance(token.dpop_key, DpopKey):
        headers[dpop.PROOF_HEADER] = dpop.create_proof(
            token.dpop_key, "GET", url, now, nonce=nonce, token=token.access_token
        )
    # The server may quote any token that it issued together with this one.
    issued = (token.access_token, token.refresh_token, token.id_token)
    secrets = tuple(secret for secret in issued if secret is not None)
    return HttpRequest("GET", url, headers, secrets=secrets)


def _userinfo_refused_error(
    endpoint_profile: Profile, request: HttpRequest, reply: HttpReply
) -> RefusedError:
    params = {
        name: redact_text(value, request.secrets)[:MAX_QUOTE]
        for name, value in find_token_error(reply.headers.get("www-authenticate", "")).items()
    }
    details = [f"HTTP {reply.status}"]
    details += (params[name] for name in ("error", "error_description") if name in params)
    return RefusedError(
        f"{get_endpoint_host(endpoint_profile)} doesn't accept this token ({', '.join(details)})",
        cause="UserInfo requires a token with the scope openid that isn't restricted to another API",
        fix=f"tokencli refresh {endpoint_profile.name}",
        status=reply.status,
        error=params.get("error"),
        description=params.get("error_description"),
    )

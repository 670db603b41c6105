"""Check a token with its issuer's keys (`verify`) and its server (introspection and UserInfo)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any, Literal

from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import (
    ConfigError,
    PromptRequiredError,
    RefusedError,
    ReplyError,
    TokencliError,
)
from tokencli.humanize import humanize_relative_time
from tokencli.jwt.decode import DecodedToken, decode_token
from tokencli.jwt.explain import collect_scopes, finite_number, strings_of_claim
from tokencli.jwt.verify import (
    AudienceVerdict,
    UnknownKeyError,
    UntimelyTokenError,
    UnverifiableError,
    VerificationError,
    VerificationResult,
    check_issuer,
    judge_audience,
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
from tokencli.oauth.refusals import (
    MAX_QUOTE,
    collect_evidence,
    explain_refusal,
    get_endpoint_host,
    quote_refusal,
)
from tokencli.oauth.server_reason import read_server_reason
from tokencli.oauth.token_response import read_object_response
from tokencli.oauth.token_usage import AUTH_SCHEMES
from tokencli.oauth.www_authenticate import find_token_error
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import (
    EndpointUnknownError,
    endpoint_unknown_error,
    get_url_origin,
)
from tokencli.providers.redaction import redact_text
from tokencli.providers.reply_locator import ReplyDocument

CheckName = Literal["verify", "introspect", "userinfo"]
JUST_ISSUED_S = 10
"""Seconds for which a token counts as just issued, so that a revocation is unlikely."""


@dataclass(frozen=True, slots=True)
class RequestedChecks:
    """Which checks to run."""

    verify: bool = False
    introspect: bool = False
    userinfo: bool = False
    audiences: Sequence[str] = ()
    """Accepted audiences of an access token, instead of the profile's."""
    id_token: bool = False
    """Whether the token is an ID token, whose audience is always the client."""

    @property
    def any_requested(self) -> bool:
        """Whether any check is to be run."""
        return self.verify or self.introspect or self.userinfo


@dataclass(frozen=True, slots=True)
class Activity:
    """Whether a token that its server calls inactive is alive nevertheless."""

    alive: bool
    reason: str
    """The evidence, as a clause."""
    certain: bool = True
    """False if there is no evidence besides the server's answer, which has other explanations."""


@dataclass(frozen=True, slots=True)
class CheckResults:
    """The results of the checks; None for a check that wasn't requested or couldn't be run."""

    verified: VerificationResult | None = None
    verification_failure: str | None = None
    """Why the signature, the issuer or the times are wrong or can't be verified, as a clause."""
    verifiable: bool = True
    """False if only the server can verify such a token."""
    untimely: bool = False
    """Whether the times are all that is wrong."""
    audience: AudienceVerdict | None = None
    """Only if the rest was verified."""
    introspection: Mapping[str, Any] | None = None
    activity: Activity | None = None
    """Only if the introspection says that the token is not active."""
    userinfo: Mapping[str, Any] | None = None
    errors: Mapping[CheckName, TokencliError] = field(default_factory=dict)
    """Why a check couldn't be run, or was refused by the server."""

    @property
    def is_active(self) -> bool | None:
        """Whether the server, or better evidence, says that the token is active; None: not asked."""
        if self.introspection is None:
            return None
        return self.introspection["active"] if self.activity is None else self.activity.alive

    def list_rejections(self) -> list[tuple[str, bool]]:
        """Return why the token is invalid, and whether another one of the profile may be valid."""
        rejections = []
        if self.verification_failure is not None:
            prefix = "verification failed" if self.verifiable else "can't verify the token"
            rejections.append((f"{prefix}: {self.verification_failure}", self.untimely))
        elif self.audience is not None and self.audience.problem is not None:
            text = f"verification failed: the signature is valid, but {self.audience.problem}"
            rejections.append((text, False))
        if self.activity is not None and not self.activity.alive:
            text = f"the server says that the token is not active: {self.activity.reason}"
            rejections.append((text, self.activity.certain))
        return rejections


NO_CHECKS = CheckResults()
"""The results if no check was requested."""


def run_checks(
    profile: Profile, ctx: Context, token: str, stored: TokenSet | None, checks: RequestedChecks
) -> CheckResults:
    """Run the requested checks; one that fails doesn't keep the others from being run.

    `stored` is the profile's token set if the token is from it.
    """
    results = CheckResults()
    errors: dict[CheckName, TokencliError] = {}
    if checks.verify:
        try:
            now = ctx.clock.now() if stored is None else stored.server_time(ctx.clock.now())
            results = replace(results, verified=verify_token(profile, ctx, token, now=now))
            verdict = judge_audience(
                decode_token(token).claims, _expected_audiences(profile, checks, token)
            )
            results = replace(results, audience=verdict)
        except VerificationError as error:
            results = replace(
                results,
                verification_failure=str(error),
                verifiable=not isinstance(error, UnverifiableError),
                untimely=isinstance(error, UntimelyTokenError),
            )
        except TokencliError as error:
            errors["verify"] = error
    if checks.introspect:
        try:
            response = _introspect_with_prompt(profile, ctx, Secret(token), stored)
            results = replace(results, introspection=response)
        except TokencliError as error:
            errors["introspect"] = error
    if checks.userinfo:
        try:
            results = replace(results, userinfo=_fetch_userinfo_for(profile, ctx, token, stored))
        except TokencliError as error:
            errors["userinfo"] = error
    for failure in errors.values():
        if isinstance(failure, EndpointUnknownError) and profile.issuer is None:
            failure.fix = _suggest_issuer(profile, decode_token(token)) or failure.fix
    results = replace(results, errors=errors)
    if results.introspection is not None and results.introspection["active"] is False:
        activity = _judge_activity(profile, ctx, token, stored, results, checks)
        results = replace(results, activity=activity)
    return results


def _introspect_with_prompt(
    profile: Profile, ctx: Context, token: Secret, stored: TokenSet | None
) -> Mapping[str, Any]:
    resolver = SecretResolver(profile, ctx)
    try:
        try:
            return introspect_token(profile, ctx, resolver, token)
        except PromptRequiredError as error:
            resolver.prompt_for(error.secret_names)
            return introspect_token(profile, ctx, resolver, token)
    except RefusedError as error:
        _explain_introspection_refusal(error, profile, stored)
        raise


def _explain_introspection_refusal(
    error: RefusedError, profile: Profile, stored: TokenSet | None
) -> None:
    """Correct cause and fix of a refusal, which are those of a token request."""
    if error.status in (404, 405):
        error.cause = "introspection_url may be wrong"
        error.fix = f"tokencli profiles show {profile.name}"
    elif error.status in (400, 401, 403):
        if profile.client_auth == "none":
            reason = "this profile's client doesn't authenticate"
        elif stored is not None:
            reason = "this client, whose credentials were accepted for the token, isn't"
        else:
            return
        error.cause = (
            f"only some clients are allowed to introspect (RFC 7662 section 2.1): {reason}"
        )
        error.fix = None
        error.blamed_secrets = ()


def _fetch_userinfo_for(
    profile: Profile, ctx: Context, token: str, stored: TokenSet | None
) -> Mapping[str, Any]:
    token_type = "DPoP" if profile.dpop else "Bearer"
    token_set = stored or TokenSet(Secret(token), token_type, obtained_at=ctx.clock.now())
    return fetch_userinfo(profile, ctx, token_set, is_stored=stored is not None)


def _judge_activity(
    profile: Profile,
    ctx: Context,
    token: str,
    stored: TokenSet | None,
    results: CheckResults,
    checks: RequestedChecks,
) -> Activity:
    """Decide by other evidence whether a token that introspection calls inactive is alive.

    A server may answer so if it doesn't want to tell this client about the token (RFC 7662 section
    2.2), e.g. Keycloak if the token's audience doesn't contain the client.
    """
    now = ctx.clock.now()
    claims = decode_token(token).claims
    own_exp = finite_number(claims.get("exp"))
    if expired := _describe_past_expiry(own_exp, stored, now):
        return Activity(False, f"it {expired}")
    client = profile.values.get("client_id")
    for_client = client is None or client in strings_of_claim(claims.get("aud"))
    if not checks.id_token:
        evidence = _judge_activity_by_userinfo(profile, ctx, token, stored, results)
        if evidence is not None:
            return evidence
    if stored is not None and 0 <= now - stored.obtained_at <= JUST_ISSUED_S:
        return Activity(True, "it was issued a few seconds ago")
    trusted = stored is not None or results.verified is not None
    if own_exp is not None and trusted and not for_client:
        return Activity(
            True,
            f"by its own exp it expires {humanize_relative_time(own_exp, now)}, but it may have been"
            " revoked",
        )
    issuer = claims.get("iss")
    if stored is None and profile.issuer is not None and issuer not in (None, profile.issuer):
        named = repr(issuer)[:MAX_QUOTE]
        return Activity(False, f"it names another issuer, {named}, so this server may not know it")
    meanings = "it was revoked, or the server doesn't know it"
    if not for_client:
        meanings += (
            f", or it doesn't tell the client {client!r} about it, as Keycloak does if aud doesn't"
            " contain the client"
        )
    return Activity(False, meanings, certain=for_client)


def _describe_past_expiry(own_exp: float | None, stored: TokenSet | None, now: float) -> str | None:
    """Return `expired 5 minutes ago`, or None if it isn't known to have expired.

    `exp` is by the server's clock, and what is stored is by this computer's.
    """
    expires_at, moment = own_exp, now if stored is None else stored.server_time(now)
    if expires_at is None and stored is not None:
        expires_at, moment = stored.known_expiry, now
    if expires_at is None or expires_at > moment:
        return None
    return f"expired {humanize_relative_time(expires_at, moment)}"


def _judge_activity_by_userinfo(
    profile: Profile, ctx: Context, token: str, stored: TokenSet | None, results: CheckResults
) -> Activity | None:
    """Return what UserInfo's reply proves, asking it if that wasn't requested; None for nothing."""
    error = results.errors.get("userinfo")
    if results.userinfo is None and error is None:
        try:
            _fetch_userinfo_for(profile, ctx, token, stored)
        except TokencliError as failure:
            error = failure
    if error is None:
        return Activity(True, "UserInfo accepts it")
    code = error.error if isinstance(error, RefusedError) else None
    if code == "insufficient_scope":  # RFC 6750 section 3.1: only the scope is wrong
        return Activity(True, "UserInfo recognizes it, and refuses only its scope")
    if code == "invalid_token":
        return Activity(False, "UserInfo calls it invalid as well")
    return None


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
        jwks = _fetch_jwks(jwks_profile, ctx)
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
        fix=_suggest_issuer(profile, decoded),
    )


def _suggest_issuer(profile: Profile, decoded: DecodedToken) -> str | None:
    """Suggest the token's own issuer only if it is at the origin that the profile trusts already."""
    issuer = decoded.claims.get("iss")
    with suppress(ConfigError):  # not a URL
        if get_url_origin(str(issuer)) == get_url_origin(profile.token_url):
            return f"tokencli profiles edit {profile.name} --set {quote(f'issuer={issuer}')}"
    return None


def _expected_audiences(profile: Profile, checks: RequestedChecks, token: str) -> tuple[str, ...]:
    """Return the audiences that the command line or else the profile names; none if neither does.

    For an ID token it is always the client (OpenID Connect Core section 3.1.3.7).
    """
    if checks.id_token or _is_id_token(decode_token(token).claims):
        return _client_audience(profile)
    if checks.audiences:
        return tuple(checks.audiences)
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


def _fetch_jwks(jwks_profile: Profile, ctx: Context) -> Mapping[str, Any]:
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


def fetch_userinfo(
    profile: Profile, ctx: Context, token: TokenSet, *, is_stored: bool = True
) -> Mapping[str, Any]:
    """Return the claims about the signed-in user (OpenID Connect Core section 5.3).

    `is_stored` says whether the token is the profile's own, so that a new one may help.

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
        raise _userinfo_refused_error(
            endpoint_profile, request, reply, token, ctx.clock.now(), is_stored=is_stored
        )
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
    endpoint_profile: Profile,
    request: HttpRequest,
    reply: HttpReply,
    token: TokenSet,
    now: float,
    *,
    is_stored: bool,
) -> RefusedError:
    from tokencli.oauth.refusal_hints import OVERLOAD_STATUSES  # start-up: only refusals need it

    reason = read_server_reason(ReplyDocument(reply), None, None, request.secrets)
    challenge = find_token_error(reply.headers.get("www-authenticate", ""))
    required_scope = redact_text(challenge.get("scope", ""), request.secrets)[:MAX_QUOTE]
    if reply.status in OVERLOAD_STATUSES:  # this is not about the token
        evidence = collect_evidence(endpoint_profile, request, reply, reason)
        cause, fix, _ = explain_refusal(endpoint_profile, evidence)
    else:
        cause, fix = _explain_userinfo_refusal(
            endpoint_profile,
            reply.status,
            reason.code,
            required_scope,
            token,
            now,
            is_stored=is_stored,
        )
    return RefusedError(
        f"{get_endpoint_host(endpoint_profile)} doesn't accept this token"
        f" ({quote_refusal(request, reply, reason)})",
        cause=cause,
        fix=fix,
        status=reply.status,
        error=reason.code,
        description=reason.text,
        request_ids=reason.request_ids,
        retry_after=reply.retry_after,
    )


def _explain_userinfo_refusal(
    profile: Profile,
    status: int,
    code: str | None,
    required_scope: str,
    token: TokenSet,
    now: float,
    *,
    is_stored: bool,
) -> tuple[str, str | None]:
    """Return cause and fix of a refusal by what is known about the token (RFC 6750 section 3.1)."""
    claims = decode_token(token.access_token.reveal()).claims
    new_token = f"tokencli refresh {profile.name}" if is_stored else None
    if status >= 500:
        return "the server failed; try again in a minute", None
    if status in (404, 405):
        return "userinfo_url may be wrong", f"tokencli profiles show {profile.name}"
    if code in ("use_dpop_nonce", "invalid_dpop_proof") and token.dpop_key is None:
        return "the token is bound to a key, which only the client that requested it has", None
    expired = _describe_past_expiry(finite_number(claims.get("exp")), token, now)
    if code != "insufficient_scope" and expired:
        return f"the token {expired}", new_token
    if profile.grant == "client_credentials" and is_stored:
        return (
            "UserInfo is about the user who signed in, and with client_credentials no user signs in",
            None,
        )
    scopes = collect_scopes(claims) or tuple((token.scope or "").split())
    requested = (profile.scope or "").split()
    if "openid" not in (scopes or requested) and (scopes or is_stored):
        if not is_stored or "openid" in requested:
            return 'the token doesn\'t have the scope "openid"', None
        setting = quote(" ".join(("scope=openid", *requested)))
        return (
            "the token doesn't have the scope \"openid\", because the profile doesn't request it",
            f"tokencli profiles edit {profile.name} --set {setting}",
        )
    if code == "insufficient_scope":
        required = f" ({required_scope})" if required_scope else ""
        return f"the token doesn't have a scope that UserInfo requires{required}", None
    audience = strings_of_claim(claims.get("aud"))
    others = [name for name in audience if name not in (profile.issuer, profile.token_url)]
    if others and profile.values.get("client_id") not in audience:
        return f"the token may be accepted only by {others[0][:MAX_QUOTE]!r} (its aud)", None
    if is_stored and now - token.obtained_at <= JUST_ISSUED_S:
        return "it was issued just now, so most likely it is restricted to another API", None
    return "most likely the token was revoked, or is restricted to another API", new_token

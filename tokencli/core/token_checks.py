"""Check a token: with its issuer's keys, by introspection (RFC 7662) and at UserInfo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_verification import expected_audiences, suggest_issuer, verify_token
from tokencli.core.userinfo import JUST_ISSUED_S, describe_past_expiry, fetch_userinfo
from tokencli.errors import (
    PromptRequiredError,
    RefusedError,
    ReplyError,
    TokencliError,
)
from tokencli.humanize import humanize_relative_time
from tokencli.jwt.decode import decode_token, finite_number, strings_of_claim
from tokencli.jwt.verify import (
    AudienceVerdict,
    UntimelyTokenError,
    UnverifiableError,
    VerificationError,
    VerificationResult,
    judge_audience,
)
from tokencli.models import (
    ParamValue,
    Profile,
    Secret,
    TokenSet,
)
from tokencli.oauth.authenticated_request import send_authenticated_request
from tokencli.oauth.refusals import (
    MAX_QUOTE,
    get_endpoint_host,
)
from tokencli.oauth.token_response import read_object_response
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import (
    EndpointUnknownError,
    endpoint_unknown_error,
)

CheckName = Literal["verify", "introspect", "userinfo"]


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
                decode_token(token).claims,
                expected_audiences(profile, token, checks.audiences, id_token=checks.id_token),
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
            failure.fix = suggest_issuer(profile, decode_token(token)) or failure.fix
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
    if expired := describe_past_expiry(own_exp, stored, now):
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

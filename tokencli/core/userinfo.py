"""Ask the UserInfo endpoint about a token (OpenID Connect Core section 5.3)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokencli.core.token_verification import verify_signed_response
from tokencli.errors import (
    RefusedError,
    ReplyError,
)
from tokencli.humanize import humanize_relative_time
from tokencli.jwt.decode import decode_token, finite_number, strings_of_claim
from tokencli.jwt.explain import collect_scopes
from tokencli.jwt.verify import (
    VerificationError,
)
from tokencli.models import (
    DpopKey,
    HttpReply,
    HttpRequest,
    Profile,
    TokenSet,
)
from tokencli.oauth import dpop
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
    endpoint_unknown_error,
)
from tokencli.providers.redaction import redact_text
from tokencli.providers.reply_locator import ReplyDocument
from tokencli.shell_words import quote

JUST_ISSUED_S = 10
"""Seconds for which a token counts as just issued, so that a revocation is unlikely."""


def describe_past_expiry(own_exp: float | None, stored: TokenSet | None, now: float) -> str | None:
    """Return `expired 5 minutes ago`, or None if it isn't known to have expired.

    `exp` is by the server's clock, and what is stored is by this computer's.
    """
    expires_at, moment = own_exp, now if stored is None else stored.server_time(now)
    if expires_at is None and stored is not None:
        expires_at, moment = stored.known_expiry, now
    if expires_at is None or expires_at > moment:
        return None
    return f"expired {humanize_relative_time(expires_at, moment)}"


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
    expired = describe_past_expiry(finite_number(claims.get("exp")), token, now)
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

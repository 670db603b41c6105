"""Ask the server about a token: introspection (RFC 7662) and UserInfo (OpenID Connect Core)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_verification import verify_signed_response
from tokencli.errors import RefusedError, ReplyError
from tokencli.jwt.decode import decode_token
from tokencli.jwt.verify import VerificationError
from tokencli.models import DpopKey, HttpReply, HttpRequest, ParamValue, Profile, Secret, TokenSet
from tokencli.oauth import dpop
from tokencli.oauth.authenticated_request import send_authenticated_request
from tokencli.oauth.refusals import MAX_QUOTE, get_endpoint_host
from tokencli.oauth.token_response import read_object_response
from tokencli.oauth.token_usage import AUTH_SCHEMES
from tokencli.oauth.www_authenticate import find_token_error
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import endpoint_unknown_error
from tokencli.providers.redaction import redact_text


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

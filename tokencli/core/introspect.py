"""Ask the server what it knows of a token: introspection (RFC 7662) and UserInfo (OpenID Connect)."""

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
    """Return what the introspection endpoint says; only `active` is sure to be there (section 2.2).

    Raises:
        ConfigError: no such endpoint is known. RefusedError: this client may not ask.
        ReplyError: the answer is none.
    """
    found = ctx.with_endpoints(profile, "introspection")
    url = found.endpoints.get("introspection")
    if url is None:
        raise endpoint_unknown_error(profile, "introspection")
    params: dict[str, ParamValue] = {"token": token, "token_type_hint": "access_token"}
    request, reply, _ = send_authenticated_request(found, params, ctx, resolver, url=url)
    told = read_object_response(replace(found, token_url=url), request, reply)
    if not isinstance(told.get("active"), bool):
        raise ReplyError(
            f"{get_endpoint_host(replace(found, token_url=url))} answered the introspection, but does not say"
            " whether the token is active (RFC 7662 section 2.2)",
            fix=f"check introspection_url: tokencli profiles show {profile.name}",
        )
    return told


def fetch_userinfo(profile: Profile, ctx: Context, token: TokenSet) -> Mapping[str, Any]:
    """Return what the UserInfo endpoint says of whoever signed in (OpenID Connect Core section 5.3).

    Raises:
        ConfigError: no such endpoint is known, or nobody to vouch for a signed answer.
        RefusedError: the token does not open it.
        ReplyError: the answer is none, is not the issuer's, or is about somebody else than the ID
            token.
    """
    found = ctx.with_endpoints(profile, "userinfo")
    url = found.endpoints.get("userinfo")
    if url is None:
        raise endpoint_unknown_error(profile, "userinfo")
    there = replace(found, token_url=url)
    request, reply = _send_userinfo_request(there, ctx, token)
    if reply.status >= 400:
        raise _userinfo_refused_error(there, request, reply)
    kind = reply.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/jwt":
        told = _verify_signed_userinfo(there, ctx, request, reply)
    else:
        told = read_object_response(there, request, reply)
    who = told.get("sub")
    if not isinstance(who, str) or not who:
        raise _invalid_userinfo_error(there, "does not say of whom it speaks: there is no sub")
    expected = decode_token(token.id_token.reveal()).claims.get("sub") if token.id_token else None
    if expected is not None and who != expected:
        shown = [redact_text(str(one), request.secrets)[:80] for one in (who, expected)]
        raise _invalid_userinfo_error(
            there, f"speaks of {shown[0]!r}, but the ID token is that of {shown[1]!r}"
        )
    return told


def _verify_signed_userinfo(
    there: Profile, ctx: Context, request: HttpRequest, reply: HttpReply
) -> Mapping[str, Any]:
    """Return the claims of a signed answer, if its issuer signed it for this client."""
    text = reply.body.decode("ascii", "replace").strip()
    found = decode_token(text)
    if found.kind == "jwe":
        raise _invalid_userinfo_error(
            there, "answered with a JWT that is encrypted, for which this program has no key"
        )
    if found.kind == "opaque":
        raise _invalid_userinfo_error(
            there, "answered with something that is no JWT, though it says so"
        )
    try:
        verify_signed_response(there, ctx, text)
    except VerificationError as why:
        raise _invalid_userinfo_error(
            there,
            f"answered with a JWT that is not to be believed: {redact_text(str(why), request.secrets)}",
        ) from None
    return found.claims


def _invalid_userinfo_error(there: Profile, what: str) -> ReplyError:
    return ReplyError(
        f"{get_endpoint_host(there)} {what} (OpenID Connect Core section 5.3.2)",
        fix=f"check userinfo_url: tokencli profiles show {there.name}",
    )


def _send_userinfo_request(
    there: Profile, ctx: Context, token: TokenSet
) -> tuple[HttpRequest, HttpReply]:
    """Send the token along, with a proof where it is bound to a key (RFC 9449 section 7)."""
    nonce: str | None = None
    while True:
        request = _build_userinfo_request(there, token, ctx.clock.now(), nonce)
        reply = ctx.transport.send(request, there.connection)
        if token.dpop_key is None or nonce is not None or not dpop.requires_nonce(reply):
            return request, reply
        nonce = dpop.read_nonce(reply)


def _build_userinfo_request(
    there: Profile, token: TokenSet, now: float, nonce: str | None
) -> HttpRequest:
    scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    headers = {
        "Accept": "application/json",
        "Authorization": f"{scheme} {token.access_token.reveal()}",
    }
    if isinstance(token.dpop_key, DpopKey):
        headers[dpop.PROOF_HEADER] = dpop.create_proof(
            token.dpop_key, "GET", there.token_url, now, nonce=nonce, token=token.access_token
        )
    beside = [one for one in (token.refresh_token, token.id_token) if one is not None]
    secrets = (token.access_token, *beside)  # a server may quote what it issued together
    return HttpRequest("GET", there.token_url, headers, secrets=secrets)


def _userinfo_refused_error(there: Profile, request: HttpRequest, reply: HttpReply) -> RefusedError:
    said = {
        name: redact_text(value, request.secrets)[:MAX_QUOTE]
        for name, value in find_token_error(reply.headers.get("www-authenticate", "")).items()
    }
    why = ", ".join(said[name] for name in ("error", "error_description") if name in said)
    return RefusedError(
        f"{get_endpoint_host(there)} does not open to this token (HTTP {reply.status}"
        f"{', ' if why else ''}{why}); it wants one with the scope openid that is for no other API",
        fix=f"tokencli refresh {there.name}",
        status=reply.status,
        error=said.get("error"),
        description=said.get("error_description"),
    )

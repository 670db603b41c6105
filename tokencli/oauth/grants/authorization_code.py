"""The authorization code grant with PKCE, for a native program (RFC 6749 section 4.1, 7636, 8252)."""

from base64 import urlsafe_b64encode
from collections.abc import Generator, Mapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from tokencli.errors import ReplyError
from tokencli.jwt.decode import decode_token
from tokencli.models import AuthorizationResponse, Profile, Secret, TokenSet
from tokencli.oauth.grants.authorization_response import MAX_QUOTED_LENGTH, ExpectedResponse
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import (
    AwaitAuthorizationResponse,
    GrantSteps,
    ListenForRedirect,
    OpenBrowser,
    ParamValue,
    PostToEndpoint,
    PostTokenRequest,
)
from tokencli.oauth.issuer_match import matches_issuer
from tokencli.oauth.token_response import get_endpoint_host

NEEDS: tuple[str, ...] = ()
ENDPOINTS = ("authorization",)
INTERACTIVE = True
RANDOM_BYTES = 32
"""Random bytes in the verifier (43 characters, RFC 7636 section 4.1), in `state` and in `nonce`."""


def run(profile: Profile) -> GrantSteps:
    """Send a person to the server's page and trade the code that they bring back for a token.

    The profile's parameters go into the authorization request, which is where servers look for an
    `audience` or a `prompt`; `resource` is said to both endpoints (RFC 8707 section 2). What is
    secret among them has no place in an address and goes to the token endpoint alone.
    """
    verifier, state, nonce = (token_urlsafe(RANDOM_BYTES) for _ in range(3))
    redirect_uri: str = yield ListenForRedirect(
        ExpectedResponse(profile, state).parse_response,
        profile.sign_in.redirect_port,
        accepts_bare_code=not profile.sign_in.iss_in_redirect,
        host=profile.provider.redirect_host,
    )
    given = yield from common_params(profile)
    hidden = {name: value for name, value in given.items() if isinstance(value, Secret)}
    shown = {name: value for name, value in given.items() if not isinstance(value, Secret)}
    with_openid = "openid" in (profile.scope or "").split()
    request: dict[str, ParamValue] = {
        **shown,
        "response_type": "code",
        "client_id": profile.values.get("client_id", ""),
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        **({"nonce": nonce} if with_openid else {}),
    }
    if profile.sign_in.par:
        request = yield from _push_request(profile, request)
    yield OpenBrowser(_authorization_url(profile, request))
    redirect: AuthorizationResponse = yield AwaitAuthorizationResponse()
    if redirect.error is not None:
        raise redirect.error
    assert redirect.code is not None, "a redirect without a failure brings a code"
    again = {"resource": shown["resource"]} if "resource" in shown else {}
    token: TokenSet = yield PostTokenRequest(
        {
            "grant_type": grant_type_value(profile, "authorization_code"),
            "code": redirect.code,
            "redirect_uri": redirect_uri,
            "code_verifier": Secret(verifier),
            **again,
            **hidden,
        }
    )
    _check_id_token(profile, token, nonce if with_openid else None)
    return token


def s256_code_challenge(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def _push_request(
    profile: Profile, request: Mapping[str, ParamValue]
) -> Generator[PostToEndpoint, Any, dict[str, ParamValue]]:
    """Push the request (RFC 9126 section 2) and return what then stands for it in the address."""
    found = yield PostToEndpoint("pushed_authorization_request", request)
    reference = found.get("request_uri")
    if not isinstance(reference, str) or not reference:
        raise ReplyError(
            f"{get_endpoint_host(profile)} took the pushed authorization request, but names no request_uri"
            " (RFC 9126 section 2.2)",
            fix="tell the server's operators, or leave `par` out of the profile",
        )
    return {"client_id": request["client_id"], "request_uri": reference}


def _authorization_url(profile: Profile, request: Mapping[str, ParamValue]) -> str:
    """Return the authorization endpoint with the request; a query that it has stays (section 3.1)."""
    place, names = profile.endpoints["authorization"], profile.provider.request.names
    query = urlencode({names.get(name, name): value for name, value in request.items()}, doseq=True)
    return f"{place}{'&' if '?' in place else '?'}{query}"


def _check_id_token(profile: Profile, token: TokenSet, nonce: str | None) -> None:
    """Check that the ID token is of this sign-in, client and server (OpenID Connect Core 3.1.3.7).

    It came over TLS from the token endpoint, so its signature proves nothing more. One that is
    encrypted, or missing because `openid` was not granted, can't be looked at.
    """
    if nonce is None or token.id_token is None:
        return
    decoded = decode_token(token.id_token.reveal())
    if decoded.kind == "jwe":
        return
    claims = decoded.claims
    audience = claims.get("aud")
    client_id = profile.values.get("client_id", "")
    if not compare_digest(
        str(claims.get("nonce", "")).encode(errors="surrogatepass"), nonce.encode()
    ):
        wrong = "is not of this sign-in (its nonce is another)"
    elif client_id not in (audience if isinstance(audience, list) else [audience]):
        wrong = "is meant for another client"
    elif not matches_issuer(profile, claims):
        named = str(claims.get("iss"))[:MAX_QUOTED_LENGTH]
        raise ReplyError(
            f"the ID token that {get_endpoint_host(profile)} sent names {named!r} as its issuer instead of"
            f" {profile.issuer!r}, so nothing of the reply is used, no refresh token either",
            fix="if that is the server's own name, give it as `issuer`:"
            f" tokencli profiles edit {profile.name}",
        )
    else:
        return
    raise ReplyError(
        f"the ID token that {get_endpoint_host(profile)} sent {wrong}, so nothing of the reply is used",
        fix=f"tokencli login {profile.command_line_name}   once more; if it stays, tell the server's operators",
    )

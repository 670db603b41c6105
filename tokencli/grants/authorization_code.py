"""The authorization code grant with PKCE, for a native program (RFC 6749 section 4.1, 7636, 8252)."""

from base64 import urlsafe_b64encode
from collections.abc import Generator, Mapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from tokencli.browsing import Redirect
from tokencli.errors import ReplyError
from tokencli.grants.params import further, grant_type
from tokencli.grants.redirect import QUOTE, Expected
from tokencli.grants.steps import AwaitRedirect, Fetch, Listen, OpenBrowser, Post, Steps, Value
from tokencli.jwt.decode import decode
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers.issuer import is_issuers
from tokencli.providers.reply import endpoint

NEEDS: tuple[str, ...] = ()
ENDPOINTS = ("authorization",)
INTERACTIVE = True
CHANCE = 32
"""Random bytes in the verifier (43 characters, RFC 7636 section 4.1), in `state` and in `nonce`."""


def run(profile: Profile) -> Steps:
    """Send a person to the server's page and trade the code that they bring back for a token.

    The profile's parameters go into the authorization request, which is where servers look for an
    `audience` or a `prompt`; `resource` is said to both endpoints (RFC 8707 section 2). What is
    secret among them has no place in an address and goes to the token endpoint alone.
    """
    verifier, state, nonce = (token_urlsafe(CHANCE) for _ in range(3))
    redirect_uri: str = yield Listen(
        Expected(profile, state).judge,
        profile.sign_in.redirect_port,
        takes_code=not profile.sign_in.names_itself,
        host=profile.provider.redirect_host,
    )
    given = yield from further(profile)
    hidden = {name: value for name, value in given.items() if isinstance(value, Secret)}
    shown = {name: value for name, value in given.items() if not isinstance(value, Secret)}
    with_openid = "openid" in (profile.scope or "").split()
    request: dict[str, Value] = {
        **shown,
        "response_type": "code",
        "client_id": profile.values.get("client_id", ""),
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        **({"nonce": nonce} if with_openid else {}),
    }
    if profile.sign_in.par:
        request = yield from _pushed(profile, request)
    yield OpenBrowser(_address(profile, request))
    redirect: Redirect = yield AwaitRedirect()
    if redirect.failure is not None:
        raise redirect.failure
    assert redirect.code is not None, "a redirect without a failure brings a code"
    again = {"resource": shown["resource"]} if "resource" in shown else {}
    token: TokenSet = yield Post(
        {
            "grant_type": grant_type(profile, "authorization_code"),
            "code": redirect.code,
            "redirect_uri": redirect_uri,
            "code_verifier": Secret(verifier),
            **again,
            **hidden,
        }
    )
    _check(profile, token, nonce if with_openid else None)
    return token


def challenge(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def _pushed(
    profile: Profile, request: Mapping[str, Value]
) -> Generator[Fetch, Any, dict[str, Value]]:
    """Push the request (RFC 9126 section 2) and return what then stands for it in the address."""
    found = yield Fetch("pushed_authorization_request", request)
    reference = found.get("request_uri")
    if not isinstance(reference, str) or not reference:
        raise ReplyError(
            f"{endpoint(profile)} took the pushed authorization request, but names no request_uri"
            " (RFC 9126 section 2.2)",
            hint="tell the server's operators, or leave `par` out of the profile",
        )
    return {"client_id": request["client_id"], "request_uri": reference}


def _address(profile: Profile, request: Mapping[str, Value]) -> str:
    """Return the authorization endpoint with the request; a query that it has stays (section 3.1)."""
    place, names = profile.endpoints["authorization"], profile.provider.request.names
    query = urlencode({names.get(name, name): value for name, value in request.items()}, doseq=True)
    return f"{place}{'&' if '?' in place else '?'}{query}"


def _check(profile: Profile, token: TokenSet, nonce: str | None) -> None:
    """Check that the ID token is of this sign-in, client and server (OpenID Connect Core 3.1.3.7).

    It came over TLS from the token endpoint, so its signature proves nothing more. One that is
    encrypted, or missing because `openid` was not granted, can't be looked at.
    """
    if nonce is None or token.id_token is None:
        return
    decoded = decode(token.id_token.reveal())
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
    elif not is_issuers(profile, claims):
        named = str(claims.get("iss"))[:QUOTE]
        raise ReplyError(
            f"the ID token that {endpoint(profile)} sent names {named!r} as its issuer instead of"
            f" {profile.issuer!r}, so nothing of the reply is used, no refresh token either",
            hint="if that is the server's own name, give it as `issuer`:"
            f" tokencli profiles edit {profile.name}",
        )
    else:
        return
    raise ReplyError(
        f"the ID token that {endpoint(profile)} sent {wrong}, so nothing of the reply is used",
        hint=f"tokencli login {profile.as_typed}   once more; if it stays, tell the server's operators",
    )

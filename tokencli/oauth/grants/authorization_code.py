"""The authorization code grant with PKCE, for a native app (RFC 6749 section 4.1, RFC 7636, RFC 8252)."""

from collections.abc import Generator, Mapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tokencli.errors import ReplyError, TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import decode_token, encode_base64url
from tokencli.models import AuthorizationResponse, ParamValue, Profile, Secret, TokenSet
from tokencli.oauth.discovery import matches_issuer
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import (
    AwaitAuthorizationResponse,
    GrantSpec,
    GrantSteps,
    ListenForRedirect,
    OpenBrowser,
    PostToEndpoint,
    PostTokenRequest,
)
from tokencli.oauth.refusals import MAX_QUOTE, get_endpoint_host, redirect_refusal_error
from tokencli.providers.endpoint_urls import check_endpoint_is_named
from tokencli.shell_words import quote

RANDOM_BYTES = 32
"""Random bytes in the verifier (43 characters, RFC 7636 section 4.1), in `state` and in `nonce`."""
MAX_QUERY_LENGTH = 16 * 1024
"""Characters of a redirect's query; a longer one is ignored."""
MAX_QUERY_PARAMS = 64


def run(profile: Profile) -> GrantSteps:
    """Send the user to the authorization endpoint and exchange the returned code for a token.

    The profile's parameters go into the authorization request, e.g. `audience` or `prompt`;
    `resource` goes to both endpoints (RFC 8707 section 2). Secret parameters must not appear in a
    URL, so they go to the token endpoint only.
    """
    verifier, state, nonce = (token_urlsafe(RANDOM_BYTES) for _ in range(3))
    redirect_uri: str = yield ListenForRedirect(
        ExpectedResponse(profile, state).parse_response,
        profile.sign_in.redirect_port,
        accepts_bare_code=not profile.sign_in.iss_in_redirect,
        host=profile.sign_in.redirect_host or profile.provider.redirect_host,
        path=profile.sign_in.redirect_path,
    )
    params = yield from build_common_params(profile)
    secret = {name: value for name, value in params.items() if isinstance(value, Secret)}
    public = {name: value for name, value in params.items() if not isinstance(value, Secret)}
    with_openid = "openid" in (profile.scope or "").split()
    request: dict[str, ParamValue] = {
        **public,
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
    yield OpenBrowser(_build_authorization_url(profile, request))
    response: AuthorizationResponse = yield AwaitAuthorizationResponse()
    if response.error is not None:
        raise response.error
    assert response.code is not None, "an authorization response without an error has a code"
    token: TokenSet = yield PostTokenRequest(
        {
            "grant_type": resolve_grant_type(profile, "authorization_code"),
            "code": response.code,
            "redirect_uri": redirect_uri,
            "code_verifier": Secret(verifier),
            **({"resource": public["resource"]} if "resource" in public else {}),
            **secret,
        }
    )
    _check_id_token(profile, token, nonce if with_openid else None)
    return token


GRANT = GrantSpec(run, endpoints=("authorization",), is_interactive=True)


def s256_code_challenge(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636 section 4.2)."""
    return encode_base64url(sha256(verifier.encode("ascii")).digest())


def _push_request(
    profile: Profile, request: Mapping[str, ParamValue]
) -> Generator[PostToEndpoint, Any, dict[str, ParamValue]]:
    """Push the request (RFC 9126 section 2) and return the parameters that refer to it."""
    reply = yield PostToEndpoint("pushed_authorization_request", request)
    request_uri = reply.get("request_uri")
    if not isinstance(request_uri, str) or not request_uri:
        raise ReplyError(
            f"{get_endpoint_host(profile)} accepted the pushed authorization request, but its reply"
            " has no request_uri (RFC 9126 section 2.2)",
            cause="the server doesn't support pushed authorization requests properly; unless it"
            " requires them, remove `par` from the profile",
            fix=f"tokencli profiles edit {profile.name} --unset par",
        )
    return {"client_id": request["client_id"], "request_uri": request_uri}


def _build_authorization_url(profile: Profile, request: Mapping[str, ParamValue]) -> str:
    """Add the request to the authorization endpoint, keeping a query that it has (section 3.1).

    Raises:
        ConfigError: a user-defined provider puts it on a server that the profile doesn't name.
    """
    check_endpoint_is_named(profile, "authorization")
    url, names = profile.endpoints["authorization"], profile.provider.request.names
    query = urlencode({names.get(name, name): value for name, value in request.items()}, doseq=True)
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _check_id_token(profile: Profile, token: TokenSet, nonce: str | None) -> None:
    """Check that the ID token belongs to this sign-in, client and issuer (OpenID Connect Core 3.1.3.7).

    It came over TLS from the token endpoint, so its signature need not be verified. An encrypted
    one can't be checked, and there is none if the server did not grant `openid`.
    """
    if nonce is None or token.id_token is None:
        return
    decoded = decode_token(token.id_token.reveal())
    if decoded.kind == "jwe":
        return
    claims = decoded.claims
    audience = claims.get("aud")
    client_id = profile.values.get("client_id", "")
    host = get_endpoint_host(profile)
    if not _equals_in_constant_time(str(claims.get("nonce", "")), nonce):
        problem = "does not belong to this sign-in (its nonce is different)"
    elif client_id not in (audience if isinstance(audience, list) else [audience]):
        problem = "was issued to another client"
    elif not matches_issuer(profile, claims):
        issuer = str(claims.get("iss"))[:MAX_QUOTE]
        raise ReplyError(
            f"the ID token from {host} names {issuer!r} as its issuer instead of"
            f" {profile.issuer!r}; the whole reply was discarded, including any refresh token",
            cause="if that is the server's actual issuer, set it as `issuer` in the profile",
            fix=f"tokencli profiles edit {profile.name} --set {quote(f'issuer={issuer}')}",
        )
    else:
        return
    raise ReplyError(
        f"the ID token from {host} {problem}; the whole reply was discarded",
        cause="if a second sign-in fails in the same way, the server is at fault",
        fix=f"tokencli login {profile.command_line_name}",
    )


@dataclass(frozen=True, slots=True)
class ExpectedResponse:
    """The authorization response that one sign-in waits for."""

    profile: Profile
    state: str

    def parse_response(self, query: str) -> AuthorizationResponse | None:
        """Return the response in a redirect's query, or None if it isn't of this sign-in.

        Without the right `state`, or with a parameter given twice, it is ignored. With it the wait
        is over, whether it brings a code or an error.
        """
        params = _parse_query_params(query)
        if params is None or not _equals_in_constant_time(params.get("state", ""), self.state):
            return None
        error = self._check_issuer(params) or self._read_error_response(params)
        if error is not None:
            return AuthorizationResponse(error=error)
        return AuthorizationResponse(Secret(params["code"])) if params.get("code") else None

    def _check_issuer(self, params: Mapping[str, str]) -> TokencliError | None:
        """Compare `iss` with the issuer to the letter, in error responses as well (RFC 9207 section 2.4)."""
        issuer = self.profile.issuer
        sender = params.get("iss")
        if sender is None and not self.profile.sign_in.iss_in_redirect:
            return None
        if issuer is None or sender == issuer:
            return None
        named = "no issuer" if sender is None else f"the issuer {sender[:MAX_QUOTE]!r}"
        return ReplyError(
            f"the redirect after the sign-in names {named} instead of {issuer!r}; it was discarded",
            cause="another server may have sent it; sign in again and check the address in the"
            " browser",
            fix=f"tokencli login {self.profile.command_line_name}",
        )

    def _read_error_response(self, params: Mapping[str, str]) -> TokencliError | None:
        """Return the error of an error response (RFC 6749 section 4.1.2.1)."""
        code = params.get("error")
        if not code:
            return None
        return redirect_refusal_error(self.profile, code, params.get("error_description", ""))


def _parse_query_params(query: str) -> dict[str, str] | None:
    """Return the parameters, or None if the query is too long, malformed, or has one twice."""
    if len(query) > MAX_QUERY_LENGTH:
        return None
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, max_num_fields=MAX_QUERY_PARAMS, errors="strict"
        )
    except ValueError:
        return None
    params = dict(pairs)
    return params if len(params) == len(pairs) else None


def _equals_in_constant_time(received: str, expected: str) -> bool:
    return compare_digest(received.encode(errors="surrogatepass"), expected.encode())

"""The authorization code grant: what it sends where, and which responses it rejects."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from tests.fakes import make_profile
from tokencli.errors import RefusedError, ReplyError, TokencliError
from tokencli.models import AuthorizationResponse, Profile, Secret, SignIn, TokenSet
from tokencli.oauth.grants import authorization_code
from tokencli.oauth.grants.authorization_code import MAX_QUERY_LENGTH, ExpectedResponse
from tokencli.oauth.grants.steps import (
    AwaitAuthorizationResponse,
    GrantSteps,
    ListenForRedirect,
    OpenBrowser,
    PostToEndpoint,
    PostTokenRequest,
)

ISSUER = "https://id.example.com"
REDIRECT_URI = "http://127.0.0.1:49152/callback"
TOKEN = TokenSet(Secret("t"), "Bearer", 0.0)
CODE = Secret("canary-code-7f3a")


def profile(**more: object) -> Profile:
    """Return the profile of a public client."""
    given: dict[str, object] = {
        "grant": "authorization_code",
        "client_auth": "none",
        "values": {"client_id": "native"},
        "endpoints": {"authorization": f"{ISSUER}/authorize"},
        "scope": "read",
    }
    return make_profile(**{**given, **more})  # type: ignore[arg-type]


def run_to_browser(steps: GrantSteps) -> tuple[ListenForRedirect, dict[str, str]]:
    """Run a grant until it opens the browser; return the ListenForRedirect and the request."""
    listen = next(steps)
    assert isinstance(listen, ListenForRedirect)
    opened = steps.send(REDIRECT_URI)
    assert isinstance(opened, OpenBrowser)
    assert opened.url.startswith(f"{ISSUER}/authorize?")
    return listen, dict(parse_qsl(urlsplit(opened.url).query, strict_parsing=True))


def run_to_end(steps: GrantSteps, token: TokenSet = TOKEN) -> dict[str, object]:
    """Send back a code and return the parameters of the token request."""
    assert isinstance(steps.send(None), AwaitAuthorizationResponse)
    post = steps.send(AuthorizationResponse(code=CODE))
    assert isinstance(post, PostTokenRequest)
    with pytest.raises(StopIteration) as end:
        steps.send(token)
    assert end.value.value is token
    return dict(post.params)


def id_token(**claims: object) -> Secret:
    """Return an ID token with these claims and an arbitrary signature."""
    parts = ({"alg": "RS256"}, claims)
    encoded = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return Secret(".".join((*encoded, "c2ln")))


@pytest.mark.requirement(20)
def test_request_has_pkce_and_state() -> None:
    """S256, verifier and state of 32 random bytes, and the same redirect URI in both requests."""
    steps = authorization_code.run(profile())
    _, request = run_to_browser(steps)
    posted = run_to_end(steps)
    verifier = posted["code_verifier"]
    assert isinstance(verifier, Secret)
    assert len(verifier.reveal()) == 43
    digest = sha256(verifier.reveal().encode()).digest()
    assert request["code_challenge"] == urlsafe_b64encode(digest).decode().rstrip("=")
    assert request["code_challenge_method"] == "S256"
    assert len(request["state"]) == 43
    assert request["response_type"] == "code"
    assert request["client_id"] == "native"
    assert request["scope"] == "read"
    assert "nonce" not in request
    assert posted == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": request["redirect_uri"],
        "code_verifier": verifier,
    }


@pytest.mark.requirement(20)
def test_random_values_are_unique() -> None:
    """Verifier, state and nonce are new for each sign-in, and differ from each other."""
    seen = set()
    for _ in range(3):
        _, request = run_to_browser(authorization_code.run(profile(scope="openid")))
        seen |= {request["code_challenge"], request["state"], request["nonce"]}
    assert len(seen) == 9


def test_code_challenge_of_rfc_7636() -> None:
    """The example of RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert (
        authorization_code.s256_code_challenge(verifier)
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_parameters_go_to_the_right_endpoint() -> None:
    """Audience and prompt to the authorization endpoint, resource to both (RFC 8707 section 2)."""
    resources = ("https://a.example", "https://b.example")
    params = {"audience": "https://api.example.com", "prompt": "consent", "resource": resources}
    steps = authorization_code.run(profile(params=params))
    next(steps)
    opened = steps.send(REDIRECT_URI)
    assert isinstance(opened, OpenBrowser)
    query = parse_qs(urlsplit(opened.url).query)
    assert query["resource"] == list(resources)
    assert query["prompt"] == ["consent"]
    posted = run_to_end(steps)
    assert posted["resource"] == resources
    assert {"audience", "prompt", "scope"} & set(posted) == set()


def test_query_of_the_authorization_endpoint_is_kept() -> None:
    """RFC 6749 section 3.1."""
    place = {"authorization": f"{ISSUER}/authorize?tenant=acme"}
    _, request = run_to_browser(authorization_code.run(profile(endpoints=place)))
    assert request["tenant"] == "acme"
    assert request["response_type"] == "code"


def test_redirect_port_and_bare_codes_follow_the_profile() -> None:
    """A registered port is used, and a bare code is rejected if the server always sends `iss`."""
    plain, _ = run_to_browser(authorization_code.run(profile()))
    assert (plain.port, plain.accepts_bare_code) == (None, True)
    told = SignIn(redirect_port=8765, iss_in_redirect=True)
    special, _ = run_to_browser(authorization_code.run(profile(sign_in=told)))
    assert (plain.host, plain.path) == ("127.0.0.1", "/callback")
    assert (special.port, special.accepts_bare_code) == (8765, False)


def test_pushed_request_is_not_in_the_url() -> None:
    """RFC 9126: the URL contains client_id and request_uri only."""
    steps = authorization_code.run(profile(sign_in=SignIn(par=True)))
    next(steps)
    pushed = steps.send(REDIRECT_URI)
    assert isinstance(pushed, PostToEndpoint)
    assert pushed.endpoint == "pushed_authorization_request"
    assert {"response_type", "state", "code_challenge", "client_id"} <= set(pushed.params)
    opened = steps.send({"request_uri": "urn:example:1", "expires_in": 90})
    assert isinstance(opened, OpenBrowser)
    query = urlencode({"client_id": "native", "request_uri": "urn:example:1"})
    assert opened.url == f"{ISSUER}/authorize?{query}"


@pytest.mark.parametrize("reply", [{}, {"request_uri": ""}, {"request_uri": 1}])
def test_pushed_request_without_a_request_uri_fails(reply: dict[str, object]) -> None:
    """Without it there is no URL to open."""
    steps = authorization_code.run(profile(sign_in=SignIn(par=True)))
    next(steps)
    steps.send(REDIRECT_URI)
    with pytest.raises(ReplyError, match="request_uri"):
        steps.send(reply)


def test_error_response_ends_the_grant() -> None:
    """Its error is raised, and no token is requested."""
    steps = authorization_code.run(profile())
    run_to_browser(steps)
    steps.send(None)
    with pytest.raises(RefusedError, match="no"):
        steps.send(AuthorizationResponse(error=RefusedError("no")))


def test_matching_id_token_is_accepted() -> None:
    """It has the nonce of the request, the client as audience, and the profile's issuer."""
    steps = authorization_code.run(profile(scope="openid", issuer=ISSUER))
    _, request = run_to_browser(steps)
    claims = {"nonce": request["nonce"], "aud": "native", "iss": ISSUER}
    good = TokenSet(Secret("t"), "Bearer", 0.0, id_token=id_token(**claims))
    run_to_end(steps, good)


WRONG_CLAIMS = {
    "no nonce": {"nonce": None},
    "another nonce": {"nonce": "canary"},
    "a surrogate for a nonce": {"nonce": "\ud800"},
    "another audience": {"aud": "other"},
    "other audiences": {"aud": ["other", "third"]},
    "no audience": {"aud": None},
    "another issuer": {"iss": f"{ISSUER}/"},
}


@pytest.mark.requirement(20)
@pytest.mark.parametrize("wrong", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_foreign_id_token_discards_the_reply(wrong: dict[str, object]) -> None:
    """An injected token is not used, whatever else the reply contains."""
    steps = authorization_code.run(profile(scope="openid", issuer=ISSUER))
    _, request = run_to_browser(steps)
    claims = {"nonce": request["nonce"], "aud": "native", "iss": ISSUER, **wrong}
    token = TokenSet(Secret("t"), "Bearer", 0.0, id_token=id_token(**claims))
    steps.send(None)
    steps.send(AuthorizationResponse(code=CODE))
    with pytest.raises(ReplyError, match="ID token"):
        steps.send(token)


def test_id_token_may_name_the_tenant_by_guid() -> None:
    """The profile says `common`, the ID token has the GUID."""
    host, tenant = "https://login.microsoftonline.com", "72f988bf-86f1-41af-91ab-2d7cd011db47"
    who = make_profile(
        "entra",
        grant="authorization_code",
        client_auth="none",
        values={"client_id": "native", "tenant": "common"},
        endpoints={"authorization": f"{ISSUER}/authorize"},
        issuer=f"{host}/common/v2.0",
        scope="openid offline_access",
    )
    for named, good in ((f"{host}/{tenant}/v2.0", True), (f"https://evil/{tenant}/v2.0", False)):
        steps = authorization_code.run(who)
        _, request = run_to_browser(steps)
        claims = {"nonce": request["nonce"], "aud": "native", "iss": named, "tid": tenant}
        token = TokenSet(
            Secret("t"), "Bearer", 0.0, refresh_token=Secret("r"), id_token=id_token(**claims)
        )
        if good:
            run_to_end(steps, token)
            continue
        steps.send(None)
        steps.send(AuthorizationResponse(code=CODE))
        with pytest.raises(
            ReplyError, match=r"'https://evil/.*including any refresh token"
        ) as refused:
            steps.send(token)
        assert "`issuer`" in (refused.value.cause or "")


def test_provider_renames_parameters_and_redirect_host() -> None:
    """Slack: user_scope with commas, and a redirect to localhost."""
    who = make_profile(
        "slack",
        grant="authorization_code",
        client_auth="none",
        endpoints={"authorization": f"{ISSUER}/authorize"},
        scope="chat:write search:read",
    )
    listen, request = run_to_browser(authorization_code.run(who))
    assert listen.host == "localhost"
    own = replace(who, sign_in=SignIn(redirect_host="127.0.0.1", redirect_path=""))
    listen, _ = run_to_browser(authorization_code.run(own))
    assert (listen.host, listen.path) == ("127.0.0.1", "")
    assert request["user_scope"] == "chat:write,search:read"
    assert "scope" not in request
    plain, usual = run_to_browser(authorization_code.run(profile(scope="a b")))
    assert (plain.host, usual["scope"]) == ("127.0.0.1", "a b")


def parse(query: str, **more: object) -> AuthorizationResponse | None:
    """Parse a query for a sign-in whose state is `right`."""
    return ExpectedResponse(profile(issuer=ISSUER, **more), "right").parse_response(query)


def error_of(query: str, **more: object) -> TokencliError:
    """Return the error in a query."""
    found = parse(query, **more)
    assert found is not None
    assert found.code is None
    assert found.error is not None
    return found.error


def test_expected_response_has_the_code() -> None:
    """RFC 6749 section 4.1.2: code and state; other parameters are ignored."""
    assert parse("code=abc&state=right") == AuthorizationResponse(code=Secret("abc"))
    assert parse("session_state=x&state=right&code=a%2Fb+c&scope=read") == AuthorizationResponse(
        Secret("a/b c")
    )
    assert parse("code=abc&state=right&iss=https%3A%2F%2Fid.example.com") == AuthorizationResponse(
        Secret("abc")
    )


STRANGERS = {
    "no state": "code=abc",
    "empty state": "code=abc&state=",
    "another state": "code=abc&state=wrong",
    "state with more": "code=abc&state=right2",
    "state in another case": "code=abc&state=Right",
    "state outside ASCII": "code=abc&state=%C3%A9",
    "bytes that are not UTF-8": "code=abc&state=right&x=%ff",
    "two states": "code=abc&state=wrong&state=right",
    "two equal states": "code=abc&state=right&state=right",
    "two codes": "code=abc&code=def&state=right",
    "two issuers": "code=abc&state=right&iss=a&iss=b",
    "neither code nor error": "state=right",
    "an empty code": "code=&state=right",
    "an error without state": "error=access_denied",
    "far too long": "state=right&code=" + "c" * MAX_QUERY_LENGTH,
    "too many members": "state=right&code=c" + "".join(f"&m{n}=" for n in range(100)),
    "nothing": "",
}


@pytest.mark.requirement(20)
@pytest.mark.parametrize("query", STRANGERS.values(), ids=STRANGERS)
def test_foreign_response_is_ignored(query: str) -> None:
    """Wrong or missing state, duplicate parameters, garbage: no code, and the wait goes on."""
    assert parse(query) is None


@pytest.mark.requirement(20)
@pytest.mark.parametrize(
    "iss", ["https://evil.example", "https://id.example.com/", "HTTPS://ID.EXAMPLE.COM", ""]
)
def test_response_of_another_issuer_is_refused(iss: str) -> None:
    """RFC 9207 section 2.4: compared to the letter, in error responses as well."""
    for what in ("code=abc", "error=access_denied"):
        wrong = error_of(f"{what}&state=right&{urlencode({'iss': iss})}")
        assert isinstance(wrong, ReplyError)


@pytest.mark.requirement(20)
def test_announced_iss_is_required() -> None:
    """RFC 9207 section 2.4: if it is announced, its absence is an error; otherwise it is optional."""
    announced = SignIn(iss_in_redirect=True)
    assert isinstance(error_of("code=abc&state=right", sign_in=announced), ReplyError)
    assert isinstance(error_of("error=server_error&state=right", sign_in=announced), ReplyError)
    assert parse("code=abc&state=right") == AuthorizationResponse(code=Secret("abc"))


def test_error_responses_are_explained() -> None:
    """RFC 6749 section 4.1.2.1: the server's text is cut, and what looks like a token is masked."""
    long = urlencode({"error_description": "no " * 500 + "token=canary-secret-91be"})
    wrong = error_of(f"error=access_denied&state=right&{long}")
    assert isinstance(wrong, RefusedError)
    assert (wrong.error, wrong.exit_code) == ("access_denied", 5)
    assert "the user declined the sign-in" in (wrong.cause or "")
    assert 1000 < len(wrong.message) < 1100
    named = error_of("error=invalid_scope&error_description=token%3Dcanary-secret-91be&state=right")
    assert "a scope is unknown" in (named.cause or "")
    assert "canary" not in named.message
    assert error_of("error=%1b%5b2J&state=right").cause

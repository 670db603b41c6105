"""The authorization code grant, driven by hand: what it sends where, and what it refuses to use."""

import json
from base64 import urlsafe_b64encode
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
    """Return a public client's profile."""
    given: dict[str, object] = {
        "grant": "authorization_code",
        "client_auth": "none",
        "values": {"client_id": "native"},
        "endpoints": {"authorization": f"{ISSUER}/authorize"},
        "scope": "read",
    }
    return make_profile(**{**given, **more})  # type: ignore[arg-type]


def to_the_browser(steps: GrantSteps) -> tuple[ListenForRedirect, dict[str, str]]:
    """Run a grant up to the opening of the browser; return how it listens and the request."""
    listen = next(steps)
    assert isinstance(listen, ListenForRedirect)
    opened = steps.send(REDIRECT_URI)
    assert isinstance(opened, OpenBrowser)
    assert opened.url.startswith(f"{ISSUER}/authorize?")
    return listen, dict(parse_qsl(urlsplit(opened.url).query, strict_parsing=True))


def to_the_end(steps: GrantSteps, token: TokenSet = TOKEN) -> dict[str, object]:
    """Come back with a code and return the parameters of the token request."""
    assert isinstance(steps.send(None), AwaitAuthorizationResponse)
    post = steps.send(AuthorizationResponse(code=CODE))
    assert isinstance(post, PostTokenRequest)
    with pytest.raises(StopIteration) as end:
        steps.send(token)
    assert end.value.value is token
    return dict(post.params)


def id_token(**claims: object) -> Secret:
    """Return an ID token with these claims; nobody checks its signature."""
    parts = ({"alg": "RS256"}, claims)
    encoded = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return Secret(".".join((*encoded, "c2ln")))


@pytest.mark.requirement(20)
def test_the_request_is_bound_to_the_one_who_made_it() -> None:
    """S256 always, state and verifier from 32 random bytes, the same redirect URI in both requests."""
    steps = authorization_code.run(profile())
    _, request = to_the_browser(steps)
    posted = to_the_end(steps)
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
def test_nothing_is_used_twice() -> None:
    """Verifier, state and nonce are fresh for each sign-in, and differ from each other."""
    seen = set()
    for _ in range(3):
        _, request = to_the_browser(authorization_code.run(profile(scope="openid")))
        seen |= {request["code_challenge"], request["state"], request["nonce"]}
    assert len(seen) == 9


def test_the_verifier_of_the_rfc_has_the_challenge_of_the_rfc() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert (
        authorization_code.s256_code_challenge(verifier)
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_parameters_go_where_they_are_looked_for() -> None:
    """Audience and prompt into the address; resource into both (RFC 8707 section 2)."""
    resources = ("https://a.example", "https://b.example")
    params = {"audience": "https://api.example.com", "prompt": "consent", "resource": resources}
    steps = authorization_code.run(profile(params=params))
    next(steps)
    opened = steps.send(REDIRECT_URI)
    assert isinstance(opened, OpenBrowser)
    query = parse_qs(urlsplit(opened.url).query)
    assert query["resource"] == list(resources)
    assert query["prompt"] == ["consent"]
    posted = to_the_end(steps)
    assert posted["resource"] == resources
    assert {"audience", "prompt", "scope"} & set(posted) == set()


def test_a_query_of_the_authorization_endpoint_stays() -> None:
    """RFC 6749 section 3.1."""
    place = {"authorization": f"{ISSUER}/authorize?tenant=acme"}
    _, request = to_the_browser(authorization_code.run(profile(endpoints=place)))
    assert request["tenant"] == "acme"
    assert request["response_type"] == "code"


def test_the_port_and_the_paste_are_the_profiles() -> None:
    """A registered port is asked for; where the server names itself a bare code is not enough."""
    plain, _ = to_the_browser(authorization_code.run(profile()))
    assert (plain.port, plain.accepts_bare_code) == (None, True)
    told = SignIn(redirect_port=8765, iss_in_redirect=True)
    special, _ = to_the_browser(authorization_code.run(profile(sign_in=told)))
    assert (special.port, special.accepts_bare_code) == (8765, False)


def test_a_pushed_request_leaves_nothing_in_the_address() -> None:
    """RFC 9126: the request goes to the server; the address has client_id and request_uri alone."""
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
def test_a_pushed_request_that_has_no_name_is_told(reply: dict[str, object]) -> None:
    """Without a request_uri there is nothing to open."""
    steps = authorization_code.run(profile(sign_in=SignIn(par=True)))
    next(steps)
    steps.send(REDIRECT_URI)
    with pytest.raises(ReplyError, match="request_uri"):
        steps.send(reply)


def test_a_failure_by_redirect_ends_the_conversation() -> None:
    """What the redirect says is raised, and nothing is posted."""
    steps = authorization_code.run(profile())
    to_the_browser(steps)
    steps.send(None)
    with pytest.raises(RefusedError, match="no"):
        steps.send(AuthorizationResponse(error=RefusedError("no")))


def test_an_id_token_has_to_be_of_this_sign_in() -> None:
    """The nonce comes back, the audience is the client, the issuer is the profile's."""
    steps = authorization_code.run(profile(scope="openid", issuer=ISSUER))
    _, request = to_the_browser(steps)
    claims = {"nonce": request["nonce"], "aud": "native", "iss": ISSUER}
    good = TokenSet(Secret("t"), "Bearer", 0.0, id_token=id_token(**claims))
    to_the_end(steps, good)


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
def test_an_id_token_of_another_sign_in_spoils_the_reply(wrong: dict[str, object]) -> None:
    """A token that was slipped in is not used, whatever else the reply brings."""
    steps = authorization_code.run(profile(scope="openid", issuer=ISSUER))
    _, request = to_the_browser(steps)
    claims = {"nonce": request["nonce"], "aud": "native", "iss": ISSUER, **wrong}
    token = TokenSet(Secret("t"), "Bearer", 0.0, id_token=id_token(**claims))
    steps.send(None)
    steps.send(AuthorizationResponse(code=CODE))
    with pytest.raises(ReplyError, match="ID token"):
        steps.send(token)


def test_a_tenant_of_a_server_with_many_may_sign_in_by_another_name() -> None:
    """The ID token names the tenant's GUID where the profile says `common`."""
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
        _, request = to_the_browser(steps)
        claims = {"nonce": request["nonce"], "aud": "native", "iss": named, "tid": tenant}
        token = TokenSet(
            Secret("t"), "Bearer", 0.0, refresh_token=Secret("r"), id_token=id_token(**claims)
        )
        if good:
            to_the_end(steps, token)
            continue
        steps.send(None)
        steps.send(AuthorizationResponse(code=CODE))
        with pytest.raises(
            ReplyError, match=r"'https://evil/.*including any refresh token"
        ) as refused:
            steps.send(token)
        assert "`issuer`" in (refused.value.cause or "")


def test_a_provider_names_the_parameters_and_this_machine() -> None:
    """As its document has them: Slack's user_scope, with commas, and a redirect to localhost."""
    who = make_profile(
        "slack",
        grant="authorization_code",
        client_auth="none",
        endpoints={"authorization": f"{ISSUER}/authorize"},
        scope="chat:write search:read",
    )
    listen, request = to_the_browser(authorization_code.run(who))
    assert listen.host == "localhost"
    assert request["user_scope"] == "chat:write,search:read"
    assert "scope" not in request
    plain, usual = to_the_browser(authorization_code.run(profile(scope="a b")))
    assert (plain.host, usual["scope"]) == ("127.0.0.1", "a b")


def judge(query: str, **more: object) -> AuthorizationResponse | None:
    """Judge a query of a sign-in whose state is `right`."""
    return ExpectedResponse(profile(issuer=ISSUER, **more), "right").parse_response(query)


def failure(query: str, **more: object) -> TokencliError:
    """Return the failure that a query is."""
    found = judge(query, **more)
    assert found is not None
    assert found.code is None
    assert found.error is not None
    return found.error


def test_the_awaited_redirect_brings_the_code() -> None:
    """RFC 6749 section 4.1.2: code and state; whatever else stands there is ignored."""
    assert judge("code=abc&state=right") == AuthorizationResponse(code=Secret("abc"))
    assert judge("session_state=x&state=right&code=a%2Fb+c&scope=read") == AuthorizationResponse(
        Secret("a/b c")
    )
    assert judge("code=abc&state=right&iss=https%3A%2F%2Fid.example.com") == AuthorizationResponse(
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
def test_what_is_not_of_this_sign_in_changes_nothing(query: str) -> None:
    """Wrong or missing state, names given twice, nonsense: no code, and no end of the wait."""
    assert judge(query) is None


@pytest.mark.requirement(20)
@pytest.mark.parametrize(
    "iss", ["https://evil.example", "https://id.example.com/", "HTTPS://ID.EXAMPLE.COM", ""]
)
def test_another_issuer_is_refused(iss: str) -> None:
    """RFC 9207 section 2.4: compared as it stands; also what claims to be an error."""
    for what in ("code=abc", "error=access_denied"):
        wrong = failure(f"{what}&state=right&{urlencode({'iss': iss})}")
        assert isinstance(wrong, ReplyError)


@pytest.mark.requirement(20)
def test_a_server_that_names_itself_always_does() -> None:
    """RFC 9207 section 2.4: announced and missing is refused, error or not; else it may be absent."""
    announced = SignIn(iss_in_redirect=True)
    assert isinstance(failure("code=abc&state=right", sign_in=announced), ReplyError)
    assert isinstance(failure("error=server_error&state=right", sign_in=announced), ReplyError)
    assert judge("code=abc&state=right") == AuthorizationResponse(code=Secret("abc"))


def test_errors_are_put_into_words_and_quote_no_more_than_needed() -> None:
    """RFC 6749 section 4.1.2.1; what the server says is cut, and what looks like a token is masked."""
    long = urlencode({"error_description": "no " * 500 + "token=canary-secret-91be"})
    wrong = failure(f"error=access_denied&state=right&{long}")
    assert isinstance(wrong, RefusedError)
    assert (wrong.error, wrong.exit_code) == ("access_denied", 5)
    assert "you or the server denied it" in wrong.message
    assert len(wrong.message) < 500
    named = failure("error=invalid_scope&error_description=token%3Dcanary-secret-91be&state=right")
    assert "a scope is unknown" in named.message
    assert "canary" not in named.message
    assert "does not allow it" in failure("error=%1b%5b2J&state=right").message

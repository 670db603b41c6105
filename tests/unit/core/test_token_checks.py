"""Checks of a token: introspection, UserInfo, and verification with the issuer's keys."""

import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.fakes import FakeContext, FakeTransport, filled_keyring, json_reply, make_profile
from tests.unit.jwt.samples import part
from tests.unit.jwt.samples import token as unsigned
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_checks import RequestedChecks, introspect_token, run_checks
from tokencli.core.token_verification import verify_token
from tokencli.core.userinfo import fetch_userinfo
from tokencli.errors import ConfigError, RefusedError, ReplyError, TokencliError
from tokencli.jwt.decode import decode_token
from tokencli.jwt.sign import PrivateKey
from tokencli.jwt.verify import UnknownKeyError, VerificationError
from tokencli.models import HttpReply, Profile, Secret, TokenSet
from tokencli.oauth import dpop

NOW = 1_800_000_000.0
ISSUER = "https://id.example.com"
TOKEN = Secret("canary-access-1a")
BEARER = TokenSet(TOKEN, "Bearer", NOW)
SPOKEN = "canary.horse.battery.staple"
"""A token of words, which looks like no token."""
KEY = ECKey.generate_key("P-256")
PROFILE = make_profile(
    issuer=ISSUER,
    params={"audience": "api"},
    endpoints={name: f"{ISSUER}/{name}" for name in ("introspection", "userinfo", "jwks")},
)


def ctx(*replies: HttpReply | str) -> FakeContext:
    """Return a context with these replies."""
    plain = [json_reply(reply) if isinstance(reply, str) else reply for reply in replies]
    return FakeContext(transport=FakeTransport(list(plain)), keyring=filled_keyring())


def keys(kid: str = "k1") -> str:
    """Return a JWK set with one key."""
    return json.dumps({"keys": [{**KEY.as_dict(private=False), "kid": kid}]})


def signed(kid: str = "k1", **change: Any) -> str:
    """Return a token of the issuer."""
    claims = {"iss": ISSUER, "aud": "api", "exp": NOW + 60, **change}
    return PrivateKey(KEY).sign_jwt({"alg": "ES256", "kid": kid}, claims)


def asked(profile: Profile, outside: FakeContext) -> Any:
    """Introspect the token."""
    return introspect_token(profile, outside, SecretResolver(profile, outside), TOKEN)


def test_introspection_is_a_post_with_the_clients_authentication() -> None:
    """RFC 7662 section 2.1."""
    outside = ctx('{"active":true,"sub":"jdoe"}')
    assert asked(PROFILE, outside) == {"active": True, "sub": "jdoe"}
    (request,) = outside.transport.requests
    assert (request.method, request.url) == ("POST", f"{ISSUER}/introspection")
    assert request.headers["Authorization"].startswith("Basic ")
    assert b"token=canary-access-1a&token_type_hint=access_token" in request.body


@pytest.mark.parametrize("body", ["{}", '{"active":"true"}', '{"active":null}', '{"sub":"jdoe"}'])
def test_an_introspection_without_active_is_no_answer(body: str) -> None:
    """RFC 7662 section 2.2: it is the one member that is required."""
    with pytest.raises(ReplyError, match="active"):
        asked(PROFILE, ctx(body))


@pytest.mark.parametrize("which", ["introspection", "userinfo", "jwks"])
def test_an_endpoint_that_nobody_knows_is_a_configuration_error(which: str) -> None:
    """The error names the endpoint and the fix."""
    profile = make_profile(issuer=ISSUER)
    wanted = RequestedChecks(which == "jwks", which == "introspection", which == "userinfo")
    (error,) = run_checks(profile, ctx(), signed(), BEARER, wanted).errors.values()
    assert isinstance(error, ConfigError) and which in error.message


def test_userinfo_gets_the_token_in_a_header() -> None:
    """RFC 6750 section 2.1: in the header only."""
    outside = ctx('{"sub":"jdoe"}')
    assert fetch_userinfo(PROFILE, outside, BEARER) == {"sub": "jdoe"}
    (request,) = outside.transport.requests
    assert (request.method, request.body) == ("GET", b"")
    assert request.headers["Authorization"] == "Bearer canary-access-1a"


@pytest.mark.requirement(37)
def test_userinfo_with_dpop() -> None:
    """RFC 9449 sections 7 and 9: the proof has ath, and the resource's own nonce is used in one retry."""
    challenge = {"www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "r1"}
    outside = ctx(HttpReply(401, challenge, b""), HttpReply(401, challenge, b""))
    bound = TokenSet(TOKEN, "DPoP", NOW, dpop_key=dpop.generate_dpop_key())
    with pytest.raises(RefusedError, match="use_dpop_nonce"):
        fetch_userinfo(PROFILE, outside, bound)
    proofs = [
        decode_token(request.headers["DPoP"]).claims for request in outside.transport.requests
    ]
    assert [proof.get("nonce") for proof in proofs] == [None, "r1"]
    assert all("ath" in proof and proof["htm"] == "GET" for proof in proofs)
    assert outside.transport.requests[0].headers["Authorization"].startswith("DPoP ")


def test_userinfo_of_another_user() -> None:
    """OpenID Connect Core section 5.3.2: its sub must be the ID token's."""
    id_token = Secret(PrivateKey(KEY).sign_jwt({"alg": "ES256"}, {"sub": "jdoe"}))
    token = TokenSet(TOKEN, "Bearer", NOW, id_token=id_token)
    assert fetch_userinfo(PROFILE, ctx('{"sub":"jdoe"}'), token)["sub"] == "jdoe"
    with pytest.raises(ReplyError, match="ID token"):
        fetch_userinfo(PROFILE, ctx('{"sub":"mallory"}'), token)


@pytest.mark.parametrize("body", ['{"name":"J"}', '{"sub":""}', '{"sub":7}', '{"sub":null}'])
def test_userinfo_without_sub(body: str) -> None:
    """OpenID Connect Core section 5.3.2: sub is the one member that is required."""
    with pytest.raises(ReplyError, match="without sub"):
        fetch_userinfo(PROFILE, ctx(body), BEARER)


def as_jwt(text: str, kind: str = "application/jwt") -> HttpReply:
    """Return a UserInfo reply that says it is a JWT."""
    return HttpReply(200, {"content-type": kind}, text.encode())


@pytest.mark.parametrize("kind", ["application/jwt", "Application/JWT; charset=utf-8"])
def test_signed_userinfo(kind: str) -> None:
    """OpenID Connect Core section 5.3.2: signed by the issuer, with its iss and aud; exp is rare."""
    claims = {"iss": ISSUER, "aud": PROFILE.values["client_id"], "sub": "jdoe"}
    jwt = PrivateKey(KEY).sign_jwt({"alg": "ES256", "kid": "k1"}, claims)
    assert fetch_userinfo(PROFILE, ctx(as_jwt(f"{jwt}\n", kind), keys()), BEARER) == claims


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iss": "https://evil.example.com"}, "the issuer is"),
        ({"aud": "other"}, "the audience is"),
        ({"aud": "api"}, "the audience is"),
        ({"exp": NOW - 1}, "has expired"),
    ],
)
def test_signed_userinfo_for_another_client(change: dict[str, Any], says: str) -> None:
    """A valid signature isn't enough, and neither is an API's audience: it must be for the client."""
    claims = {"iss": ISSUER, "aud": PROFILE.values["client_id"], "sub": "jdoe", **change}
    jwt = PrivateKey(KEY).sign_jwt({"alg": "ES256", "kid": "k1"}, claims)
    with pytest.raises(ReplyError, match=says):
        fetch_userinfo(PROFILE, ctx(as_jwt(jwt), keys()), BEARER)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("notajwt", "no JWT"),
        ("", "no JWT"),
        (unsigned({"sub": "evil"}, {"alg": "none"}, ""), "algorithm is 'none'"),
        (unsigned({"sub": "evil"}, {"alg": "ES256"}), "signature is wrong"),
        (f"{part({'alg': 'RSA-OAEP', 'enc': 'A128GCM'})}.a.b.c.d", "encrypted"),
    ],
)
def test_unverifiable_userinfo(text: str, says: str) -> None:
    """Unsigned, forged, encrypted, or not a JWT: a clear error, and no claim is shown."""
    with pytest.raises(ReplyError, match=says):
        fetch_userinfo(PROFILE, ctx(as_jwt(text), keys()), BEARER)


def test_signed_userinfo_without_issuer() -> None:
    """It can't be verified, which is a configuration error."""
    profile = make_profile(endpoints=PROFILE.endpoints)
    with pytest.raises(ConfigError, match="no issuer"):
        fetch_userinfo(profile, ctx(as_jwt(unsigned({"sub": "jdoe"})), keys()), BEARER)


LEAKS = [
    HttpReply(401, {"www-authenticate": f'Bearer error="x", error_description="{SPOKEN} is old"'}, b""),
    HttpReply(401, {"www-authenticate": f"DPoP error={SPOKEN}"}, b""),
    json_reply(f'{{"error":"{SPOKEN}","error_description":"token {SPOKEN} is old"}}', 400),
    json_reply(f"{SPOKEN} is old", 200, f"text/{SPOKEN}"),
    json_reply(f'{{"{SPOKEN}":1,"{SPOKEN}":2}}'),
    json_reply(f'["{SPOKEN}"]'),
    json_reply(f'{{"sub":"{SPOKEN}","active":"{SPOKEN}"}}'),
    as_jwt(unsigned({"sub": "x"}, {"alg": SPOKEN})),
]  # fmt: skip


@pytest.mark.requirement(15)
@pytest.mark.parametrize("reply", LEAKS, ids=range(len(LEAKS)))
@pytest.mark.parametrize("which", ["introspect", "userinfo"])
def test_quoted_token_is_masked(which: str, reply: HttpReply) -> None:
    """Even a token of plain words is masked, by its value."""
    id_token = Secret(PrivateKey(KEY).sign_jwt({"alg": "ES256"}, {"sub": "jdoe"}))
    token = TokenSet(Secret(SPOKEN), "Bearer", NOW, id_token=id_token)
    outside = ctx(reply, keys())
    with pytest.raises(TokencliError) as caught:
        if which == "introspect":
            introspect_token(PROFILE, outside, SecretResolver(PROFILE, outside), token.access_token)
        else:
            fetch_userinfo(PROFILE, outside, token)
    attributes = vars(caught.value)
    assert SPOKEN not in str(attributes) and attributes["message"]


@pytest.mark.requirement(24)
@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999", "9" * 5000])
@pytest.mark.parametrize("which", ["introspect", "userinfo"])
def test_invalid_number_is_refused(which: str, number: str) -> None:
    """What is shown must be valid JSON."""
    outside = ctx(f'{{"active":true,"sub":"jdoe","x":{{"y":[{number}]}}}}')
    with pytest.raises(ReplyError, match="number"):
        fetch_userinfo(PROFILE, outside, BEARER) if which == "userinfo" else asked(PROFILE, outside)


@pytest.mark.requirement(24)
def test_deep_nesting_is_refused() -> None:
    """Instead of failing by recursion."""
    with pytest.raises(ReplyError, match="nested deeper"):
        asked(PROFILE, ctx(f'{{"active":true,"x":{"[" * 500}{"]" * 500}}}'))


def test_userinfo_refusal_quotes_the_challenge() -> None:
    """RFC 6750 section 3: the reason is in a header, and the body may be empty."""
    challenge = (
        'Bearer realm="x", error="insufficient_scope", error_description="openid is missing"'
    )
    reply = HttpReply(403, {"www-authenticate": challenge}, b"")
    with pytest.raises(RefusedError, match="insufficient_scope: openid is missing"):
        fetch_userinfo(PROFILE, ctx(reply), BEARER)


@pytest.mark.requirement(28)
def test_keys_come_from_the_issuer() -> None:
    """One GET to the issuer's own URL, whatever the token's header contains."""
    outside = ctx(keys())
    token = PrivateKey(KEY).sign_jwt(
        {"alg": "ES256", "kid": "k1", "jku": "https://evil.example.com/"},
        {"iss": ISSUER, "aud": "api", "exp": NOW + 60},
    )
    assert verify_token(PROFILE, outside, token).kid == "k1"
    assert [(r.method, r.url) for r in outside.transport.requests] == [("GET", f"{ISSUER}/jwks")]
    assert "Authorization" not in outside.transport.requests[0].headers


@pytest.mark.requirement(28)
def test_unknown_key_is_fetched_again() -> None:
    """The issuer may just have rotated its keys."""
    outside = ctx(keys("old"), keys("k1"))
    assert verify_token(PROFILE, outside, signed()).kid == "k1"
    with pytest.raises(UnknownKeyError):
        verify_token(PROFILE, ctx(keys("old"), keys("old")), signed())


NAMING = {"audience": "api", "resource": ("https://r.example/", "https://s.example/")}


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("aud", "params", "further", "status"),
    [
        ("api", NAMING, (), "match"),
        ("https://r.example/", NAMING, (), "match"),
        ("more", NAMING, ("more",), "match"),
        ("api", NAMING, ("more",), "mismatch"),
        ("more", NAMING, (), "mismatch"),
        ("batch", NAMING, (), "mismatch"),
        ("more", {}, ("other",), "mismatch"),
        (None, {}, ("other",), "missing"),
        ([], NAMING, (), "empty"),
        ("account", {}, (), "not_judged"),
        ([], {}, (), "not_judged"),
        (None, {}, (), "not_judged"),
    ],
)
def test_audience_of_an_access_token(
    aud: object, params: dict[str, Any], further: tuple[str, ...], status: str
) -> None:
    """It is judged only if the profile or the command line names one, apart from the signature."""
    profile = make_profile(issuer=ISSUER, params=params, endpoints=PROFILE.endpoints)
    wanted = RequestedChecks(verify=True, audiences=further)
    results = run_checks(profile, ctx(keys()), signed(aud=aud), None, wanted)
    assert results.verified is not None and results.audience is not None
    assert results.audience.status == status
    rejected = status not in ("match", "not_judged")
    assert [line.startswith("verification failed: the signature is valid, but ")
            for line, _ in results.list_rejections()] == [True] * rejected  # fmt: skip


@pytest.mark.requirement(28)
@pytest.mark.parametrize("sign", [{"typ": "ID"}, {"at_hash": "x"}, {}])
@pytest.mark.parametrize(("aud", "status"), [("batch", "match"), ("api", "mismatch")])
def test_audience_of_an_id_token(sign: dict[str, Any], aud: str, status: str) -> None:
    """It is always the client (OpenID Connect Core section 3.1.3.7)."""
    wanted = RequestedChecks(verify=True, audiences=("api",), id_token=not sign)
    results = run_checks(PROFILE, ctx(keys()), signed(aud=aud, **sign), None, wanted)
    assert results.audience is not None and results.audience.status == status


@pytest.mark.requirement(28)
def test_token_of_another_issuer_costs_no_request() -> None:
    """Neither metadata nor keys are fetched for it."""
    outside = ctx()
    with pytest.raises(VerificationError, match="a token of another issuer"):
        verify_token(PROFILE, outside, signed(iss="https://other.example.com"))
    assert outside.transport.requests == []


@pytest.mark.parametrize(
    ("issuer", "fix"),
    [
        ("https://id.example.com/realm", "--set issuer=https://id.example.com/realm"),
        ("https://other.example.com", None),
        ("no URL", None),
        (7, None),
    ],
)
def test_missing_issuer_is_suggested_if_it_is_trusted(issuer: object, fix: str | None) -> None:
    """The token's own iss is worth trying only at the origin of the profile's token endpoint."""
    profile = make_profile(endpoints=PROFILE.endpoints)
    with pytest.raises(ConfigError, match="no issuer") as caught:
        verify_token(profile, ctx(), signed(iss=issuer))
    assert (caught.value.fix or "").endswith(fix or "")
    assert (caught.value.fix is None) == (fix is None)


@pytest.mark.requirement(28)
def test_verify_without_issuer() -> None:
    """A profile without an issuer can't verify, even if the keys' URL is known."""
    with pytest.raises(ConfigError, match="no issuer"):
        verify_token(make_profile(endpoints=PROFILE.endpoints), ctx(keys()), signed())


@pytest.mark.parametrize("body", ['{"keys":7}', "{}", "[]", "<html>", ""])
def test_invalid_jwks(body: str) -> None:
    """The error is about the server, not about the token."""
    with pytest.raises(TokencliError) as caught:
        verify_token(PROFILE, ctx(body), signed())
    assert not isinstance(caught.value, VerificationError)


EVERYTHING = RequestedChecks(verify=True, introspect=True, userinfo=True)
INACTIVE = '{"active":false}'


def challenge(error: str, status: int = 401) -> HttpReply:
    """Return a refusal of UserInfo."""
    return HttpReply(status, {"www-authenticate": f'Bearer error="{error}"'}, b"")


def test_no_rejection() -> None:
    """All checks of a good token."""
    outside = ctx(keys(), '{"active":true}', '{"sub":"jdoe"}')
    good = run_checks(PROFILE, outside, signed(), BEARER, EVERYTHING)
    assert (good.list_rejections(), good.userinfo, good.is_active) == ([], {"sub": "jdoe"}, True)
    assert good.errors == {}


def test_refused_check_does_not_hide_the_others() -> None:
    """Each check has its own result or error, whichever fails."""
    refused = json_reply('{"error":"unauthorized_client"}', 403)
    results = run_checks(
        PROFILE, ctx(keys(), refused, challenge("invalid_token")), signed(), BEARER, EVERYTHING
    )
    assert results.verified is not None
    assert list(results.errors) == ["introspect", "userinfo"]
    no_keys = run_checks(
        PROFILE, ctx("[]", '{"active":true}', '{"sub":"jdoe"}'), signed(), BEARER, EVERYTHING
    )
    assert (list(no_keys.errors), no_keys.is_active) == (["verify"], True)


OLD = TokenSet(TOKEN, "Bearer", NOW - 600, NOW + 600)
INTROSPECT = RequestedChecks(introspect=True)


@pytest.mark.parametrize(
    ("token", "stored", "userinfo", "alive", "says"),
    [
        (signed(exp=NOW - 60), OLD, None, False, "it expired 1 minute ago"),
        ("opaque", replace(OLD, expires_at=NOW - 60), None, False, "it expired 1 minute ago"),
        (signed(), OLD, json_reply('{"sub":"x"}'), True, "UserInfo accepts it"),
        ("opaque", None, json_reply('{"sub":"x"}'), True, "UserInfo accepts it"),
        (signed(), OLD, challenge("insufficient_scope", 403), True, "refuses only its scope"),
        (signed(), OLD, challenge("invalid_token"), False, "calls it invalid as well"),
        ("opaque", BEARER, HttpReply(404, {}, b""), True, "issued a few seconds ago"),
        ("opaque", BEARER, challenge("invalid_token"), False, "calls it invalid as well"),
        (signed(aud="account"), OLD, HttpReply(401, {}, b""), True, "by its own exp"),
        (signed(aud=None), OLD, HttpReply(503, {}, b""), True, "by its own exp"),
        (signed(aud=["batch"]), OLD, HttpReply(503, {}, b""), False, "it was revoked"),
        (signed(aud="account"), None, HttpReply(503, {}, b""), False, "Keycloak"),
        ("opaque", OLD, HttpReply(503, {}, b""), False, "Keycloak"),
    ],
)
def test_inactive_token_is_judged_by_other_evidence(
    token: str, stored: TokenSet | None, userinfo: HttpReply | None, alive: bool, says: str
) -> None:
    """Its own expiry, UserInfo, and the time of issue; a pasted token's own exp proves nothing."""
    replies = [] if userinfo is None else [userinfo]
    results = run_checks(PROFILE, ctx(INACTIVE, *replies), token, stored, INTROSPECT)
    assert results.activity is not None and says in results.activity.reason
    assert results.is_active is results.activity.alive is alive
    assert (results.list_rejections() == []) is alive
    assert results.errors == {}


def test_verified_exp_is_evidence() -> None:
    """The own exp of a pasted token counts if the issuer's signature is verified."""
    wanted = RequestedChecks(verify=True, introspect=True, audiences=("account",))
    outside = ctx(keys(), INACTIVE, HttpReply(503, {}, b""))
    results = run_checks(PROFILE, outside, signed(aud="account"), None, wanted)
    assert results.is_active is True


@pytest.mark.parametrize(
    ("client_auth", "stored", "says"),
    [
        ("none", None, "this profile's client doesn't authenticate"),
        ("client_secret_basic", BEARER, "whose credentials were accepted for the token"),
    ],
)
def test_introspection_refusal_blames_no_secret(
    client_auth: str, stored: TokenSet | None, says: str
) -> None:
    """A client that just got a token with its secret isn't told to change it."""
    profile = replace(PROFILE, client_auth=client_auth)
    refused = json_reply('{"error":"invalid_client"}', 401)
    results = run_checks(profile, ctx(refused), "t", stored, INTROSPECT)
    error = results.errors["introspect"]
    assert says in str(error.cause) and error.fix is None


def opaque(scope: str | None = None, **change: Any) -> TokenSet:
    """Return a stored opaque token of ten minutes ago."""
    return replace(OLD, scope=scope, **change)


def jwt(**claims: Any) -> TokenSet:
    """Return a stored JWT of ten minutes ago."""
    return replace(OLD, access_token=Secret(signed(**claims)))


@pytest.mark.parametrize(
    ("token", "reply", "profile", "cause", "fix"),
    [
        (jwt(exp=NOW - 60), challenge("invalid_token"), {}, "expired 1 minute ago", "refresh p"),
        (opaque(expires_at=NOW - 60), HttpReply(401, {}, b""), {}, "expired", "refresh p"),
        (opaque("read"), challenge("insufficient_scope", 403), {"scope": "read"},
         "because the profile doesn't request it", "profiles edit p --set 'scope=openid read'"),
        (opaque("read"), challenge("insufficient_scope", 403), {"scope": "openid read"},
         'doesn\'t have the scope "openid"', None),
        (opaque("openid"), HttpReply(403, {"www-authenticate":
         'Bearer error="insufficient_scope", scope="openid email"'}, b""), {}, "openid email", None),
        (opaque("read"), challenge("invalid_token"), {"grant": "client_credentials"},
         "with client_credentials no user signs in", None),
        (jwt(aud="https://api", scope="openid"), challenge("invalid_token"), {},
         "accepted only by 'https://api'", None),
        (opaque("openid"), challenge("invalid_token"), {}, "most likely the token was revoked",
         "refresh p"),
        (replace(BEARER, scope="openid"), challenge("invalid_token"), {}, "just now", None),
        (opaque("openid"), challenge("use_dpop_nonce"), {}, "bound to a key", None),
        (opaque("openid"), HttpReply(404, {}, b""), {}, "userinfo_url", "profiles show p"),
        (opaque("openid"), HttpReply(500, {}, b""), {}, "the server failed", None),
        (opaque("openid"), HttpReply(503, {}, b""), {}, "not available; try again", None),
        (opaque("openid"), HttpReply(429, {"retry-after": "3600"}, b""), {},
         "too many requests in a short time; the server says to wait 1 hour", None),
    ],
)  # fmt: skip
def test_userinfo_refusal_is_explained_by_the_evidence(
    token: TokenSet, reply: HttpReply, profile: dict[str, Any], cause: str, fix: str | None
) -> None:
    """A refresh is suggested only if a new token can help, and never for a pasted token."""
    asking = replace(PROFILE, **{"grant": "password", **profile})
    with pytest.raises(RefusedError) as caught:
        fetch_userinfo(asking, ctx(reply), token)
    assert cause in str(caught.value.cause)
    assert caught.value.fix == (fix and f"tokencli {fix}")
    with pytest.raises(RefusedError) as caught:
        fetch_userinfo(asking, ctx(reply), token, is_stored=False)
    assert "refresh" not in str(caught.value.fix)


def test_checks_allow_for_a_wrong_clock() -> None:
    """A token that has expired by this computer's clock, but not by the server's, is valid."""
    stored = replace(OLD, clock_skew=3600.0)
    token = signed(exp=NOW - 3000, aud="account")
    outside = ctx(keys(), INACTIVE, HttpReply(503, {}, b""))
    wanted = RequestedChecks(verify=True, introspect=True)
    profile = make_profile(issuer=ISSUER, endpoints=PROFILE.endpoints)
    results = run_checks(profile, outside, token, stored, wanted)
    assert (results.list_rejections(), results.errors) == ([], {})


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refused_keys_are_about_their_address(status: int) -> None:
    """The keys are public, so neither a secret nor the token endpoint is to blame."""
    outside = ctx(json_reply("{}", status))
    error = run_checks(PROFILE, outside, signed(), BEARER, RequestedChecks(verify=True)).errors[
        "verify"
    ]
    assert (error.cause, error.fix) == ("jwks_url may be wrong", "tokencli profiles show p")


@pytest.mark.parametrize("wanted", [INTROSPECT, RequestedChecks(userinfo=True)])
def test_missing_endpoint_is_found_by_the_issuer(wanted: RequestedChecks) -> None:
    """The metadata of the token's own issuer names the endpoints, if the profile may trust it."""
    profile = make_profile()
    results = run_checks(profile, ctx(), signed(), BEARER, wanted)
    (error,) = results.errors.values()
    assert error.fix == f"tokencli profiles edit p --set issuer={ISSUER}"

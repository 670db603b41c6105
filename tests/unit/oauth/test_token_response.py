"""Token responses, good and bad: what is read, what is refused, and what the messages say."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import json_reply, make_profile
from tokencli.errors import RefusedError, ReplyError, TokencliError
from tokencli.models import HttpReply, HttpRequest, Profile, Secret, SecretRef
from tokencli.oauth.token_response import TokenResponse, read_token_response
from tokencli.provider_schema import Reply

STARTED = 1_800_000_000.0
CANARY = "canary-secret-51c2"
REQUEST = HttpRequest("POST", "https://id.example.com/token", {}, secrets=(Secret(CANARY),))
OAUTH2 = make_profile()
GROUPID = make_profile("groupid", grant="password", client_auth="client_secret_post")
EAGLE = make_profile("screening-eagle")
SOCIALID = make_profile("socialid", grant="password")


def read(
    body: str, profile: Profile = OAUTH2, status: int = 200, kind: str = "application/json"
) -> TokenResponse:
    """Read a reply with that body."""
    return read_token_response(profile, REQUEST, json_reply(body, status, kind), STARTED)


def refusal(
    body: str, profile: Profile, status: int, kind: str = "application/json"
) -> RefusedError:
    """Read a reply that is a refusal."""
    with pytest.raises(RefusedError) as caught:
        read(body, profile, status, kind)
    assert caught.value.exit_code == 5
    return caught.value


def malformed(body: str, profile: Profile = OAUTH2, kind: str = "application/json") -> ReplyError:
    """Read a reply that is neither a token nor a refusal."""
    with pytest.raises(ReplyError) as caught:
        read(body, profile, 200, kind)
    assert caught.value.exit_code == 7
    assert caught.value.fix or "send tokens" in (caught.value.cause or "")
    return caught.value


def test_complete_reply() -> None:
    """RFC 6749 section 5.1: every member is read; the lifetime counts from the start of the
    request."""
    token = read(
        '{"access_token": "a", "token_type": "bearer", "expires_in": 1200, "refresh_token": "r",'
        ' "id_token": "i", "scope": "x y", "unknown": 1}'
    ).token
    assert (token.access_token, token.refresh_token, token.id_token) == (
        Secret("a"),
        Secret("r"),
        Secret("i"),
    )
    assert (token.token_type, token.scope) == ("bearer", "x y")
    assert (token.obtained_at, token.expires_at) == (STARTED, STARTED + 1200)


@pytest.mark.parametrize(
    ("raw", "life"),
    [
        ("3600", 3600),
        ("3600.5", 3600.5),
        ('"3600"', 3600),
        ('"3600.0"', 3600),
        ("0", 0),
        ("-5", 0),
        ("null", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e400", None),
        ("9" * 5000, None),
        ('"abc"', None),
        ("true", None),
        ("[]", None),
        ("{}", None),
        ("3600000000000", 3652 * 86400),
    ],
)
@pytest.mark.parametrize("refresh", ["r1"])
def test_bad_expires_in_keeps_the_refresh_token(raw: str, life: float | None, refresh: str) -> None:
    """Whatever expires_in is, the tokens are read."""
    token = read(
        f'{{"access_token": "a", "refresh_token": "{refresh}", "expires_in": {raw}}}'
    ).token
    assert token.refresh_token == Secret(refresh)
    assert token.access_token == Secret("a")
    assert token.lifetime == (None if life is None else pytest.approx(life))


@pytest.mark.parametrize("scope", ["5", "{}", "[1]", "null", "false"])
def test_bad_scope_keeps_the_refresh_token(scope: str) -> None:
    """A scope that is not text is ignored; a list of strings is joined."""
    read_ = read(f'{{"access_token": "a", "refresh_token": "r", "scope": {scope}}}')
    assert read_.token.refresh_token == Secret("r")
    assert read_.token.scope is None
    assert read('{"access_token": "a", "scope": ["x", "y"]}').token.scope == "x y"


def test_lifetime_of_the_jwt_is_the_limit() -> None:
    """The shorter of expires_in and exp - iat, counted from the start of the request."""
    jwt = "eyJhbGciOiJub25lIn0.eyJpYXQiOjEwMDAsImV4cCI6MTMwMH0."  # iat 1000, exp 1300
    assert read(f'{{"access_token": "{jwt}", "expires_in": 9999}}').token.lifetime == 300
    assert read(f'{{"access_token": "{jwt}"}}').token.lifetime == 300
    assert read(f'{{"access_token": "{jwt}", "expires_in": 60}}').token.lifetime == 60


def test_a_number_is_a_token() -> None:
    """It is written in digits, whatever its size; nothing else is turned into text."""
    big = 10**40 + 7
    token = read(f'{{"access_token": {big}, "expires_in": 60, "refresh_token": 7}}').token
    assert (token.access_token, token.refresh_token) == (Secret(str(big)), Secret("7"))
    for value in ("null", "true", "0", "-1", "1.5", "NaN", "9" * 401, "[1]", '""'):
        assert "nothing at 'access_token'" in malformed(f'{{"access_token": {value}}}').message


def test_a_token_is_not_composed_of_missing_values() -> None:
    """Without one of its parts the token is unusable, and the refresh token is kept."""
    reply = Reply(compose="{key}.{token}", outputs={"key": ("key",)})
    profile = replace(OAUTH2, provider=replace(OAUTH2.provider, reply=reply))
    assert read('{"access_token": "t", "key": 5}', profile).token.access_token == Secret("5.t")
    for missing in ("", ', "key": null', ', "key": true', ', "key": NaN'):
        found = read(f'{{"access_token": "t", "refresh_token": "r"{missing}}}', profile)
        assert found.unusable_reason == "it has no key, which is a part of the token"
        assert found.token.refresh_token == Secret("r")
        assert found.token.access_token == Secret("")


def test_unknown_token_type_is_unusable() -> None:
    """RFC 6749 section 7.1 forbids using it, but the refresh token is stored. Missing means
    Bearer."""
    assert read('{"access_token": "a"}').token.token_type == "Bearer"
    found = read(
        '{"access_token": "a", "token_type": "mac", "refresh_token": "r", "expires_in": 9}'
    )
    assert found.unusable_reason is not None
    assert "mac" in found.unusable_reason
    assert found.token.refresh_token == Secret("r")
    assert not found.token.is_fresh(STARTED)


@pytest.mark.requirement(24)
@pytest.mark.parametrize(
    ("kind", "called"),
    [("null", "null"), ("5", "a number"), ("0.5", "a number"), ("true", "a boolean"),
     ("{}", "an object"), ('""', "empty"), ('["Bearer"]', "a list")],
)  # fmt: skip
def test_token_type_must_be_text(kind: str, called: str) -> None:
    """RFC 6749 section 5.1; the refresh token is stored all the same."""
    body = f'{{"access_token": "a", "token_type": {kind}, "refresh_token": "r", "expires_in": 9}}'
    found = read(body)
    assert found.unusable_reason and f"its token type is {called}" in found.unusable_reason
    assert found.token.refresh_token == Secret("r")
    assert not found.token.is_fresh(STARTED)
    bound = read(body, replace(OAUTH2, dpop=True))
    assert bound.unusable_reason and called in bound.unusable_reason


def test_provider_may_define_its_own_token_type() -> None:
    """It has its own place for the type, or its own `use`, so the member is not checked."""
    elsewhere = replace(OAUTH2.provider, reply=replace(OAUTH2.provider.reply, token_type=("kind",)))
    used = replace(OAUTH2.provider, use=("X-Auth-Token: {token}",))
    for provider in (elsewhere, used):
        found = read(
            '{"access_token": "a", "token_type": null}', replace(OAUTH2, provider=provider)
        )
        assert (found.unusable_reason, found.token.token_type) == (None, "Bearer")


@pytest.mark.parametrize(
    "token", ["a b", "a\\u0000b", "a\\nb", "caf\\u00e9", "\\ud800", "x" * 65537]
)
def test_token_must_fit_into_a_header(token: str) -> None:
    """Printable ASCII, at most 64 KiB; the refresh token is stored all the same."""
    found = read(f'{{"access_token": "{token}", "refresh_token": "r", "expires_in": 99}}')
    assert found.unusable_reason is not None
    assert found.token.refresh_token == Secret("r")
    assert not found.token.is_fresh(STARTED)


def test_form_encoded_reply() -> None:
    """Without its content type, a token is read only if it has no character that a form would encode."""
    found = read("access_token=a%2Bb&expires_in=60", kind="application/x-www-form-urlencoded")
    assert found.token.access_token == Secret("a+b")
    assert found.token.lifetime == 60
    unlabelled = read("access_token=a&expires_in=60", kind="text/plain")
    assert (unlabelled.token.access_token, unlabelled.token.lifetime) == (Secret("a"), 60)
    assert unlabelled.remarks == ("it is a form with another content type",)
    malformed("access_token=a%2Bb&expires_in=60", kind="text/plain")


def test_error_with_status_200_is_a_refusal() -> None:
    """GitHub replies like this."""
    error = refusal('{"error": "invalid_grant", "access_token": "a"}', OAUTH2, 200)
    assert error.error == "invalid_grant"


BROKEN = [
    '{ "access_token": CANARY \n "refresh_token": CANARY \n "scope": "x", "expires_in": 1200 }',
    '{ "access_token": "CANARY, "expires_in": 604800, "refresh_token": "CANARY }',
]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("profile", [GROUPID, SOCIALID], ids=["groupid", "socialid"])
def test_broken_samples_of_the_documents_are_masked(body: str, profile: Profile) -> None:
    """Without quotes or with one missing, the message names the members and quotes no value."""
    error = malformed(body.replace("CANARY", CANARY), profile)
    assert "not valid JSON" in error.message
    assert "access_token" in error.message
    assert CANARY not in error.message
    assert "only its administrators" in (error.cause or "")
    assert error.fix is None


def test_ambiguous_token_is_no_wrong_url() -> None:
    """The server did send tokens, so neither the profile nor the provider can be corrected."""
    for body in ('{"access_token": "a", "access_token": "b"}', '{"access_token": "a\tb\u00fc"} x'):
        error = malformed(body, OAUTH2)
        assert "ambiguous" in error.message
        assert "only its administrators" in (error.cause or "")
        assert error.fix is None


def test_token_elsewhere_in_the_reply_of_a_user_defined_provider() -> None:
    """The place that its description names may be wrong as well as the URL; the fix shows both."""
    own = replace(OAUTH2, provider=replace(OAUTH2.provider, name="acme"))
    for profile, cause, fix in (
        (own, "access_token in [reply] of provider 'acme'", "tokencli providers show acme"),
        (OAUTH2, "may not be the token endpoint", f"tokencli profiles show {OAUTH2.name}"),
    ):
        error = malformed('{"data": {"token": "a"}}', profile)
        assert error.cause is not None and cause in error.cause
        assert ("[reply]" in error.cause) == (profile is own)
        assert error.fix == fix


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("<!DOCTYPE html><h1>Welcome</h1>", "text/html", "HTML"),
        ("", "application/json", "empty body"),
        ("   ", "application/json", "empty body"),
        ("[1]", "application/json", "not an object"),
        ('"token"', "application/json", "not an object"),
        (
            '{"token": "canary-secret-51c2", "ok": true}',
            "application/json",
            "its members: ok, token",
        ),
        ('{"data": {"jwt": "a", "exp": 1}}', "application/json", "its members: data"),
        ("{}", "application/json", "none at all"),
        ('{"access_token": ""}', "application/json", "access_token"),
        ('{"access_token": 5.5}', "application/json", "access_token"),
        ('{"access_token": "a", "access_token": "b"}', "application/json", "twice"),
        ("[" * 100_000, "application/json", "not valid JSON"),
    ],
)
def test_malformed_replies_are_described(body: str, kind: str, said: str) -> None:
    """Each kind has its own description, and no secret is shown."""
    error = malformed(body, kind=kind)
    assert said in error.message
    assert CANARY not in error.message


def test_members_of_the_innermost_object_are_listed() -> None:
    """They show what the last name should have been."""
    reply = Reply(access_token=("data.user.token",))
    own = replace(OAUTH2, provider=replace(OAUTH2.provider, name="acme", reply=reply))
    body = '{"data": {"user": {"jwt": "canary", "expires": 1}}}'
    assert "(the members of data.user: expires, jwt)" in malformed(body, own).message
    assert "(the members of data: jwt)" in malformed('{"data": {"jwt": "a"}}', own).message
    assert "(its members: jwt)" in malformed('{"jwt": "a"}', own).message


def test_invalid_utf8_is_described() -> None:
    """Nothing is replaced by U+FFFD."""
    with pytest.raises(ReplyError, match="not UTF-8"):
        read_token_response(
            OAUTH2, REQUEST, HttpReply(200, {}, b'{"access_token": "\xff"}'), STARTED
        )


def test_byte_order_mark_is_accepted() -> None:
    """Some servers send one."""
    assert read('\ufeff{"access_token": "a"}').token.access_token == Secret("a")


@pytest.mark.parametrize("status", [400, 401, 404, 405, 500, 501, 503])
@pytest.mark.parametrize(
    "profile", [OAUTH2, GROUPID, EAGLE, SOCIALID], ids=["oauth2", "groupid", "eagle", "socialid"]
)
@pytest.mark.parametrize(
    "body",
    ["", "<html>", '{"type": "about:blank", "title": "no"}'],
    ids=["empty", "html", "problem"],
)
def test_documented_statuses_are_explained(status: int, profile: Profile, body: str) -> None:
    """Whatever the body, the message has the status, and the cause is the provider's own meaning,
    if it has one."""
    error = refusal(body, profile, status)
    assert f"HTTP {status}" in error.message
    meaning = profile.provider.errors.status.get(str(status))
    assert error.cause and (meaning is None or meaning.what == error.cause)
    assert "{" not in f"{error.cause}{error.fix}"


def test_description_of_screening_eagle() -> None:
    """`errorDescription`, and an `error` that is not a code of RFC 6749: the status explains it."""
    error = refusal('{"error": "Forbidden", "errorDescription": "permission denied"}', EAGLE, 401)
    assert (error.error, error.description) == ("Forbidden", "permission denied")
    assert "permission denied" in error.message
    assert "client secret is wrong" in (error.cause or "")


def test_error_code_takes_precedence_over_the_status() -> None:
    """GroupID's 400s usually have an OAuth code."""
    error = refusal('{"error": "unsupported_grant_type"}', GROUPID, 400)
    assert error.cause and "parameter is wrong" not in error.cause


def test_secrets_in_a_description_are_masked() -> None:
    """A server may echo request parameters."""
    body = f'{{"error": "x", "error_description": "bad parameters (password={CANARY}, token 6814cd360205e1245d2834ffab3c3c91)"}}'
    error = refusal(body, OAUTH2, 400)
    assert CANARY not in error.message
    assert "6814cd360205e1245d2834ffab3c3c91" not in error.message


def test_reserved_characters_suggest_the_other_encoding() -> None:
    """A 401 for a secret with such characters can mean the other basic_encoding."""
    pair = b64encode(b"batch:pa%25ss%2Bword").decode()
    request = replace(REQUEST, headers={"Authorization": f"Basic {pair}"})
    with pytest.raises(RefusedError) as caught:
        read_token_response(OAUTH2, request, json_reply("{}", 401), STARTED)
    assert 'basic_encoding = "raw"' in (caught.value.cause or "")
    assert "basic_encoding" not in (refusal("{}", OAUTH2, 401).cause or "")


@given(body=st.binary(max_size=300), status=st.sampled_from([200, 201, 400, 401, 500]))
def test_arbitrary_bytes_raise_only_tokencli_errors(body: bytes, status: int) -> None:
    """They end in a token or in a TokencliError."""
    try:
        read_token_response(
            OAUTH2, REQUEST, HttpReply(status, {"content-type": "application/json"}, body), STARTED
        )
    except TokencliError as error:
        assert error.fix or error.cause
    else:
        assert b"access_token" in body


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {"refresh_token": st.just("r1")},
        optional=dict.fromkeys(
            ("access_token", "expires_in", "scope", "token_type", "id_token"), json_values
        ),
    )
)
def test_arbitrary_members_keep_the_refresh_token(members: dict[str, object]) -> None:
    """No other member can cost the refresh token."""
    import json

    found = read(json.dumps(members))
    assert found.token.refresh_token == Secret("r1")


def test_overlong_token_keeps_the_refresh_token() -> None:
    """An access token over 64 KiB is dropped; its refresh token is stored."""
    found = read(f'{{"access_token": "{"x" * 70_000}", "refresh_token": "r", "expires_in": 9}}')
    assert (found.token.access_token, found.token.refresh_token) == (Secret(""), Secret("r"))
    found = read(f'{{"access_token": "a", "refresh_token": "{"x" * 70_000}"}}')
    assert (found.token.access_token, found.token.refresh_token) == (Secret("a"), None)
    assert any("refresh token" in remark for remark in found.remarks)


def test_secret_at_the_end_of_a_quote_is_masked() -> None:
    """The whole body is redacted before it is cut."""
    for before in range(1500, 1620):
        error = malformed("x " * (before // 2) + CANARY)
        assert "canary-se" not in error.message


def test_member_names_that_may_be_secrets_are_masked() -> None:
    """Only what looks like a name is shown."""
    error = malformed('{"p4ss w0rd!": 1, "ok": 2}')
    assert "p4ss" not in error.message
    assert "ok" in error.message


def test_refusal_names_the_sources_of_secrets() -> None:
    """`login --again` can't prompt for secrets in variables and files."""
    refs = {"client_secret": SecretRef("env", "client_secret", "p", ("MY_SECRET",))}
    error = refusal('{"error": "invalid_client"}', replace(OAUTH2, secrets=refs), 401)
    assert "the profile reads the client_secret from the environment variable MY_SECRET" in (
        error.cause or ""
    )
    assert error.fix is None


def test_refused_scope_option_is_named() -> None:
    """If --scope set the refused scopes, the profile is not what to edit."""
    body = '{"error": "invalid_scope"}'
    assert "profiles edit" in str(refusal(body, OAUTH2, 400).fix)
    typed = replace(OAUTH2, scope="a b", value_sources={"scope": "--scope"})
    wrong = refusal(body, typed, 400)
    assert wrong.fix == "tokencli get p"
    assert wrong.cause and wrong.cause.startswith("most likely the scope given with --scope")
    assert typed.command_line_name == "p --scope 'a b'" and OAUTH2.command_line_name == "p"


def test_shown_texts_contain_no_secret() -> None:
    """Scope, type and error texts are masked, but not a scope that the profile itself has."""
    body = '{"access_token": "canary-at", "scope": "a canary-at %s", "token_type": "canary-at"}'
    found = read(body % CANARY, replace(OAUTH2, scope="a"))
    assert found.token.scope == "a *** ***"
    assert "canary" not in f"{found.token.token_type}{found.unusable_reason}"
    kept = read(body % CANARY, replace(OAUTH2, scope=CANARY))
    assert kept.token.scope == f"a *** {CANARY}"
    no = refusal('{"error": "invalid_grant canary-at", "error_description": "no canary-at",'
                 ' "access_token": "canary-at"}', OAUTH2, 400)  # fmt: skip
    assert "canary" not in f"{no.message}{no.error}{no.description}"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("code", ["invalid_request", "invalid_client", "invalid_grant"])
def test_overload_outranks_a_generic_code(status: int, code: str) -> None:
    """The server did not look at the credentials, so they are not the cause; a specific code wins."""
    error = refusal(json.dumps({"error": code}), OAUTH2, status)
    assert error.cause and "try again in a minute" in error.cause
    assert (error.error, error.fix) == (code, None)
    specific = refusal('{"error": "temporarily_unavailable"}', OAUTH2, status)
    assert "maintenance" in (specific.cause or "")


def test_refusal_says_each_thing_once() -> None:
    """The message has the server's own words, and the cause their meaning."""
    body = '{"error": "invalid_client", "error_description": "no such client"}'
    error = refusal(body, OAUTH2, 401)
    assert error.message.endswith("refused the request (HTTP 401, invalid_client: no such client)")
    assert error.cause and "no such client" not in error.cause

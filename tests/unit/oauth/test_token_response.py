"""Token replies, good and bad: what is read, what is refused, and what is said of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import json_reply, make_profile
from tokencli.errors import RefusedError, ReplyError, TokencliError
from tokencli.models import HttpReply, HttpRequest, Profile, Secret, SecretRef
from tokencli.oauth.token_response import TokenResponse, read_token_response

STARTED = 1_800_000_000.0
CANARY = "canary-secret-51c2"
REQUEST = HttpRequest("POST", "https://id.example.com/token", {}, secrets=(Secret(CANARY),))
OAUTH2 = make_profile()
GROUPID = make_profile("groupid", grant="password", client_auth="client_secret_post")
EAGLE = make_profile("screening-eagle")
SOCIALID = make_profile("socialid", grant="password")


def take(
    body: str, profile: Profile = OAUTH2, status: int = 200, kind: str = "application/json"
) -> TokenResponse:
    """Read a reply with that body."""
    return read_token_response(profile, REQUEST, json_reply(body, status, kind), STARTED)


def refusal(
    body: str, profile: Profile, status: int, kind: str = "application/json"
) -> RefusedError:
    """Read a reply that says no."""
    with pytest.raises(RefusedError) as caught:
        take(body, profile, status, kind)
    assert caught.value.exit_code == 5
    return caught.value


def nonsense(body: str, profile: Profile = OAUTH2, kind: str = "application/json") -> ReplyError:
    """Read a reply that says neither yes nor no."""
    with pytest.raises(ReplyError) as caught:
        take(body, profile, 200, kind)
    assert caught.value.exit_code == 7
    assert caught.value.fix
    return caught.value


def test_a_complete_reply_becomes_a_token_set() -> None:
    """RFC 6749 section 5.1: every member lands in its place; life counts from the request's start."""
    token = take(
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
        ("3600000000000", 10 * 365.25 * 86400),
    ],
)
@pytest.mark.parametrize("refresh", ["r1"])
def test_no_expires_in_costs_the_refresh_token(raw: str, life: float | None, refresh: str) -> None:
    """Requirement 4: whatever stands in expires_in, the token material is read."""
    token = take(
        f'{{"access_token": "a", "refresh_token": "{refresh}", "expires_in": {raw}}}'
    ).token
    assert token.refresh_token == Secret(refresh)
    assert token.access_token == Secret("a")
    assert token.lifetime == (None if life is None else pytest.approx(life))


@pytest.mark.parametrize("scope", ["5", "{}", "[1]", "null", "false"])
def test_no_scope_costs_the_refresh_token(scope: str) -> None:
    """A scope that is not text is left out; a list of text is joined."""
    read_ = take(f'{{"access_token": "a", "refresh_token": "r", "scope": {scope}}}')
    assert read_.token.refresh_token == Secret("r")
    assert read_.token.scope is None
    assert take('{"access_token": "a", "scope": ["x", "y"]}').token.scope == "x y"


def test_a_jwts_own_life_bounds_the_replys() -> None:
    """Requirement 27: the shorter of expires_in and exp - iat, counted from the request's start."""
    jwt = "eyJhbGciOiJub25lIn0.eyJpYXQiOjEwMDAsImV4cCI6MTMwMH0."  # iat 1000, exp 1300
    assert take(f'{{"access_token": "{jwt}", "expires_in": 9999}}').token.lifetime == 300
    assert take(f'{{"access_token": "{jwt}"}}').token.lifetime == 300
    assert take(f'{{"access_token": "{jwt}", "expires_in": 60}}').token.lifetime == 60


def test_a_missing_token_type_is_bearer_and_an_unknown_one_can_be_kept_but_not_used() -> None:
    """RFC 6749 section 7.1 forbids using an unknown type; its refresh token is still worth keeping."""
    assert take('{"access_token": "a"}').token.token_type == "Bearer"
    found = take(
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
def test_a_token_type_that_is_no_text_is_unknown(kind: str, called: str) -> None:
    """RFC 6749 section 5.1 wants text; the refresh token beside it is kept all the same."""
    body = f'{{"access_token": "a", "token_type": {kind}, "refresh_token": "r", "expires_in": 9}}'
    found = take(body)
    assert found.unusable_reason and f"its token type is {called}" in found.unusable_reason
    assert found.token.refresh_token == Secret("r")
    assert not found.token.is_fresh(STARTED)
    bound = take(body, replace(OAUTH2, dpop=True))
    assert bound.unusable_reason and called in bound.unusable_reason


def test_a_provider_that_has_its_own_token_types_is_not_held_to_text() -> None:
    """It says where the type is, or how the token is used: nothing rests on the member then."""
    elsewhere = replace(OAUTH2.provider, reply=replace(OAUTH2.provider.reply, token_type=("kind",)))
    used = replace(OAUTH2.provider, use=("X-Auth-Token: {token}",))
    for provider in (elsewhere, used):
        found = take(
            '{"access_token": "a", "token_type": null}', replace(OAUTH2, provider=provider)
        )
        assert (found.unusable_reason, found.token.token_type) == (None, "Bearer")


@pytest.mark.parametrize(
    "token", ["a b", "a\\u0000b", "a\\nb", "caf\\u00e9", "\\ud800", "x" * 65537]
)
def test_a_token_that_no_header_can_carry_is_not_used(token: str) -> None:
    """Requirement 24: printable ASCII, at most 64 KiB; the refresh token is kept all the same."""
    found = take(f'{{"access_token": "{token}", "refresh_token": "r", "expires_in": 99}}')
    assert found.unusable_reason is not None
    assert found.token.refresh_token == Secret("r")
    assert not found.token.is_fresh(STARTED)


def test_form_encoded_replies_are_read_where_their_type_says_so() -> None:
    """Requirement 24: only with the content type; otherwise such text is nonsense."""
    found = take("access_token=a%2Bb&expires_in=60", kind="application/x-www-form-urlencoded")
    assert found.token.access_token == Secret("a+b")
    assert found.token.lifetime == 60
    nonsense("access_token=a&expires_in=60", kind="text/plain")


def test_an_error_member_wins_even_at_200() -> None:
    """GitHub answers 200 with `error`; that is a refusal."""
    error = refusal('{"error": "invalid_grant", "access_token": "a"}', OAUTH2, 200)
    assert error.error == "invalid_grant"


BROKEN = [
    '{ "access_token": CANARY \n "refresh_token": CANARY \n "scope": "x", "expires_in": 1200 }',
    '{ "access_token": "CANARY", "expires_in": 604800, "refresh_token": "CANARY", }',
]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("profile", [GROUPID, SOCIALID], ids=["groupid", "socialid"])
def test_the_documents_broken_samples_are_shown_without_what_they_hold(
    body: str, profile: Profile
) -> None:
    """A missing or trailing comma ends in a message that shows the reply with its values masked."""
    error = nonsense(body.replace("CANARY", CANARY), profile)
    assert "not valid JSON" in error.message
    assert "access_token" in error.message
    assert CANARY not in error.message + (error.fix or "")


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
        ("{}", "application/json", "none at all"),
        ('{"access_token": ""}', "application/json", "access_token"),
        ('{"access_token": 5}', "application/json", "access_token"),
        ('{"access_token": "a", "access_token": "b"}', "application/json", "twice"),
        ("[" * 100_000, "application/json", "not valid JSON"),
    ],
)
def test_what_is_not_a_token_reply_is_named(body: str, kind: str, said: str) -> None:
    """Requirement 24: each kind of nonsense has its own words, and shows no secret."""
    error = nonsense(body, kind=kind)
    assert said in error.message
    assert CANARY not in error.message


def test_bytes_that_are_not_utf8_are_named() -> None:
    """Requirement 24: nothing becomes U+FFFD silently."""
    with pytest.raises(ReplyError, match="not UTF-8"):
        read_token_response(
            OAUTH2, REQUEST, HttpReply(200, {}, b'{"access_token": "\xff"}'), STARTED
        )


def test_a_byte_order_mark_is_borne() -> None:
    """Some servers send one."""
    assert take('\ufeff{"access_token": "a"}').token.access_token == Secret("a")


@pytest.mark.parametrize("status", [400, 401, 404, 405, 500, 501, 503])
@pytest.mark.parametrize(
    "profile", [OAUTH2, GROUPID, EAGLE, SOCIALID], ids=["oauth2", "groupid", "eagle", "socialid"]
)
@pytest.mark.parametrize(
    "body",
    ["", "<html>", '{"type": "about:blank", "title": "no"}'],
    ids=["empty", "html", "problem"],
)
def test_each_documented_status_says_what_it_was_and_what_to_do(
    status: int, profile: Profile, body: str
) -> None:
    """Whatever the body: the status is named, its meaning is the provider's, and a step follows."""
    error = refusal(body, profile, status)
    assert f"HTTP {status}" in error.message
    assert profile.provider.errors.status[str(status)].what in error.message
    assert error.fix
    assert "{profile}" not in error.fix


def test_screening_eagles_camel_case_description_is_found() -> None:
    """`errorDescription`, and an `error` that is no RFC code: the status tells what it means."""
    error = refusal('{"error": "Forbidden", "errorDescription": "permission denied"}', EAGLE, 401)
    assert (error.error, error.description) == ("Forbidden", "permission denied")
    assert "permission denied" in error.message
    assert "client secret is missing or wrong" in error.message


def test_a_standard_code_explains_more_than_the_status() -> None:
    """GroupID's 400s usually carry an OAuth code; it is used when it is there."""
    error = refusal('{"error": "invalid_grant"}', GROUPID, 400)
    assert "identity store" in error.message
    assert error.fix == "tokencli login p --again"


def test_a_description_that_quotes_secrets_is_masked() -> None:
    """A server that puts request parameters into its description must not make us print them."""
    body = f'{{"error": "x", "error_description": "bad parameters (password={CANARY}, token 6814cd360205e1245d2834ffab3c3c91)"}}'
    error = refusal(body, OAUTH2, 400)
    assert CANARY not in error.message
    assert "6814cd360205e1245d2834ffab3c3c91" not in error.message


def test_a_secret_with_reserved_characters_brings_the_encoding_hint() -> None:
    """Requirement 25: a 401 for a secret that needs encoding may mean the other encoding."""
    request = replace(REQUEST, secrets=(Secret("pa%ss+word"),))
    with pytest.raises(RefusedError) as caught:
        read_token_response(OAUTH2, request, json_reply("{}", 401), STARTED)
    assert 'basic_encoding = "raw"' in (caught.value.cause or "")
    assert "basic_encoding" not in (refusal("{}", OAUTH2, 401).cause or "")


@given(body=st.binary(max_size=300), status=st.sampled_from([200, 201, 400, 401, 500]))
def test_only_our_own_errors_escape_from_any_bytes(body: bytes, status: int) -> None:
    """Requirement 24: arbitrary bytes end in a token or in one of our errors."""
    try:
        read_token_response(
            OAUTH2, REQUEST, HttpReply(status, {"content-type": "application/json"}, body), STARTED
        )
    except TokencliError as error:
        assert error.fix
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
def test_whatever_stands_beside_it_a_refresh_token_is_read(members: dict[str, object]) -> None:
    """Requirement 4: no neighbour can make the refresh token be lost."""
    import json

    found = take(json.dumps(members))
    assert found.token.refresh_token == Secret("r1")


def test_tokens_too_long_to_be_stored_cost_no_refresh_token() -> None:
    """An access token over 64 KiB is left out of what is kept; its refresh token is kept."""
    found = take(f'{{"access_token": "{"x" * 70_000}", "refresh_token": "r", "expires_in": 9}}')
    assert (found.token.access_token, found.token.refresh_token) == (Secret(""), Secret("r"))
    found = take(f'{{"access_token": "a", "refresh_token": "{"x" * 70_000}"}}')
    assert (found.token.access_token, found.token.refresh_token) == (Secret("a"), None)
    assert any("refresh token" in remark for remark in found.remarks)


def test_a_secret_at_the_edge_of_the_quotation_is_not_cut_in_half() -> None:
    """All of the body is redacted before any of it is cut."""
    for before in range(1500, 1620):
        error = nonsense("x " * (before // 2) + CANARY)
        assert "canary-se" not in error.message


def test_a_secret_sent_as_a_members_name_is_not_shown() -> None:
    """Names of members are shown only where they look like names."""
    error = nonsense('{"p4ss w0rd!": 1, "ok": 2}')
    assert "p4ss" not in error.message
    assert "ok" in error.message


def test_a_refusal_names_the_places_of_secrets_that_cant_be_typed_anew() -> None:
    """`login --again` asks for nothing where secrets come from variables and files."""
    refs = {"client_secret": SecretRef("env", "client_secret", "p", ("MY_SECRET",))}
    error = refusal('{"error": "invalid_client"}', replace(OAUTH2, secrets=refs), 401)
    assert "MY_SECRET" in (error.fix or "")
    assert "login" not in (error.fix or "")


def test_scopes_of_the_command_line_are_corrected_there() -> None:
    """Where the profile does not name the refused scopes, the profile is not what to edit."""
    body = '{"error": "invalid_scope"}'
    assert "profiles edit" in str(refusal(body, OAUTH2, 400).fix)
    typed = replace(OAUTH2, scope="a b", value_sources={"scope": "--scope"})
    wrong = refusal(body, typed, 400)
    assert "--scope" in str(wrong.fix) and "profiles edit" not in str(wrong.fix)
    assert wrong.cause == "most likely the scopes given with --scope"
    assert typed.command_line_name == "p --scope 'a b'" and OAUTH2.command_line_name == "p"


def test_what_is_shown_of_a_reply_holds_neither_its_tokens_nor_the_requests_secrets() -> None:
    """Scope, type and error texts; but a word that the profile's scope has stays."""
    body = '{"access_token": "canary-at", "scope": "a canary-at %s", "token_type": "canary-at"}'
    found = take(body % CANARY, replace(OAUTH2, scope="a"))
    assert found.token.scope == "a *** ***"
    assert "canary" not in f"{found.token.token_type}{found.unusable_reason}"
    kept = take(body % CANARY, replace(OAUTH2, scope=CANARY))
    assert kept.token.scope == f"a *** {CANARY}"
    no = refusal('{"error": "invalid_grant canary-at", "error_description": "no canary-at",'
                 ' "access_token": "canary-at"}', OAUTH2, 400)  # fmt: skip
    assert "canary" not in f"{no.message}{no.error}{no.description}"

"""What `inspect` finds out about a token, and about the one that is stored."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeContext, make_profile
from tests.unit.jwt.samples import ACCESS, EXPIRED_AT, IDENTITY, REFRESH, token
from tokencli.core.inspect import extract_pasted_token, inspect_token
from tokencli.core.stored_token import require_stored_token
from tokencli.errors import CredentialsError, InvalidTokenError
from tokencli.models import Secret, StoredTokenSet, TokenSet
from tokencli.token_store.credential_key import derive_binding

NOW = 1_800_000_000.0
PROFILE = make_profile()


def stored(
    value: str = "opaque", *, began: float = NOW - 300, life: float | None = 1200
) -> TokenSet:
    """Return a token set as `get` stores it."""
    ends = None if life is None else began + life
    return TokenSet(Secret(value), "Bearer", began, ends, scope="read write")


def test_the_documented_access_token() -> None:
    """Screening Eagle's sample lived for a week, and its scopes stand in two claims."""
    found = inspect_token(ACCESS, now=NOW)
    assert (found.kind, found.state) == ("jwt", "expired")
    assert (found.lifetime, found.used_fraction) == (604_800, 1.0)
    assert found.scopes == ("openid", "email", "profile", "inspect", "user")
    assert found.audience == ("integration-dev-VNZQqDt4Hv",)
    assert (found.issuer, found.subject) == ("Screening Eagle ID", "1302")
    assert (
        found.describe_state(EXPIRED_AT + 63_115_200)
        == "expired 2 years ago, at 2024-05-23 12:10:18 UTC"
    )


def test_the_documented_id_and_refresh_token() -> None:
    """The other two samples of the same page are read like the first."""
    assert inspect_token(IDENTITY, now=EXPIRED_AT - 302_400).used_fraction == 0.5
    found = inspect_token(REFRESH, now=NOW)
    assert (found.scopes[-1], found.lifetime) == ("offline", 15_552_000)


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("claims", "state", "verdict"),
    [
        ({"iat": NOW - 60, "exp": NOW + 540}, "valid", "expires in 9 minutes, at 2027-"),
        ({"iat": NOW - 60, "exp": NOW}, "expired", "expired now, at 2027-"),
        ({"exp": NOW - 1}, "expired", "expired 1 second ago"),
        ({"nbf": NOW + 120, "exp": NOW + 600}, "not_yet_valid", "becomes valid in 2 minutes"),
        ({"nbf": NOW + 30, "exp": NOW + 600}, "valid", "expires in 10 minutes"),
        ({"nbf": NOW + 120}, "not_yet_valid", "becomes valid in 2 minutes"),
        ({"nbf": NOW + 120, "exp": NOW - 5}, "expired", "expired 5 seconds ago"),
        ({}, "unknown", "expiry unknown"),
        ({"exp": "soon"}, "unknown", "expiry unknown"),
        ({"exp": NOW * 1000}, "valid", "expires in"),
    ],
)
def test_the_state_follows_from_numbers_alone(
    claims: dict[str, object], state: str, verdict: str
) -> None:
    """Text is no time; a small difference of clocks does not make a token of tomorrow."""
    found = inspect_token(token(claims), now=NOW)
    assert found.state == state
    assert found.describe_state(NOW).startswith(verdict)


def test_an_opaque_token_is_explained_by_what_was_stored_with_it() -> None:
    """Its times and scope are those of the server's reply."""
    found = inspect_token("opaque", now=NOW, stored=stored())
    assert (found.kind, found.state, found.used_fraction, found.lifetime) == (
        "opaque",
        "valid",
        0.25,
        1200,
    )
    assert found.scopes == ("read", "write")


def test_a_stored_jwt_speaks_for_itself_and_a_contradiction_is_named() -> None:
    """Its own exp counts; that the reply promised another end is remarked on."""
    value = token({"iat": NOW - 300, "exp": NOW - 1, "scope": "own"})
    found = inspect_token(value, now=NOW, stored=stored(value))
    assert (found.state, found.scopes) == ("expired", ("own",))
    assert "its exp differs by 15 minutes from the server's reply" in found.remarks


@pytest.mark.requirement(28)
def test_a_life_that_no_number_holds_is_unknown() -> None:
    """Two good numbers may be infinitely far apart; that is no life to show a share of."""
    found = inspect_token(token({"exp": 1e308, "iat": -1e308}), now=NOW)
    assert (found.state, found.lifetime, found.used_fraction) == ("valid", None, None)
    assert any("lifetime is millions of years" in remark for remark in found.remarks)


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_nothing_is_no_token(text: str) -> None:
    """Empty input is refused with the code for what is not a token."""
    with pytest.raises(InvalidTokenError):
        inspect_token(text, now=NOW)


@pytest.mark.requirement(28)
def test_more_than_64_kib_is_no_token() -> None:
    """Such a text is refused, not decoded."""
    with pytest.raises(InvalidTokenError) as caught:
        inspect_token("a" * 65_537, now=NOW)
    assert "64 KiB" in caught.value.message


@pytest.mark.parametrize(
    "pasted",
    [
        "abc.def.ghi",
        " abc.def.ghi\r\n",
        '"abc.def.ghi"',
        "'Bearer abc.def.ghi'",
        "bearer abc.def.ghi",
        "Authorization: Bearer abc.def.ghi",
        "authorization:BEARER  abc.def.ghi",
        "Authorization: DPoP 'abc.def.ghi'",
        "abc.de\n  f.ghi",
    ],
)
def test_a_token_is_found_in_what_people_paste(pasted: str) -> None:
    """Header name, scheme, quotes and line breaks are not part of it."""
    assert extract_pasted_token(pasted) == "abc.def.ghi"


@pytest.mark.parametrize(
    "pasted", ["hello world", "a\x1bb", "caf\u00e9", "a\tb", "\ufffd\ufffd", "a\x00"]
)
def test_what_no_header_could_carry_is_no_token(pasted: str) -> None:
    """Spaces inside, control characters and letters outside ASCII are told apart from an opaque token."""
    with pytest.raises(InvalidTokenError, match="not a token"):
        inspect_token(extract_pasted_token(pasted), now=NOW)
    assert inspect_token(extract_pasted_token("opaque-1~x"), now=NOW).kind == "opaque"


@given(st.text(), st.floats(), st.none() | st.builds(stored, st.text(), began=st.floats()))
def test_inspect_is_total(text: str, now: float, kept: TokenSet | None) -> None:
    """Any text at any time is explained, or is TokenInvalid."""
    try:
        found = inspect_token(extract_pasted_token(text), now=now, stored=kept)
    except InvalidTokenError:
        return
    assert found.used_fraction is None or 0 <= found.used_fraction <= 1
    assert found.describe_state(now)


def test_a_profile_without_a_token_says_how_to_get_one() -> None:
    """Nothing is fetched to be inspected."""
    ctx = FakeContext()
    with pytest.raises(CredentialsError) as caught:
        require_stored_token(PROFILE, ctx)
    assert caught.value.fix == "tokencli get p"
    assert ctx.transport.requests == []


@pytest.mark.requirement(16)
def test_a_token_of_another_binding_is_none_of_the_profiles() -> None:
    """What lies under the key but came from elsewhere is not shown as this profile's."""
    ctx = FakeContext()
    bound = derive_binding(PROFILE)
    ctx.fake_store.stored_tokens[bound.key] = StoredTokenSet(
        replace(bound, origin="https://else"), stored()
    )
    with pytest.raises(CredentialsError):
        require_stored_token(PROFILE, ctx)
    ctx.fake_store.stored_tokens[bound.key] = StoredTokenSet(bound, stored("mine"))
    assert require_stored_token(PROFILE, ctx).access_token.reveal() == "mine"


@pytest.mark.requirement(27)
@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iat": NOW + 7200, "nbf": NOW + 7200}, "clock is at least 2 hours behind the issuer's"),
        (
            {"nbf": NOW + 7200},
            "unless the token is meant for later, this computer's clock is at least 2 hours",
        ),
        ({"iat": NOW - 60, "nbf": NOW + 7200}, "wait until 2027-"),
    ],
    ids=["written in the future", "no iat", "meant for later"],
)
def test_a_token_of_tomorrow_says_how_the_clocks_differ(
    claims: dict[str, object], said: str
) -> None:
    """Another token would begin as late: what helps is a right clock, or to wait."""
    found = inspect_token(token({**claims, "exp": NOW + 9000}), now=NOW)
    assert found.state == "not_yet_valid"
    cause, fix = found.explain_not_yet_valid(NOW)
    assert said in f"{cause}; {fix}"
    expired = inspect_token(token({"exp": NOW - 1}), now=NOW)
    assert expired.explain_not_yet_valid(NOW) == (None, None)

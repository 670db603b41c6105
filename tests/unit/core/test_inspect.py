"""Inspecting a given token, and the stored one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeContext, make_profile
from tests.unit.jwt.samples import ACCESS, EXPIRED_AT, IDENTITY, REFRESH, token
from tokencli.core.inspect import inspect_token
from tokencli.core.pasted_token import find_pasted_token
from tokencli.core.stored_token import require_stored_token
from tokencli.errors import CredentialsError, InvalidTokenError
from tokencli.models import NEVER_S, Secret, StoredTokenSet, TokenSet
from tokencli.token_store.credential_key import derive_binding

NOW = 1_800_000_000.0
PROFILE = make_profile()


def stored(
    value: str = "opaque", *, began: float = NOW - 300, life: float | None = 1200
) -> TokenSet:
    """Return a token set as `get` stores it."""
    ends = None if life is None else began + life
    return TokenSet(Secret(value), "Bearer", began, ends, scope="read write")


def test_documented_access_token() -> None:
    """Screening Eagle's sample is valid for a week, and its scopes are in two claims."""
    inspection = inspect_token(ACCESS, now=NOW)
    assert (inspection.kind, inspection.state) == ("jwt", "expired")
    assert (inspection.lifetime, inspection.used_fraction) == (604_800, 1.0)
    assert inspection.scopes == ("openid", "email", "profile", "inspect", "user")
    assert inspection.audience == ("integration-dev-VNZQqDt4Hv",)
    assert (inspection.issuer, inspection.subject) == ("Screening Eagle ID", "1302")
    assert (
        inspection.describe_state(EXPIRED_AT + 63_115_200)
        == "expired 2 years ago, at 2024-05-23 12:10:18 UTC"
    )


def test_documented_id_and_refresh_token() -> None:
    """The other two samples of the same page are decoded like the first."""
    assert inspect_token(IDENTITY, now=EXPIRED_AT - 302_400).used_fraction == 0.5
    inspection = inspect_token(REFRESH, now=NOW)
    assert (inspection.scopes[-1], inspection.lifetime) == ("offline", 15_552_000)


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
def test_state_from_times(claims: dict[str, object], state: str, verdict: str) -> None:
    """Text isn't a time, and a small clock skew doesn't make a token not yet valid."""
    inspection = inspect_token(token(claims), now=NOW)
    assert inspection.state == state
    assert inspection.describe_state(NOW).startswith(verdict)


def test_opaque_token_uses_stored_times() -> None:
    """Its times and scope are those of the server's reply."""
    inspection = inspect_token("opaque", now=NOW, stored=stored())
    assert (inspection.kind, inspection.state, inspection.used_fraction, inspection.lifetime) == (
        "opaque",
        "valid",
        0.25,
        1200,
    )
    assert inspection.scopes == ("read", "write")


def test_jwt_exp_wins_over_reply() -> None:
    """The token's own exp counts, and a remark names a different expiry in the reply."""
    value = token({"iat": NOW - 300, "exp": NOW - 1, "scope": "own"})
    inspection = inspect_token(value, now=NOW, stored=stored(value))
    assert (inspection.state, inspection.scopes) == ("expired", ("own",))
    assert "its exp differs by 15 minutes from the server's reply" in inspection.remarks
    cause, _ = inspection.explain_clock(NOW)
    assert cause is not None and cause.startswith(
        "by the server's reply it is valid for 15 minutes"
    )


@pytest.mark.requirement(27)
@pytest.mark.parametrize(
    ("value", "expires_in"), [(token({"iat": NOW - 3900, "exp": NOW - 2700}), 900), ("opaque", 900)]
)
def test_wrong_clock_is_allowed_for(value: str, expires_in: int) -> None:
    """This computer's clock is an hour ahead, so the server's counts, and a remark says so."""
    token_set = replace(stored(value), clock_skew=3600.0)
    inspection = inspect_token(value, now=NOW, stored=token_set)
    assert inspection.state == "valid"
    assert inspection.expires_at == NOW - 3600 + expires_in
    assert "times are by the server's clock; this computer's is 1 hour ahead" in inspection.remarks


def test_token_that_does_not_expire() -> None:
    """Neither unknown nor valid for ten years."""
    inspection = inspect_token("opaque", now=NOW, stored=stored(life=NEVER_S))
    assert (inspection.state, inspection.expires_at) == ("valid", None)
    assert inspection.describe_state(NOW) == "does not expire"


@pytest.mark.requirement(28)
def test_infinite_lifetime_is_unknown() -> None:
    """Two finite times may be infinitely far apart; then no share is shown."""
    inspection = inspect_token(token({"exp": 1e308, "iat": -1e308}), now=NOW)
    assert (inspection.state, inspection.lifetime, inspection.used_fraction) == (
        "valid",
        None,
        None,
    )
    assert "exp is too large for a number of seconds" in inspection.remarks


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_empty_token(text: str) -> None:
    """Empty input is refused with the exit code for invalid tokens."""
    with pytest.raises(InvalidTokenError):
        inspect_token(text, now=NOW)


@pytest.mark.requirement(28)
def test_too_long_token() -> None:
    """Such a text is refused, not decoded."""
    with pytest.raises(InvalidTokenError) as caught:
        inspect_token("a" * 65_537, now=NOW)
    assert "64 KiB" in caught.value.message


@pytest.mark.parametrize(
    "pasted", ["hello world", "a\x1bb", "caf\u00e9", "a\tb", "\ufffd\ufffd", "a\x00"]
)
def test_forbidden_characters(pasted: str) -> None:
    """Spaces inside, control characters and non-ASCII letters are refused, unlike an opaque token."""
    with pytest.raises(InvalidTokenError, match="not a token"):
        inspect_token(find_pasted_token(pasted).token, now=NOW)
    assert inspect_token(find_pasted_token("opaque-1~x").token, now=NOW).kind == "opaque"


@given(st.text(), st.floats(), st.none() | st.builds(stored, st.text(), began=st.floats()))
def test_inspect_is_total(text: str, now: float, stored_set: TokenSet | None) -> None:
    """Any text at any time is decoded or raises InvalidTokenError."""
    try:
        inspection = inspect_token(find_pasted_token(text).token, now=now, stored=stored_set)
    except InvalidTokenError:
        return
    assert inspection.used_fraction is None or 0 <= inspection.used_fraction <= 1
    assert inspection.describe_state(now)


def test_no_stored_token_names_the_fix() -> None:
    """inspect never fetches a token."""
    ctx = FakeContext()
    with pytest.raises(CredentialsError) as caught:
        require_stored_token(PROFILE, ctx)
    assert caught.value.fix == "tokencli get p"
    assert ctx.transport.requests == []


@pytest.mark.requirement(16)
def test_other_binding_is_not_inspected() -> None:
    """A token of another origin isn't shown as this profile's."""
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
    ("claims", "expected"),
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
def test_not_yet_valid_names_the_skew(claims: dict[str, object], expected: str) -> None:
    """A new token would start as late, so the fix is the clock, or to wait."""
    inspection = inspect_token(token({**claims, "exp": NOW + 9000}), now=NOW)
    assert inspection.state == "not_yet_valid"
    cause, fix = inspection.explain_clock(NOW)
    assert expected in f"{cause}; {fix}"
    expired = inspect_token(token({"exp": NOW - 1}), now=NOW)
    assert expired.explain_clock(NOW) == (None, None)


@pytest.mark.parametrize("claims", [{"nbf": 1e30}, {"nbf": NOW * 1000, "exp": NOW * 1001}])
def test_times_that_are_not_in_seconds_are_the_cause(claims: dict[str, float]) -> None:
    """The clock isn't blamed, and nobody is told to wait for thousands of years."""
    cause, fix = inspect_token(token(claims), now=NOW).explain_clock(NOW)
    assert cause is not None and "not in seconds" in cause
    assert fix is None

"""Remarks on tokens: problems get one, sound tokens get none."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jwt.samples import ACCESS, IDENTITY, token
from tokencli.jwt.decode import DecodedToken, decode_token
from tokencli.jwt.explain import (
    collect_remarks,
    collect_scopes,
    finite_number,
    read_time_claims,
    strings_of_claim,
)

NOW = 1_716_000_000.0
SOUND: dict[str, object] = {"iss": "me", "iat": NOW - 60, "exp": NOW + 600}


def test_sound_token_gets_no_remark() -> None:
    """An asymmetric signature, a short lifetime and consistent times."""
    assert collect_remarks(decode_token(token(SOUND)), NOW) == ()


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("header", "claims", "remark"),
    [
        ({"alg": "none"}, {}, "alg is none"),
        ({"alg": "nOnE"}, {}, "alg is none"),
        ({"alg": "HS256"}, {}, "can also forge one"),
        ({"typ": "JWT"}, {}, "has no alg"),
        ({"alg": "ES256", "crit": ["exp", "b64"]}, {}, "crit lists exp, b64"),
        ({"alg": "ES256", "crit": 5}, {}, "crit lists nothing readable"),
        ({"alg": "ES256", "jwk": {}, "jku": "https://a"}, {}, "its own key (jwk, jku)"),
        ({"alg": "ES256"}, {"exp": "1716466218"}, "exp is not a number"),
        ({"alg": "ES256"}, {"exp": True}, "exp is not a number"),
        ({"alg": "ES256"}, {"exp": 10**400}, "exp is not a number"),
        ({"alg": "ES256"}, {"exp": NOW * 1000}, "exp looks like milliseconds: it would be 2024"),
        ({"alg": "ES256"}, {"exp": None}, "exp is not a number"),
        ({"alg": "ES256"}, {"iat": NOW + 300}, "iat is 5 minutes ahead"),
        ({"alg": "ES256"}, {"exp": NOW - 61}, "expired before it was issued"),
        ({"alg": "ES256"}, {"exp": NOW + 604_800}, "its lifetime is 7 days"),
        ({"alg": "ES256"}, {"updated_at": NOW + 700}, "updated_at is later than exp"),
    ],
)
def test_each_problem_gets_one_remark(
    header: Mapping[str, object], claims: Mapping[str, object], remark: str
) -> None:
    """In the header and the claims; no key in them is used or fetched."""
    found = collect_remarks(decode_token(token(SOUND | dict(claims), header)), NOW)
    assert [remark in each for each in found].count(True) == 1, found


def test_missing_exp_gets_a_remark() -> None:
    """Only the server knows when it expires."""
    found = collect_remarks(decode_token(token({"sub": "1"})), NOW)
    assert found == ("there is no exp: only the server knows when it expires",)


def test_documented_tokens_get_remarks() -> None:
    """Both live for a week and use HMAC; the ID token was updated after it had expired."""
    access, identity = (collect_remarks(decode_token(each), NOW) for each in (ACCESS, IDENTITY))
    assert len(access) == 2
    assert identity[:-1] == access
    assert "updated_at" in identity[-1]


def test_scopes_of_all_claims() -> None:
    """`scope`, `scp` and `scopes`, as text or as a list, give each scope once."""
    assert collect_scopes(decode_token(ACCESS).claims) == (
        "openid",
        "email",
        "profile",
        "inspect",
        "user",
    )
    assert collect_scopes({"scope": "a b  a", "scp": ["b", "c", 5], "scopes": {"d": 1}}) == (
        "a",
        "b",
        "c",
    )
    assert strings_of_claim(5) == ()


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (
            {"iat": NOW * 1000, "exp": (NOW + 9**9) * 1000},
            ["iat looks like milliseconds", "exp looks like milliseconds"],
        ),
        ({"nbf": 1e30, "exp": NOW + 60}, ["nbf is too large for a number of seconds"]),
        ({"iat": NOW, "exp": NOW * 1000}, ["exp looks like milliseconds"]),
    ],
)
def test_times_that_are_not_in_seconds(claims: dict[str, object], expected: list[str]) -> None:
    """They are remarked on, and lead to no remark about a clock or a lifetime."""
    remarks = collect_remarks(DecodedToken("jwt", {"alg": "ES256"}, claims), NOW)
    assert [remark.split(":")[0] for remark in remarks] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["alg", "crit", "jwk", "exp", "iat", "nbf", "updated_at", "scope", "scp"])


@given(
    st.dictionaries(NAMES, JSON), st.dictionaries(NAMES, JSON), st.floats(0, 4e9), st.integers(0, 3)
)
def test_any_token_can_be_explained(
    header: dict[str, object], claims: dict[str, object], now: float, kind: int
) -> None:
    """No header and no claims raise."""
    decoded = DecodedToken(("jwt", "jwe", "sd-jwt", "opaque")[kind], header, claims)  # type: ignore[arg-type]
    assert all(isinstance(each, str) for each in collect_remarks(decoded, now))
    assert all(finite_number(moment.epoch) is not None for moment in read_time_claims(claims))
    assert all(moment.as_text(now) for moment in read_time_claims(claims))
    assert all(isinstance(each, str) for each in collect_scopes(claims))

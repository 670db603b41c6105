"""Registered names of a token in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.jwt.explain import TIME_CLAIMS
from tokencli.jwt.registered_claims import (
    CLAIMS,
    HEADER_PARAMETERS,
    TIMES,
    describe_claim,
    describe_header_parameter,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("iss", "https://a", "issuer: who made the token"),
        ("aud", ["a", "b"], "audience: who the token is for"),
        (
            "amr",
            ["pwd", "otp", "x\x1b"],
            "how the user was authenticated: password, one-time password",
        ),
        ("amr", "own", "how the user was authenticated"),
        ("cnf", {"jkt": "x"}, "confirmation: bound to a DPoP key (RFC 9449)"),
        ("cnf", {"x5t#S256": "x"}, "confirmation: bound to a client certificate (RFC 8705)"),
        ("cnf", {"jwk": {}}, "confirmation: only the holder of this key may use the token"),
        ("act", {"sub": "x"}, "actor: who uses the token on the subject's behalf"),
        ("may_act", {"sub": "x"}, "who may act on the subject's behalf"),
        ("authorization_details", [], "what exactly the token authorizes"),
        ("scp", "a b", None),
        ("userID", 1, None),
        ("https://example.com/roles", [], None),
    ],
)
def test_claims(name: str, value: object, said: str | None) -> None:
    """Registered claims have a meaning, some by their value; private ones have none."""
    assert describe_claim(name, value) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("alg", "ES256", "algorithm: ECDSA with P-256 and SHA-256"),
        ("alg", "none", "algorithm: not signed"),
        ("alg", "X1", "algorithm"),
        ("typ", "at+jwt", "access token (RFC 9068)"),
        ("typ", "application/AT+JWT", "access token (RFC 9068)"),
        ("typ", "own", "type of the token"),
        ("typ", 7, "type of the token"),
        ("kid", "1", "ID of the key"),
        ("own", "1", None),
    ],
)
def test_header_parameters(name: str, value: object, said: str | None) -> None:
    """Those of JWS and JWE."""
    assert describe_header_parameter(name, value) == said


@given(st.sampled_from([*CLAIMS, *HEADER_PARAMETERS]), VALUES)
def test_no_description_quotes_the_token(name: str, value: object) -> None:
    """Whatever the value is, the words are the program's own: the report's lines start with them."""
    for description in (describe_claim(name, value), describe_header_parameter(name, value)):
        assert description is None or (description.isprintable() and description[0].isalpha())


def test_every_time_of_a_token_is_described() -> None:
    """Each NumericDate that the report shows has words before its time."""
    assert set(TIME_CLAIMS) <= TIMES <= set(CLAIMS)

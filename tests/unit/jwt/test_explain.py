"""Times and scopes of tokens."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jwt.samples import ACCESS
from tokencli.jwt.decode import decode_token, finite_number, strings_of_claim
from tokencli.jwt.explain import collect_scopes, read_time_claims


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["exp", "iat", "nbf", "updated_at", "scope", "scp"])


@given(st.dictionaries(NAMES, JSON), st.floats(0, 4e9))
def test_any_claims_can_be_explained(claims: dict[str, object], now: float) -> None:
    """No claims raise."""
    assert all(finite_number(moment.epoch) is not None for moment in read_time_claims(claims))
    assert all(moment.as_text(now) for moment in read_time_claims(claims))
    assert all(isinstance(each, str) for each in collect_scopes(claims))

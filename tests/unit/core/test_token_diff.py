"""Comparing tokens: what differs is listed once, and what differs in every token is not."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jwt.test_explain import JSON
from tokencli.core.token_diff import Change, TokenFacts, describe_event, diff_tokens
from tokencli.token_event import TokenEvent

NOW = 1_800_000_000.0
CLAIMS: dict[str, object] = {"iss": "me", "iat": NOW, "exp": NOW + 3600, "jti": "1"}


def facts(claims: dict[str, Any], **more: Any) -> TokenFacts:
    """Return what is known of a JWT with these claims."""
    return TokenFacts(
        **{"label": "x", "fingerprint": str(claims), "kind": "jwt", "claims": claims, **more}
    )


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return the differences between two tokens with these claims."""
    return list(diff_tokens(facts(CLAIMS | old), facts(CLAIMS | new)).changes)


def test_a_renewed_token_has_no_differences() -> None:
    """Later times and another ID are no differences if the lifetime is the same."""
    old = facts(CLAIMS, lifetime=3600.0)
    new = facts(CLAIMS | {"iat": NOW + 60, "exp": NOW + 3660, "jti": "2"}, lifetime=3600.4)
    diff = diff_tokens(old, new)
    assert (diff.changes, diff.not_compared, diff.same_token) == ((), ("jti",), False)
    assert diff_tokens(old, old).same_token


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"x": 1}, ("x", (), (1,))),
        ({"x": None}, {}, ("x", (None,), ())),
        ({"x": 1}, {"x": True}, ("x", (1,), (True,))),
        ({"r": ["a", "b"]}, {"r": ["b", "c"]}, ("r", ("a",), ("c",))),
        ({"r": ["a"]}, {"r": ["a", "a"]}, ("r", (), ("a",))),
        ({"r": {"roles": ["a"]}}, {"r": {"roles": []}}, ("r.roles", ("a",), ())),
        ({"auth_time": NOW}, {"auth_time": NOW + 3600}, ("auth_time", (NOW,), (NOW + 3600,))),
        ({"nbf": NOW}, {"nbf": NOW + 60}, ("nbf", ("less than a second after iat",), ("1 minute after iat",))),
        ({"exp": NOW}, {"exp": NOW * 1000}, ("exp", ("in seconds",), ("not in seconds",))),
        ({"scope": "a"}, {"scp": "a"}, ("scope", ("a",), ())),
        ({"aud": "a"}, {"aud": ["a"]}, ("aud", ("one value",), ("a list",))),
    ],
)  # fmt: skip
def test_one_difference(
    old: dict[str, Any], new: dict[str, Any], expected: tuple[str, Any, Any]
) -> None:
    """Values, items of lists, members of objects, and the unit of times."""
    found = changes(old, new)[0]
    assert (found.name, found.removed, found.added) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"r": ["a", "b"]}, {"r": ["b", "a"]}),
        ({"r": [{"x": 1, "y": [1, 2]}]}, {"r": [{"y": [2, 1], "x": 1}]}),
        ({"nonce": "1", "at_hash": "2"}, {"nonce": "3", "at_hash": "4"}),
    ],
)
def test_what_is_no_difference(old: dict[str, Any], new: dict[str, Any]) -> None:
    """The order of lists and members, and values that are new each time."""
    assert changes(old, new) == []


def test_sets_lifetime_and_key() -> None:
    """Scope and audience are sets, and the lifetime is compared instead of the times."""
    old = facts({}, lifetime=3600.0, scopes=("a", "b"), audience=("x",), header={"kid": "1"})
    new = facts({}, lifetime=300.0, scopes=("c", "b"), audience=("x", "y"), header={"kid": "2"})
    found = {change.name: change for change in diff_tokens(old, new).changes}
    assert found["lifetime"].detail == "55 minutes shorter"
    assert (found["scope"].removed, found["scope"].added) == (("a",), ("c",))
    assert (found["audience"].kind, found["audience"].added) == ("added", ("y",))
    assert found["kid"].kind == "changed"


def test_a_token_that_only_the_event_log_knows() -> None:
    """Its claims are not known, so that only key, lifetime, scope and audience are compared."""
    event = TokenEvent(
        NOW, "p", "acquired", fingerprint="f", iat=NOW, exp=NOW + 60, kid="1", scope="a", aud=("x",)
    )
    old = describe_event(event, "before")
    new = facts(
        CLAIMS, header={"kid": "1"}, key_id="1", lifetime=60.0, scopes=("a",), audience=("x",)
    )
    assert diff_tokens(old, new).changes == ()
    other = facts(CLAIMS, key_id="2", lifetime=60.0, scopes=("a",), audience=("x",))
    assert [each.name for each in diff_tokens(old, other).changes] == ["kid"]


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.randoms())
def test_any_claims(claims: dict[str, Any], chance: random.Random) -> None:
    """Nothing raises, and claims in another order are equal."""
    names = list(claims)
    chance.shuffle(names)
    assert diff_tokens(facts(claims), facts({name: claims[name] for name in names})).changes == ()
    assert diff_tokens(facts(claims), facts({})).changes or not set(claims) - {"aud"}

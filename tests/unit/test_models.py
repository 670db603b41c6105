"""The nouns keep their promises."""

import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.models import CLOCK_TOLERANCE_S, HttpReply, HttpRequest, Secret, SecretRef, TokenSet

CANARY = "canary-secret-51c2"
times = st.floats(min_value=0, max_value=4e9, allow_nan=False)


def test_a_secret_shows_in_no_way_of_printing() -> None:
    """repr, str, format, f-strings, percent, containers, dataclasses and tracebacks show `***`."""
    secret = Secret(CANARY)
    token = TokenSet(secret, "Bearer", 0.0, refresh_token=secret)
    request = HttpRequest("POST", f"https://h/t?key={CANARY}", {"A": CANARY}, CANARY.encode())
    reply = HttpReply(200, {"x": CANARY}, CANARY.encode())
    try:
        raise ValueError(secret, token, request, reply)
    except ValueError:
        shown = traceback.format_exc()
    shown += f"{secret} {secret!r} {secret:>20} {[secret]} {token} {request} {reply} %s" % secret
    assert CANARY not in shown
    assert "***" in shown


def test_a_secret_is_not_pickled() -> None:
    """A pickle would be a copy at rest that nobody guards."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


def test_secrets_compare_by_what_they_hold() -> None:
    """Equal secrets are equal, lone surrogates included; nothing else is."""
    assert Secret("a\udc80") == Secret("a\udc80")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@given(obtained=times, life=times, now=times, min_ttl=st.none() | st.floats(0, 1e6))
def test_a_fresh_token_has_its_margin_and_its_min_ttl_left(
    obtained: float, life: float, now: float, min_ttl: float | None
) -> None:
    """Whatever the times: fresh means at least min(60 s, 10 %) and min_ttl of life left."""
    token = TokenSet(Secret("t"), "Bearer", obtained, obtained + life)
    if token.is_fresh(now, min_ttl):
        left = token.remaining_lifetime(now)
        assert left is not None
        assert left > 0
        assert left >= min(60.0, 0.1 * ((obtained + life) - obtained))
        assert left >= (min_ttl or 0)
        assert obtained <= now + CLOCK_TOLERANCE_S


@pytest.mark.parametrize(
    ("life", "left", "fresh"),
    [(1200, 61, True), (1200, 59, False), (100, 11, True), (100, 9, False), (0, 0, False)],
)
def test_the_margin_is_sixty_seconds_or_a_tenth(life: float, left: float, fresh: bool) -> None:
    """The documented margin: min(60 s, 10 % of the lifetime)."""
    assert (
        TokenSet(Secret("t"), "Bearer", 1000.0, 1000.0 + life).is_fresh(1000.0 + life - left)
        is fresh
    )


def test_a_token_of_unknown_life_or_from_the_future_is_not_fresh() -> None:
    """No guess is made about either."""
    assert not TokenSet(Secret("t"), "Bearer", 0.0, None).is_fresh(1.0)
    assert not TokenSet(Secret("t"), "Bearer", 1061.0, 9999.0).is_fresh(1000.0)


@pytest.mark.parametrize(
    ("ref", "place"),
    [
        (
            SecretRef("keyring", "password", "p", ("tokencli:p:password", "password")),
            "keyring tokencli:p:password",
        ),
        (SecretRef("env", "password", "p", ("VAR",)), "env VAR"),
        (SecretRef("file", "password", "p", ("/run/x",)), "file /run/x"),
        (SecretRef("command", "password", "p", ("pass", "show", "x")), "command pass"),
        (SecretRef("prompt", "password", "p"), "prompt"),
    ],
)
def test_a_reference_names_its_place(ref: SecretRef, place: str) -> None:
    """The words under which a person finds the secret; a command's arguments are not shown."""
    assert ref.describe_source() == place

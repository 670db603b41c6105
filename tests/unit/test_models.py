"""The nouns keep their promises."""

import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.models import CLOCK_TOLERANCE_S, HttpReply, HttpRequest, Secret, SecretRef, TokenSet

CANARY = "canary-secret-51c2"
times = st.floats(min_value=0, max_value=4e9, allow_nan=False)


def test_secret_never_prints() -> None:
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


def test_secret_is_not_pickled() -> None:
    """A pickle would be an unprotected copy."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret(CANARY))


def test_secrets_compare_by_value() -> None:
    """Equal secrets are equal, including lone surrogates; nothing else is."""
    assert Secret("a\udc80") == Secret("a\udc80")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@given(obtained=times, life=times, now=times, min_ttl=st.none() | st.floats(0, 1e6))
def test_fresh_token_has_margin_and_min_ttl_left(
    obtained: float, life: float, now: float, min_ttl: float | None
) -> None:
    """For any times: fresh means at least min(60 s, 10 %) and min_ttl of lifetime left."""
    token = TokenSet(Secret("t"), "Bearer", obtained, obtained + life)
    if token.is_fresh(now, min_ttl):
        left = token.remaining_lifetime(now)
        assert left is not None
        assert left > 0
        rounding = 1e-6  # seconds; the difference of two epoch times is less exact than they are
        assert left >= min(60.0, 0.1 * ((obtained + life) - obtained)) - rounding
        assert left >= (min_ttl or 0) - rounding
        assert obtained <= now + CLOCK_TOLERANCE_S


@pytest.mark.parametrize(
    ("life", "left", "fresh"),
    [(1200, 61, True), (1200, 59, False), (100, 11, True), (100, 9, False), (0, 0, False)],
)
def test_margin_is_sixty_seconds_or_a_tenth(life: float, left: float, fresh: bool) -> None:
    """The documented margin: min(60 s, 10% of the lifetime)."""
    assert (
        TokenSet(Secret("t"), "Bearer", 1000.0, 1000.0 + life).is_fresh(1000.0 + life - left)
        is fresh
    )


def test_unknown_expiry_or_future_token_is_not_fresh() -> None:
    """Neither is guessed."""
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
def test_secret_reference_describes_its_source(ref: SecretRef, place: str) -> None:
    """The text by which a user finds the secret; a command's arguments are not shown.

    In a sentence, an environment variable is called one.
    """
    assert ref.label_source() == place
    assert ref.describe_source() == place.replace("env ", "the environment variable ")

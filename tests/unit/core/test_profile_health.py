"""When a person is needed next, and how renewals went."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from tests.fakes import FakeContext, make_profile
from tokencli.core.profile_health import PersonNeeded, judge_person, summarize_renewals
from tokencli.models import NEVER_S, Secret, TokenSet
from tokencli.token_event import EventName, TokenEvent

CTX = FakeContext()
NOW = CTX.clock.now()
DAY = 86_400.0
BATCH = make_profile(name="batch", secrets={})
PERSON = make_profile(name="person", grant="authorization_code", client_auth="none", secrets={})
ALONE = TokenSet(Secret("a"), "Bearer", NOW, NOW + 3600)
RENEWABLE = replace(ALONE, refresh_token=Secret("r"), refresh_issued_at=NOW - 10 * DAY)
EXPIRED = replace(RENEWABLE, obtained_at=NOW - DAY, expires_at=NOW - DAY + 3600)
OWN = CTX.event_log.fingerprint(Secret("r"))


def event(name: EventName, age: float = 0.0, **details: Any) -> TokenEvent:
    """Return an event that happened `age` seconds ago."""
    outcome: Literal["ok", "error"] = "error" if name == "failed" else "ok"
    return TokenEvent(NOW - age, "p", name, outcome, **details)


def judge(profile: Any, state: Any, token: TokenSet | None, *events: TokenEvent) -> PersonNeeded:
    """Return when a person is needed, without any missing secret."""
    return judge_person(profile, state, token, summarize_renewals(events, NOW), events, None, CTX)


def test_a_grant_without_a_person() -> None:
    """It never needs a person, unless the server refuses its credentials."""
    for state, token in (("fresh", ALONE), ("expired", EXPIRED), ("none", None)):
        found = judge(BATCH, state, token)
        assert (found.now, found.next, found.forecast) == (False, None, "never")
    refused = judge(BATCH, "none", None, event("failed", error="invalid_client"))
    assert (refused.now, refused.command) == (True, "tokencli why batch")
    assert "invalid_client" in refused.basis
    assert judge(BATCH, "none", None, event("failed", error="timeout")).now is False


def test_a_sign_in_without_a_refresh_token() -> None:
    """A person is needed when the token is no longer fresh."""
    found = judge(PERSON, "fresh", ALONE)
    assert (found.now, found.next, found.forecast) == (False, NOW + 3540, "known")
    for state, token in (("none", None), ("expired", replace(EXPIRED, refresh_token=None))):
        found = judge(PERSON, state, token)
        assert (found.now, found.command) == (True, "tokencli login person")
    endless = replace(ALONE, expires_at=NOW + NEVER_S)
    assert (judge(PERSON, "fresh", endless).next, judge(PERSON, "fresh", endless).now) == (
        None,
        False,
    )


@pytest.mark.parametrize("state", ["fresh", "expired"])
def test_forecast_from_the_refresh_token(state: str) -> None:
    """By what the server stated, or by earlier refusals as an estimate; else it is unknown."""
    token = RENEWABLE if state == "fresh" else EXPIRED
    unknown = judge(PERSON, state, token)
    assert (unknown.now, unknown.next, unknown.forecast) == (False, None, "unknown")
    stated = event("login", refresh_fingerprint=OWN, refresh_lifetime=30 * DAY)
    found = judge(PERSON, state, token, stated)
    assert (found.now, found.next, found.forecast) == (False, NOW + 30 * DAY, "known")
    refusal = event("failed", 9 * DAY, error="invalid_grant", refresh_age=30 * DAY)
    found = judge(PERSON, state, token, refusal, event("login", 8 * DAY))
    assert (found.next, found.forecast) == (NOW + 20 * DAY, "estimate")
    assert "30 days" in found.basis


def test_a_refresh_token_that_has_ended() -> None:
    """If it is certain, a person is needed; an estimate alone doesn't say so."""
    stated = event("login", 31 * DAY, refresh_fingerprint=OWN, refresh_lifetime=30 * DAY)
    assert judge(PERSON, "expired", EXPIRED, stated).now is True
    assert judge(PERSON, "fresh", RENEWABLE, stated).now is False
    refusal = event("failed", 20 * DAY, error="invalid_grant", refresh_age=5 * DAY)
    found = judge(PERSON, "expired", EXPIRED, refusal, event("login", 10 * DAY))
    assert (found.now, found.next) == (False, NOW - 5 * DAY)


def test_a_refresh_that_was_refused() -> None:
    """Then the refresh token doesn't count; a refused sign-in says nothing about it."""
    refused = event("failed", error="invalid_grant", grant="refresh_token")
    assert judge(PERSON, "expired", EXPIRED, refused).now is True
    assert judge(PERSON, "fresh", RENEWABLE, refused).next == NOW + 3540
    sign_in = event("failed", error="invalid_grant", grant="authorization_code")
    assert judge(PERSON, "expired", EXPIRED, sign_in).now is False


def test_renewals() -> None:
    """Failures count since the last success, and refreshes of the last seven days."""
    found = summarize_renewals(
        (
            event("refreshed", 8 * DAY, rotated=True),
            event("failed", 5 * DAY, error="timeout"),
            event("refreshed", 4 * DAY, rotated=True),
            event("refreshed", 3 * DAY, rotated=False),
            event("revoked", 3 * DAY),
            event("failed", 2 * DAY, error="timeout"),
            event("failed", DAY, error="invalid_grant"),
        ),
        NOW,
    )
    assert (found.recent_refreshes, found.recent_rotations, found.recent_failures) == (2, 1, 3)
    assert [each.time for each in found.failures] == [NOW - 2 * DAY, NOW - DAY]
    assert found.last_failure is not None and found.last_failure.error == "invalid_grant"
    assert found.last_success is not None and found.last_success.time == NOW - 3 * DAY

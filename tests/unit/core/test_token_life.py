"""When a refresh token ends: as it states, as the server states, or as earlier ones did."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from tests.fakes import FakeContext
from tests.unit.jwt.samples import token
from tokencli.core.token_life import estimate_refresh_lifetime, find_refresh_end
from tokencli.models import Secret, TokenSet
from tokencli.token_event import EventName, TokenEvent

NOW = 1_800_000_000.0
DAY = 86_400.0
STORED = TokenSet(
    Secret("a"),
    "Bearer",
    NOW,
    NOW + 3600,
    refresh_token=Secret("r"),
    refresh_issued_at=NOW - DAY,
)


def event(outcome: Literal["ok", "error"], **details: Any) -> TokenEvent:
    """Return an event of a refresh."""
    name: EventName = "refreshed" if outcome == "ok" else "failed"
    return TokenEvent(NOW, "p", name, outcome, **details)


def test_the_refresh_token_itself() -> None:
    """A refresh token that is a JWT, as Keycloak's, states its end by the server's clock."""
    ctx = FakeContext()
    stored = replace(STORED, refresh_token=Secret(token({"exp": NOW + DAY})), clock_skew=3600.0)
    found = find_refresh_end(stored, (), ctx)
    assert found is not None
    assert (found.epoch, found.is_estimate) == (NOW + DAY + 3600, False)
    offline = replace(STORED, refresh_token=Secret(token({"exp": 0})))
    assert find_refresh_end(offline, (), ctx) is None


def test_the_server_stated_it() -> None:
    """By the latest event with this refresh token, not with another one."""
    ctx = FakeContext()
    own = ctx.event_log.fingerprint(Secret("r"))
    events = (
        event("ok", refresh_fingerprint=own, refresh_lifetime=DAY),
        event("ok", refresh_fingerprint=own, refresh_lifetime=2 * DAY),
        event("ok", refresh_fingerprint="other", refresh_lifetime=DAY),
    )
    found = find_refresh_end(STORED, events, ctx)
    assert found is not None
    assert (found.epoch, found.is_estimate) == (NOW + 2 * DAY, False)


def test_earlier_refusals() -> None:
    """The age at which one was refused is an estimate, counted from when this one was issued."""
    ctx = FakeContext()
    events = (event("error", error="invalid_grant", refresh_age=30 * DAY),)
    found = find_refresh_end(STORED, events, ctx)
    assert found is not None
    assert (found.epoch, found.is_estimate) == (NOW + 29 * DAY, True)
    assert "at an age of 30 days" in found.basis
    assert find_refresh_end(replace(STORED, refresh_token=None), events, ctx) is None
    assert find_refresh_end(replace(STORED, refresh_issued_at=None), events, ctx) is None
    assert find_refresh_end(STORED, (), ctx) is None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([event("ok", refresh_age=DAY)], None),
        ([event("error", error="invalid_grant", refresh_age=30 * DAY)], 30 * DAY),
        ([event("error", error="temporarily_unavailable", refresh_age=30 * DAY)], None),
        ([event("error", error="invalid_grant")], None),
        (
            [
                event("error", error="invalid_grant", refresh_age=2 * DAY),  # revoked
                event("ok", refresh_age=20 * DAY),
                event("error", error="invalid_grant", refresh_age=31 * DAY),
                event("error", error="invalid_grant", refresh_age=40 * DAY),
            ],
            31 * DAY,
        ),
    ],
)
def test_estimate(events: list[TokenEvent], expected: float | None) -> None:
    """A refusal counts only if no older refresh token was accepted."""
    assert estimate_refresh_lifetime(events) == expected

"""The life of a token: when it was issued, is due for renewal, and ends, with its refresh token."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from tokencli.errors import StorageError
from tokencli.humanize import humanize_duration
from tokencli.jwt.decode import decode_token, finite_number
from tokencli.jwt.explain import MILLISECONDS_THRESHOLD
from tokencli.models import Secret, TokenSet
from tokencli.protocols import Context
from tokencli.token_event import TokenEvent


@dataclass(frozen=True, slots=True)
class RefreshEnd:
    """When a refresh token ends, as far as that can be known."""

    epoch: float
    """Epoch seconds by this computer's clock."""
    basis: str
    """How that is known, as a clause."""
    is_estimate: bool = False
    """Whether it is concluded from earlier refresh tokens."""


@dataclass(frozen=True, slots=True)
class TokenLife:
    """The times in a token's life in epoch seconds, all by the same clock; None if unknown."""

    issued: float | None = None
    valid_from: float | None = None
    """The `nbf`, if that is later than the time of issue."""
    refresh_due: float | None = None
    """From when on `get` replaces it, see `TokenSet.fresh_until`."""
    expires: float | None = None
    refresh_end: float | None = None
    is_refresh_end_estimated: bool = False

    def in_seconds(self) -> "TokenLife":
        """Return it without the times that can't be in seconds, e.g. because they are in milliseconds."""
        names = ("issued", "valid_from", "refresh_due", "expires", "refresh_end")
        unreadable: dict[str, Any] = {
            name: None
            for name in names
            if (epoch := getattr(self, name)) is not None
            and not 0 <= epoch <= MILLISECONDS_THRESHOLD
        }
        return replace(self, **unreadable)


def read_events(ctx: Context, profile: str | None = None) -> Sequence[TokenEvent]:
    """Return the events of the log, the oldest first; none if it can't be read."""
    with suppress(StorageError):
        return tuple(ctx.event_log.read(profile))
    return ()


def find_refresh_end(
    token: TokenSet, events: Iterable[TokenEvent], ctx: Context
) -> RefreshEnd | None:
    """Return when the refresh token ends: by its own `exp`, the lifetime that the server stated, or earlier refusals.

    `events` are those of its profile, the oldest first. None if nothing says so.
    """
    refresh_token = token.refresh_token
    if not refresh_token:
        return None
    skew = token.clock_skew or 0.0
    if (exp := _read_expiry(refresh_token)) is not None:
        return RefreshEnd(exp + skew, "the refresh token states it")
    events = tuple(events)
    fingerprint = ctx.event_log.fingerprint(refresh_token)
    for event in reversed(events):
        if event.refresh_fingerprint == fingerprint and event.refresh_lifetime is not None:
            return RefreshEnd(event.time + event.refresh_lifetime, "the server stated it")
    age = estimate_refresh_lifetime(events)
    if age is None or token.refresh_issued_at is None:
        return None
    basis = f"the server refused an earlier refresh token at an age of {humanize_duration(age)}"
    return RefreshEnd(token.refresh_issued_at + age, basis, is_estimate=True)


def estimate_refresh_lifetime(events: Iterable[TokenEvent]) -> float | None:
    """Return the youngest age in seconds at which refresh tokens were refused; None if unknown.

    A token that was refused younger than another one that was still accepted had been revoked, so
    its age says nothing.
    """
    events = tuple(event for event in events if event.refresh_age is not None)
    accepted = [event.refresh_age or 0.0 for event in events if event.outcome == "ok"]
    refused = [
        event.refresh_age or 0.0
        for event in events
        if event.outcome == "error" and event.error == "invalid_grant"
    ]
    return min((age for age in refused if age > max(accepted, default=0.0)), default=None)


def _read_expiry(refresh_token: Secret) -> float | None:
    """Return the `exp` of a refresh token that is a JWT, e.g. Keycloak's; 0 means none there."""
    exp = finite_number(decode_token(refresh_token.reveal()).claims.get("exp"))
    return exp if exp and 0 < exp <= MILLISECONDS_THRESHOLD else None

"""What the event log says about a profile and its token."""

from collections.abc import Iterable
from itertools import pairwise

from tokencli.diagnosis.evidence import EventFacts
from tokencli.token_event import TokenEvent

_ISSUED = ("acquired", "refreshed", "login")


def read_history(
    events: Iterable[TokenEvent], profile: str | None, fingerprint: str | None
) -> EventFacts:
    """Return the facts about a token with this fingerprint, and about the profile's last events."""
    log = list(events)
    issued = [event for event in log if event.event in _ISSUED and event.outcome == "ok"]
    own = [
        event for event in issued if fingerprint is not None and event.fingerprint == fingerprint
    ]
    first = own[0] if own else None
    owner = profile if first is None else first.profile
    of_owner = [event for event in issued if event.profile == owner]
    replaced_at: float | None = None
    previous: TokenEvent | None = None
    for before, after in pairwise(of_owner):
        if after is first and before.fingerprint != fingerprint:
            previous = before
        if before.fingerprint == fingerprint != after.fingerprint:
            replaced_at = after.time
    ended = [
        event
        for event in log
        if event.event == "revoked" and event.outcome == "ok"
        and fingerprint is not None and event.fingerprint == fingerprint
    ]  # fmt: skip
    ended += [
        event
        for event in log
        if first is not None
        and event.event == "logout"
        and event.outcome == "ok"
        and event.profile == owner
        and event.time >= first.time
    ]
    of_profile = [event for event in log if event.profile == profile]
    successes = [event for event in of_profile if event in issued]
    failures = [
        event
        for event in of_profile
        if event.event == "failed" and (not successes or event.time > successes[-1].time)
    ]
    return EventFacts(
        issued_to=None if first is None else first.profile,
        obtained_at=None if first is None else first.time,
        replaced_at=replaced_at,
        revoked_at=ended[0].time if ended else None,
        last_failure=_describe_failure(failures[-1]) if failures else None,
        failing_since=failures[0].time if failures else None,
        previous_scopes=tuple(previous.scope.split())
        if previous is not None and previous.scope is not None
        else None,
    )


def _describe_failure(event: TokenEvent) -> str:
    return event.message or event.error or "getting a token failed"

"""The history of a token in the event log."""

from tokencli.diagnosis.evidence import EventFacts
from tokencli.diagnosis.history import read_history
from tokencli.token_event import TokenEvent

EVENTS = (
    TokenEvent(1.0, "p", "login", fingerprint="a", scope="read write", aud=("api",)),
    TokenEvent(2.0, "q", "acquired", fingerprint="x"),
    TokenEvent(3.0, "p", "refreshed", fingerprint="b", scope="read"),
    TokenEvent(4.0, "p", "refreshed", fingerprint="c"),
    TokenEvent(5.0, "p", "revoked", fingerprint="b"),
    TokenEvent(6.0, "p", "failed", outcome="error", error="invalid_grant"),
)


def test_token_has_a_past_and_a_future() -> None:
    """Who got it and when, what was before it, what replaced it, and when it was revoked."""
    assert read_history(EVENTS, "p", "b") == EventFacts(
        issued_to="p",
        obtained_at=3.0,
        replaced_at=4.0,
        revoked_at=5.0,
        last_failure="invalid_grant",
        failing_since=6.0,
        previous_scopes=("read", "write"),
    )


def test_token_of_another_profile() -> None:
    """Its owner is named; failures are those of the profile in question."""
    facts = read_history(EVENTS, "p", "x")
    assert (facts.issued_to, facts.replaced_at, facts.last_failure) == ("q", None, "invalid_grant")


def test_unknown_token_and_empty_log() -> None:
    """Nothing is made up."""
    assert read_history(EVENTS, "p", "z").issued_to is None
    assert read_history((), "p", "a") == EventFacts()


def test_failure_before_the_last_success_is_over() -> None:
    """It says nothing about today."""
    events = (EVENTS[-1], TokenEvent(7.0, "p", "login", fingerprint="d"))
    assert read_history(events, "p", "d").last_failure is None

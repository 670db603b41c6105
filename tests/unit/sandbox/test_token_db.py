"""The token database: families, grace periods and counts, from many threads."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest

from tokencli.sandbox.token_db import (
    AuthorizationGrant,
    InvalidRefreshTokenError,
    RequestLogEntry,
    TokenDatabase,
)

GRANT = AuthorizationGrant("oauth2", "batch", "alice", "read")


def rotate(state: TokenDatabase, spent: str, new: str, **options: object) -> str:
    """Spend a refresh token; the new one is named `new`."""
    kept: dict[str, object] = {"system": "oauth2", "client_id": "batch", **options}
    return state.rotate_refresh_token(spent, lambda grant: new, **kept)[1]  # type: ignore[arg-type]


def in_threads(number: int, work: Callable[[int], None]) -> None:
    """Start that many threads at the same moment, and wait for all of them."""
    gate = Barrier(number)

    def run(index: int) -> None:
        gate.wait()
        work(index)

    threads = [Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_simultaneous_refreshes_revoke_the_family() -> None:
    """Without a grace period nineteen of twenty are refused, and the family is revoked."""
    state = TokenDatabase()
    state.add_family(GRANT, "first")
    won: list[str] = []
    lost: list[str] = []

    def spend(index: int) -> None:
        try:
            won.append(rotate(state, "first", f"second-{index}"))
        except InvalidRefreshTokenError as reason:
            lost.append(str(reason))

    in_threads(20, spend)
    assert (len(won), len(lost)) == (1, 19)
    assert not state.is_family_active(won[0])


def test_simultaneous_refreshes_within_the_grace_period() -> None:
    """All of them get the one current token."""
    state = TokenDatabase()
    state.add_family(GRANT, "first")
    got: list[str] = []
    in_threads(20, lambda index: got.append(rotate(state, "first", f"second-{index}", grace=30.0)))
    assert len(got) == 20
    assert {state.current_refresh_token("oauth2")} == set(got)


def test_grace_period_covers_one_generation() -> None:
    """A token from two rotations ago is reuse, however recent."""
    state = TokenDatabase(now=lambda: 0.0)
    state.add_family(GRANT, "first")
    rotate(state, "first", "second")
    rotate(state, "second", "third")
    with pytest.raises(InvalidRefreshTokenError, match="used before"):
        rotate(state, "first", "fourth", grace=3600.0)
    assert not state.is_family_active("third")


def test_revoked_family_stays_revoked() -> None:
    """The current token of a revoked family is refused as well."""
    state = TokenDatabase()
    state.add_family(GRANT, "first")
    rotate(state, "first", "second")
    with pytest.raises(InvalidRefreshTokenError, match="used before"):
        rotate(state, "first", "third")
    with pytest.raises(InvalidRefreshTokenError, match="revoked"):
        rotate(state, "second", "third")


@pytest.mark.parametrize("other", [{"system": "socialid"}, {"client_id": "public"}])
def test_refresh_token_belongs_to_system_and_client(other: dict[str, str]) -> None:
    """Other clients are refused, without any effect on the family."""
    state = TokenDatabase()
    state.add_family(GRANT, "first")
    with pytest.raises(InvalidRefreshTokenError, match="unknown"):
        rotate(state, "first", "second", **other)
    assert state.is_family_active("first")


def test_kept_tokens_do_not_rotate() -> None:
    """With `keep` the same token stays current."""
    state = TokenDatabase()
    state.add_family(GRANT, "first")
    assert [rotate(state, "first", "second", keep=True) for _ in range(2)] == ["first", "first"]


def test_current_token_of_the_latest_family() -> None:
    """It is of the family that was started or refreshed last."""
    state = TokenDatabase()
    state.add_family(GRANT, "a1")
    state.add_family(GRANT, "b1")
    assert state.current_refresh_token("oauth2") == "b1"
    rotate(state, "a1", "a2")
    assert state.current_refresh_token("oauth2") == "a2"
    assert state.current_refresh_token("groupid") is None


def test_access_token_states() -> None:
    """A token is valid, expired, revoked with its family, or unknown."""
    now = [0.0]
    state = TokenDatabase(now=lambda: now[0])
    state.add_family(GRANT, "first")
    state.add_access_token("token", GRANT, 10.0, "first")
    state.add_access_token("lone", GRANT, 10.0, None)
    assert state.check_access_token("token", "oauth2") is GRANT
    assert state.check_access_token("token", "groupid") == "unknown"
    assert state.check_access_token("other", "oauth2") == "unknown"
    rotate(state, "first", "second")
    with pytest.raises(InvalidRefreshTokenError):
        rotate(state, "first", "third")
    assert state.check_access_token("token", "oauth2") == "revoked"
    assert state.check_access_token("lone", "oauth2") is GRANT
    now[0] = 10.0
    assert state.check_access_token("lone", "oauth2") == "expired"


def entry(kind: str = "token", **changes: object) -> RequestLogEntry:
    """Return a log entry."""
    usual: dict[str, object] = {
        "at": 0.0,
        "kind": kind,
        "system": "oauth2",
        "method": "POST",
        "path": "/oauth2/token",
        "grant_type": "password",
        "status": 200,
    }
    return RequestLogEntry(**{**usual, **changes})  # type: ignore[arg-type]


def test_counts_are_exact_across_threads() -> None:
    """No entry is lost, and each kind is counted separately."""
    state = TokenDatabase()
    in_threads(20, lambda index: state.record_request(entry(issued=index % 2 == 0)))
    state.record_request(entry("resource"))
    assert (state.token_requests, state.tokens_issued) == (20, 10)
    assert (
        state.count_requests("refused"),
        state.count_requests("resource"),
        state.count_requests("other"),
    ) == (10, 1, 0)
    assert (
        state.count_requests("token", system="groupid")
        == state.count_requests("token", grant_type="x")
        == 0
    )


def test_wait_for_requests() -> None:
    """It sees entries of other threads, and returns False at the timeout."""
    state = TokenDatabase()
    thread = Thread(target=lambda: [state.record_request(entry()) for _ in range(3)])
    thread.start()
    assert state.wait_for_requests("token", 3)
    thread.join()
    assert not state.wait_for_requests("token", 4, timeout=0.01)


def test_log_line() -> None:
    """Method, path, grant and result, in one line of bounded length."""
    assert str(entry()) == "POST /oauth2/token grant_type=password -> 200"
    assert str(entry(status=0)).endswith("-> connection dropped")
    assert str(entry(status=400, error="invalid_grant")).endswith("-> 400 invalid_grant")
    assert len(str(entry(path="/" * 9999))) < 300


def test_listener_gets_every_entry() -> None:
    """It is called once the entry is in the log."""
    heard: list[RequestLogEntry] = []
    state = TokenDatabase(on_request_logged=heard.append)
    state.record_request(entry())
    assert heard == list(state.request_log)

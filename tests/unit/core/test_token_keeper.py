"""Keeping a token fresh while something uses it."""

from threading import Barrier, Thread

import pytest

from tests.fakes import FakeContext, filled_keyring, json_reply, make_profile
from tokencli.core.get_token import get_token
from tokencli.core.token_keeper import (
    FIRST_RETRY_S,
    MAX_RETRY_S,
    RETRY_S,
    TokenKeeper,
    may_lock_account,
)
from tokencli.errors import RefusedError, TokencliError, UnreachableError
from tokencli.models import HttpReply

PROFILE = make_profile()
DOWN = UnreachableError("the server is down")
WRONG = json_reply('{"error": "invalid_client"}', 401)


def token_reply(name: str, lifetime: int = 1200) -> HttpReply:
    """Return a reply with that token."""
    return json_reply(f'{{"access_token": "{name}", "expires_in": {lifetime}}}')


def keeper_of(*replies: HttpReply | Exception) -> tuple[TokenKeeper, FakeContext]:
    """Return a keeper, and its context with these replies."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = list(replies)
    return TokenKeeper(lambda: PROFILE, ctx), ctx


def refusal(status: int, error: str) -> HttpReply:
    """Return a refusal with an OAuth error code."""
    return json_reply(f'{{"error": "{error}"}}', status)


def shown(keeper: TokenKeeper) -> str:
    """Return the token itself."""
    return keeper.get().token.access_token.reveal()


def test_renewed_before_it_expires() -> None:
    """Through three expiries the token is always valid, and is requested once for each."""
    keeper, ctx = keeper_of(*(token_reply(f"t{i}") for i in range(4)))
    seen = []
    for _ in range(3600 // 10):
        kept = keeper.get()
        assert kept.token.expires_at is not None and kept.token.expires_at > ctx.clock.now()
        seen.append(kept.token.access_token.reveal())
        ctx.clock.current_time += 10
    assert list(dict.fromkeys(seen)) == ["t0", "t1", "t2", "t3"]
    assert len(ctx.transport.requests) == 4


def test_only_the_first_look_at_a_token_calls_it_new() -> None:
    """`is_new` is for those who act on each new token."""
    keeper, ctx = keeper_of(token_reply("t0"), token_reply("t1"))
    assert [keeper.get().is_new for _ in range(3)] == [True, False, False]
    ctx.clock.current_time = keeper.due_at + 1
    assert [keeper.get().is_new for _ in range(3)] == [True, False, False]


def test_failed_renewal_keeps_the_valid_token() -> None:
    """The old token is returned with the error; after its expiry the error is raised."""
    keeper, ctx = keeper_of(token_reply("t0"), *[DOWN] * 50, token_reply("t1"))
    expires_at = keeper.get().token.expires_at
    assert expires_at is not None
    ctx.clock.current_time = keeper.due_at + 1
    while ctx.clock.now() < expires_at:
        kept = keeper.get()
        assert (kept.token.access_token.reveal(), kept.error) == ("t0", DOWN)
        ctx.clock.current_time = keeper.due_at
    with pytest.raises(UnreachableError):
        keeper.get()
    ctx.transport.replies = [token_reply("t1")]
    with pytest.raises(UnreachableError):  # it isn't asked before the next attempt is due
        keeper.get()
    ctx.clock.current_time = keeper.due_at
    assert (shown(keeper), keeper.get().error) == ("t1", None)


@pytest.mark.parametrize(
    ("failure", "first", "most"),
    [
        (DOWN, FIRST_RETRY_S, RETRY_S),
        (json_reply("busy", 503, "text/plain"), FIRST_RETRY_S, RETRY_S),
        (json_reply('{"error": "Internal Server Error"}', 500), FIRST_RETRY_S, RETRY_S),
        (refusal(400, "temporarily_unavailable"), FIRST_RETRY_S, RETRY_S),
        (refusal(400, "server_error"), FIRST_RETRY_S, RETRY_S),
        (WRONG, RETRY_S, MAX_RETRY_S),
        (refusal(500, "invalid_grant"), RETRY_S, MAX_RETRY_S),
        (refusal(503, "invalid_client"), RETRY_S, MAX_RETRY_S),
        (json_reply("no such page", 404, "text/plain"), RETRY_S, MAX_RETRY_S),
    ],
)
def test_attempts_get_rarer(failure: HttpReply | Exception, first: float, most: float) -> None:
    """Wrong credentials are not sent every few seconds, which could lock the account."""
    keeper, ctx = keeper_of(*[failure] * 20)
    delays = []
    for _ in range(20):
        with pytest.raises(TokencliError):
            keeper.get()
        delays.append(keeper.due_at - ctx.clock.now())
        ctx.clock.current_time = keeper.due_at
    assert delays[:2] == [first, 2 * first]
    assert delays[-1] == most
    assert len(ctx.transport.requests) == 20


def test_retry_after_is_obeyed() -> None:
    """A server that names a time isn't asked earlier."""
    busy = HttpReply(429, {"content-type": "text/plain", "retry-after": "300"}, b"busy")
    keeper, ctx = keeper_of(busy)
    with pytest.raises(RefusedError):
        keeper.get()
    assert keeper.due_at - ctx.clock.now() == 300


def test_refused_token_is_renewed_once() -> None:
    """All who were refused the same token share one renewal."""
    keeper, ctx = keeper_of(token_reply("t0"), token_reply("t1"))
    old = keeper.get().token.access_token
    start, results = Barrier(20), []

    def ask() -> None:
        start.wait()
        results.append(keeper.get(refused=old).token.access_token.reveal())

    threads = [Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["t1"] * 20
    assert len(ctx.transport.requests) == 2


def test_api_that_refuses_every_token_causes_no_flood() -> None:
    """A token that was refused although it is new isn't replaced until it is due."""
    keeper, ctx = keeper_of(token_reply("t0"), token_reply("t1"))
    old = keeper.get().token.access_token
    new = keeper.get(refused=old).token.access_token
    keeper.give_up(new)
    for _ in range(10):
        assert keeper.get(refused=new).token.access_token == new
    assert len(ctx.transport.requests) == 2


def test_refusals_while_the_token_server_is_down_ask_it_rarely() -> None:
    """A hundred refusals in one second are one attempt to renew."""
    keeper, ctx = keeper_of(token_reply("t0"), DOWN)
    old = keeper.get().token.access_token
    assert [keeper.get(refused=old).error for _ in range(100)] == [DOWN] * 100
    assert len(ctx.transport.requests) == 2


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (WRONG, True),
        (refusal(500, "invalid_grant"), True),
        (json_reply("Forbidden", 403, "text/plain"), True),
        (refusal(404, "invalid_client"), True),
        (refusal(400, "temporarily_unavailable"), False),
        (json_reply("no such page", 404, "text/plain"), False),
        (json_reply("busy", 503, "text/plain"), False),
        (DOWN, False),
    ],
)
def test_refused_credentials_are_told_from_a_server_in_trouble(
    reply: HttpReply | Exception, expected: bool
) -> None:
    """The error code counts more than the status, and a gateway's 404 says nothing about a password."""
    keeper, _ = keeper_of(reply)
    with pytest.raises(TokencliError) as caught:
        keeper.get()
    assert may_lock_account(caught.value) is expected


@pytest.mark.parametrize(
    ("expires_in", "min_ttl"),
    [("null", None), ("1200", 7200.0), ("1200", 900.0), ("1200", None)],
    ids=["expiry unknown", "min_ttl out of reach", "min_ttl", "usual"],
)
def test_two_keepers_do_not_chase_each_other(expires_in: str, min_ttl: float | None) -> None:
    """A keeper takes the token that another one has stored, and doesn't request one better still."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = [
        json_reply(f'{{"access_token": "t{n}", "expires_in": {expires_in}}}') for n in range(20)
    ]
    keepers = [
        TokenKeeper(lambda: PROFILE, ctx, min_ttl=min_ttl, renewal_share=0.2) for _ in range(2)
    ]
    for _ in range(10):
        kept = [keeper.get(anew=True).token.access_token for keeper in keepers]
        ctx.clock.current_time += 2
    assert kept[0] == kept[1]
    assert len(ctx.transport.requests) <= 2


@pytest.mark.parametrize("renewal_share", [None, 0.2])
def test_new_keeper_uses_a_stored_token_that_is_valid(renewal_share: float | None) -> None:
    """If a program starts while the server is down, it gets the stored token, although it isn't fresh."""
    keeper, ctx = keeper_of(token_reply("t0"), *[DOWN] * 9)
    expires_at = keeper.get().token.expires_at
    assert expires_at is not None
    ctx.clock.current_time = expires_at - 10
    other = TokenKeeper(lambda: PROFILE, ctx, renewal_share=renewal_share)
    kept = other.get()
    assert (kept.token.access_token.reveal(), kept.error) == ("t0", DOWN)
    ctx.clock.current_time = expires_at
    with pytest.raises(UnreachableError):
        other.get()


def test_renewal_share() -> None:
    """A token is renewed when that share of its lifetime is left, whether it is new or was stored before."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = [token_reply("t0"), token_reply("t1", 600)]
    start = ctx.clock.now()
    get_token(PROFILE, ctx)
    keeper = TokenKeeper(lambda: PROFILE, ctx, renewal_share=0.25)
    assert (shown(keeper), keeper.due_at - start) == ("t0", 900)
    ctx.clock.current_time = keeper.due_at + 1
    assert (shown(keeper), keeper.due_at - ctx.clock.now()) == ("t1", 450)


def test_looking_at_the_store_does_not_delay_the_renewal() -> None:
    """However often the store is read, a token of a few seconds is replaced before it expires."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = [token_reply(f"t{n}", 3) for n in range(9)]
    keeper = TokenKeeper(lambda: PROFILE, ctx, renewal_share=0.2)
    for step in range(90):
        token = keeper.get(anew=step % 3 == 0).token
        assert token.expires_at is not None and token.expires_at > ctx.clock.now()
        ctx.clock.current_time += 0.1
    assert len(ctx.transport.requests) == 4


def test_store_is_read_but_no_server_asked_after_a_failure() -> None:
    """A store that changes is no reason to send a refused password again; a stored token is used."""
    keeper, ctx = keeper_of(WRONG, token_reply("t0"))
    for _ in range(5):
        with pytest.raises(RefusedError):
            keeper.get(anew=True)
    assert len(ctx.transport.requests) == 1
    get_token(PROFILE, ctx)  # by another process, with the right password
    assert (keeper.get(anew=True).token.access_token.reveal(), keeper.get().error) == ("t0", None)


def test_clock_set_back_does_not_stop_attempts() -> None:
    """After a failure the next attempt isn't hours away because the clock was ahead."""
    keeper, ctx = keeper_of(DOWN, token_reply("t0"))
    with pytest.raises(UnreachableError):
        keeper.get()
    ctx.clock.current_time -= 7200
    assert shown(keeper) == "t0"

"""Custom providers: issuing rules, sliding expiry, one-time tokens, and the logout request."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeContext, json_reply, keyring_ref, make_profile
from tokencli.core.get_token import get_token
from tokencli.core.logout import log_out
from tokencli.core.revocation import send_custom_logout
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import RefusedError, ReplyError, StorageError
from tokencli.models import Profile, Secret, StoredTokenSet, TokenSet
from tokencli.providers.catalog import build_provider
from tokencli.token_store.credential_key import derive_binding

REQUEST = {"send": {"k": "{key}"}}


def profile_of(**words: Any) -> Profile:
    """Return a profile of a provider with these keys."""
    table = {
        "title": "T",
        "endpoints": {"token": "https://id.example.com/token"},
        "fields": {"key": {"kind": "secret"}},
        "request": REQUEST,
        **words,
    }
    provider = build_provider(table, "t")
    profile = make_profile(secrets={"key": keyring_ref("key")}, values={"a": "b"})
    return replace(
        profile, provider=provider, grant=next(iter(provider.grants)), client_auth="none"
    )


def context_with(*replies: object) -> FakeContext:
    """Return a context with these replies, and with the key in its keyring."""
    ctx = FakeContext()
    ctx.keyring.secrets[keyring_ref("key").target] = Secret("canary-key")  # type: ignore[attr-defined]
    ctx.transport.replies = list(replies)  # type: ignore[arg-type]
    return ctx


def test_sticky_token_margin() -> None:
    """The margin follows `sticky`: with 20, a token with 30 s left is returned without a request."""
    ctx = context_with(json_reply('{"access_token": "t", "expires_in": 7200}'))
    profile = profile_of(issuing={"sticky": 20})
    get_token(profile, ctx)
    ctx.clock.current_time += 7200 - 30
    assert get_token(profile, ctx).source == "stored"
    assert len(ctx.transport.requests) == 1


def test_exclusive_token_margin() -> None:
    """A new token would invalidate the old one for other users, so it is requested only 10 s before expiry."""
    ctx = context_with(json_reply('{"access_token": "t", "expires_in": 7200}'))
    profile = profile_of(issuing={"exclusive": True})
    get_token(profile, ctx)
    ctx.clock.current_time += 7200 - 15
    assert get_token(profile, ctx).source == "stored"


def test_one_time_token_is_not_stored() -> None:
    """Each get fetches its own token, and the store stays empty."""
    reply = json_reply('{"access_token": "t", "expires_in": 7200}')
    ctx = context_with(reply, reply)
    profile = profile_of(issuing={"cacheable": False})
    assert [get_token(profile, ctx).source for _ in range(2)] == ["token", "token"]
    assert ctx.fake_store.stored_tokens == {}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ('{"access_token": "t"}', {"ttl": 1000, "sliding": True}),
        ('{"access_token": "t", "idle": 1000}', {"expires_in": "idle", "sliding": True}),
    ],
    ids=["ttl", "in the reply"],
)
def test_sliding_expiry_counts_from_last_get(reply: str, words: dict[str, Any]) -> None:
    """Each get extends the lifetime that the server extends with use. Without use, the token expires."""
    ctx = context_with(json_reply(reply), json_reply(reply))
    profile = profile_of(reply=words)
    get_token(profile, ctx)
    for _ in range(3):
        ctx.clock.current_time += 600
        assert get_token(profile, ctx).source == "stored"
    ctx.clock.current_time += 1000
    assert get_token(profile, ctx).source == "token"


def test_sliding_expiry_that_cannot_be_stored() -> None:
    """The stored token is good all the same, e.g. if its directory has become read-only."""
    ctx = context_with(json_reply('{"access_token": "t"}'))
    profile = profile_of(reply={"ttl": 1000, "sliding": True})
    get_token(profile, ctx)
    ctx.fake_store.save_error = StorageError("the file system is read-only")
    ctx.clock.current_time += 600
    result = get_token(profile, ctx)
    assert (result.source, result.token.access_token) == ("stored", Secret("t"))
    assert any("read-only" in text for text in ctx.terminal.messages)


def test_second_request_uses_first_reply() -> None:
    """Values of the first reply are used in the second request, and outputs are stored with the token."""
    then = {"url": "https://id.example.com/second", "headers": {"X-C": "{csrf}"}, "send": {"n": "{csrf}"}}  # fmt: skip
    profile = profile_of(reply={"outputs": {"csrf": "c"}}, then=then)
    ctx = context_with(
        json_reply('{"c": "c1"}'), json_reply('{"access_token": "t", "expires_in": 9}')
    )
    token = get_token(profile, ctx).token
    first, second = ctx.transport.requests
    assert (first.body, second.body, second.headers["X-C"]) == (b"k=canary-key", b"n=c1", "c1")
    assert (token.access_token, token.outputs) == (Secret("t"), {"csrf": Secret("c1")})


def test_derived_value_from_first_reply() -> None:
    """Challenge and response: the answer is computed when the challenge is known, and it is secret."""
    ctx = context_with(json_reply('{"challenge": "c1"}'), json_reply('{"access_token": "t"}'))
    profile = profile_of(
        values={"answer": "{challenge}:{key}"},
        reply={"outputs": {"challenge": "challenge"}},
        then={"send": {"a": "{answer|sha256|hex}"}},
    )
    get_token(profile, ctx)
    digest = hashlib.sha256(b"c1:canary-key").hexdigest()
    first, second = ctx.transport.requests
    assert (first.body, second.body) == (b"k=canary-key", f"a={digest}".encode())
    assert Secret("c1:canary-key") in second.secrets


def test_max_sessions_ends_replaced_session() -> None:
    """With `max_sessions`, a token is used nearly to its expiry, and a forced get logs the old session out."""
    logout = {"method": "DELETE", "url": "https://id.example.com/s/{token}"}
    tokens = [json_reply(f'{{"access_token": "t{n}", "expires_in": 7200}}') for n in range(3)]
    ctx = context_with(tokens[0], tokens[1], json_reply("", 204), tokens[2], json_reply("", 500))
    profile = profile_of(issuing={"max_sessions": 2}, logout=logout)
    get_token(profile, ctx)
    ctx.clock.current_time += 7200 - 15
    assert get_token(profile, ctx).source == "stored"
    assert get_token(profile, ctx, force=True).token.access_token == Secret("t1")
    assert get_token(profile, ctx, force=True).token.access_token == Secret("t2")
    paths = [request.url.rpartition("/")[2] for request in ctx.transport.requests]
    assert paths == ["token", "token", "t0", "token", "t1"]
    ctx.transport.replies = [tokens[0]]
    ctx.clock.current_time += 7200  # an old one that has ended by itself needs no request
    get_token(profile, ctx)
    assert len(ctx.transport.requests) == 6


def test_custom_logout_request() -> None:
    """It contains the token and the profile's secrets, and a refusal is an error."""
    logout = {
        "method": "DELETE",
        "url": "https://id.example.com/s/{token}",
        "headers": {"K": "{key}"},
    }
    profile, token = profile_of(logout=logout), TokenSet(Secret("t/1"), "Bearer", 0.0)
    ctx = context_with(json_reply("", 204), json_reply("", 500))
    assert send_custom_logout(profile, ctx, SecretResolver(profile, ctx), token) == {
        "access_token": "revoked"
    }
    sent = ctx.transport.requests[0]
    assert (sent.method, sent.url, sent.headers["K"]) == ("DELETE", "https://id.example.com/s/t%2F1", "canary-key")  # fmt: skip
    with pytest.raises(RefusedError):
        send_custom_logout(profile, ctx, SecretResolver(profile, ctx), token)


BY_TOKEN = {"method": "DELETE", "headers": {"X-Token": "{token}"}}
BY_ADDRESS = {"method": "DELETE", "url": "https://id.example.com/s/{token}"}
BY_KEY = {**BY_TOKEN, "headers": {"X-Token": "{token}", "K": "{key}"}}
PAGE = json_reply("<html>Please sign in", 200, "text/html")


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    ("logout", "status", "ended"),
    [
        (BY_TOKEN, 401, True),
        (BY_KEY, 401, False),  # the key may be what is wrong
        (BY_TOKEN, 404, False),  # the address may be
        (BY_ADDRESS, 404, True),
        (BY_ADDRESS, 410, True),
        (BY_TOKEN, 403, False),
        (BY_TOKEN, 503, False),
    ],
)
def test_unknown_session_counts_as_ended(logout: dict[str, Any], status: int, ended: bool) -> None:
    """If the refusal can only be about the token itself."""
    profile, token = profile_of(logout=logout), TokenSet(Secret("canary-t"), "Bearer", 0.0)
    ctx = context_with(json_reply("", status))
    resolver = SecretResolver(profile, ctx)
    if ended:
        assert send_custom_logout(profile, ctx, resolver, token) == {"access_token": "gone"}
    else:
        with pytest.raises(RefusedError):
            send_custom_logout(profile, ctx, resolver, token)


@pytest.mark.requirement(38)
def test_page_or_refusal_in_200_is_no_logout() -> None:
    """Unless the provider's description says that a logout reply looks like this."""
    profile, token = profile_of(logout=BY_TOKEN), TokenSet(Secret("canary-t"), "Bearer", 0.0)
    ctx = context_with(PAGE, json_reply('{"error": "denied"}'))
    for failure in (ReplyError, RefusedError):
        with pytest.raises(failure):
            send_custom_logout(profile, ctx, SecretResolver(profile, ctx), token)
    profile = profile_of(logout={**BY_TOKEN, "reply": {"success": "text:"}})
    assert send_custom_logout(profile, context_with(PAGE), SecretResolver(profile, ctx), token)


@pytest.mark.requirement(38)
def test_expired_session_is_not_logged_out() -> None:
    """The server would refuse the expired token every time."""
    profile, ctx = profile_of(logout=BY_TOKEN), context_with()
    old = TokenSet(Secret("canary-t"), "Bearer", 0.0, expires_at=ctx.clock.now() - 1)
    assert send_custom_logout(profile, ctx, SecretResolver(profile, ctx), old) == {}


def stored_in(ctx: FakeContext, profile: Profile, token: TokenSet) -> None:
    """Store the token as this profile's."""
    bound = derive_binding(profile)
    ctx.fake_store.stored_tokens[bound.key] = StoredTokenSet(bound, token)


@pytest.mark.requirement(38)
def test_custom_logout_keeps_refused_tokens() -> None:
    """A refusal keeps the token; a refusal that means that the token is unknown deletes it."""
    profile, token = profile_of(logout=BY_TOKEN), TokenSet(Secret("canary-t"), "Bearer", 0.0)
    ctx = context_with(PAGE, json_reply("", 503), json_reply("", 401))
    stored_in(ctx, profile, token)
    for failure in (ReplyError, RefusedError):
        with pytest.raises(failure, match="nothing was deleted"):
            log_out(profile, ctx)
        assert len(ctx.fake_store.stored_tokens) == 1
    assert log_out(profile, ctx).already_invalid == ("access_token",)
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
def test_custom_logout_without_refresh_token_warns() -> None:
    """The refresh token may stay valid after the session. If the request names it, it ends too."""
    token = TokenSet(Secret("canary-t"), "Bearer", 0.0, refresh_token=Secret("canary-r"))
    profile, ctx = profile_of(logout=BY_TOKEN), context_with(json_reply("", 204))
    stored_in(ctx, profile, token)
    assert log_out(profile, ctx).revoked == ("access_token",)
    assert "doesn't name the refresh token" in ctx.terminal.messages[0]
    both = {"headers": {"X-Token": "{token}"}, "send": {"r": "{refresh_token}"}}
    profile, ctx = profile_of(logout=both), context_with(json_reply("", 204))
    stored_in(ctx, profile, token)
    assert sorted(log_out(profile, ctx).revoked) == ["access_token", "refresh_token"]
    assert ctx.terminal.messages == []


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    ("url", "request_count"),
    [("https://id.example.com/end", 1), ("https://api.example.com/end", 0)],
)
def test_older_sessions_only_end_at_their_own_server(url: str, request_count: int) -> None:
    """The URL may have been written into the file after their tokens were issued."""
    profile = profile_of(logout={**BY_TOKEN, "url": url}, fields={"other": {"kind": "host"}})
    named = {
        "values": {"a": "b", "other": "api.example.com"},
        "value_sources": {"other": "config.toml:4"},
    }
    profile = replace(profile, **named)  # type: ignore[arg-type]
    ctx = context_with(json_reply("", 204))
    token = TokenSet(Secret("canary-t"), "Bearer", 0.0)
    stored_in(ctx, replace(profile, scope="older"), token)
    result = log_out(profile, ctx)
    assert (len(ctx.transport.requests), len(result.revoked), result.token_count) == (
        request_count,
        request_count,
        1,
    )
    assert any("they are not revoked" in message for message in ctx.terminal.messages) is not bool(
        request_count
    )

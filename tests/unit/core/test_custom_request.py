"""Issuing rules, sliding lives, one-time tokens and the provider's own logout, with fakes at the ports."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeContext, json_reply, keyring_ref, make_profile
from tokencli.core.get_token import get_token
from tokencli.core.logout import log_out
from tokencli.core.revocation import send_custom_logout
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import RefusedError, ReplyError
from tokencli.models import Profile, Secret, StoredTokenSet, TokenSet
from tokencli.providers.catalog import build_provider
from tokencli.token_store.credential_key import derive_binding

REQUEST = {"send": {"k": "{key}"}}


def profile_of(**words: Any) -> Profile:
    """Return a profile of a provider with these words."""
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


def edges_with(*replies: object) -> FakeContext:
    """Return ctx whose server answers with these, and whose keyring has the key."""
    ctx = FakeContext()
    ctx.keyring.secrets[keyring_ref("key").target] = Secret("canary-key")  # type: ignore[attr-defined]
    ctx.transport.replies = list(replies)  # type: ignore[arg-type]
    return ctx


def test_a_sticky_token_is_used_until_the_server_would_give_another() -> None:
    """The margin follows: with sticky = 20, a token with 30 s left is served and not asked for."""
    ctx = edges_with(json_reply('{"access_token": "t", "expires_in": 7200}'))
    profile = profile_of(issuing={"sticky": 20})
    get_token(profile, ctx)
    ctx.clock.current_time += 7200 - 30
    assert get_token(profile, ctx).source == "stored"
    assert len(ctx.transport.requests) == 1


def test_an_exclusive_token_is_used_nearly_to_its_end() -> None:
    """A new one would end it in the hands of others: ten seconds before its end are early enough."""
    ctx = edges_with(json_reply('{"access_token": "t", "expires_in": 7200}'))
    profile = profile_of(issuing={"exclusive": True})
    get_token(profile, ctx)
    ctx.clock.current_time += 7200 - 15
    assert get_token(profile, ctx).source == "stored"


def test_a_one_time_token_is_never_stored() -> None:
    """Each get fetches its own; nothing is left in the store."""
    reply = json_reply('{"access_token": "t", "expires_in": 7200}')
    ctx = edges_with(reply, reply)
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
def test_a_sliding_life_is_counted_from_the_last_get(reply: str, words: dict[str, Any]) -> None:
    """Each get lengthens what the server lengthens with use; unused, it ends."""
    ctx = edges_with(json_reply(reply), json_reply(reply))
    profile = profile_of(reply=words)
    get_token(profile, ctx)
    for _ in range(3):
        ctx.clock.current_time += 600
        assert get_token(profile, ctx).source == "stored"
    ctx.clock.current_time += 1000
    assert get_token(profile, ctx).source == "token"


def test_two_requests_make_one_token() -> None:
    """What the first reply brings is named in the second; its outputs stay with the token."""
    then = {"url": "https://id.example.com/second", "headers": {"X-C": "{csrf}"}, "send": {"n": "{csrf}"}}  # fmt: skip
    profile = profile_of(reply={"outputs": {"csrf": "c"}}, then=then)
    ctx = edges_with(
        json_reply('{"c": "c1"}'), json_reply('{"access_token": "t", "expires_in": 9}')
    )
    token = get_token(profile, ctx).token
    first, second = ctx.transport.requests
    assert (first.body, second.body, second.headers["X-C"]) == (b"k=canary-key", b"n=c1", "c1")
    assert (token.access_token, token.outputs) == (Secret("t"), {"csrf": Secret("c1")})


def test_a_value_may_be_made_of_what_the_first_reply_brought() -> None:
    """Challenge and response: the answer is computed once the challenge is there, and is secret."""
    ctx = edges_with(json_reply('{"challenge": "c1"}'), json_reply('{"access_token": "t"}'))
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


def test_where_sessions_are_counted_a_replaced_one_is_ended_and_none_is_replaced_early() -> None:
    """`max_sessions`: used nearly to its end; a forced get logs the old one out, whatever that says."""
    logout = {"method": "DELETE", "url": "https://id.example.com/s/{token}"}
    tokens = [json_reply(f'{{"access_token": "t{n}", "expires_in": 7200}}') for n in range(3)]
    ctx = edges_with(tokens[0], tokens[1], json_reply("", 204), tokens[2], json_reply("", 500))
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


def test_logout_is_the_providers_own_request() -> None:
    """It names the token and the profile's secrets; a refusal is an error."""
    logout = {
        "method": "DELETE",
        "url": "https://id.example.com/s/{token}",
        "headers": {"K": "{key}"},
    }
    profile, token = profile_of(logout=logout), TokenSet(Secret("t/1"), "Bearer", 0.0)
    ctx = edges_with(json_reply("", 204), json_reply("", 500))
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
def test_a_session_that_the_server_knows_no_more_is_as_good_as_ended(
    logout: dict[str, Any], status: int, ended: bool
) -> None:
    """Where nothing else than the token can be meant by the refusal."""
    profile, token = profile_of(logout=logout), TokenSet(Secret("canary-t"), "Bearer", 0.0)
    ctx = edges_with(json_reply("", status))
    resolver = SecretResolver(profile, ctx)
    if ended:
        assert send_custom_logout(profile, ctx, resolver, token) == {"access_token": "gone"}
    else:
        with pytest.raises(RefusedError):
            send_custom_logout(profile, ctx, resolver, token)


@pytest.mark.requirement(38)
def test_a_page_or_a_refusal_inside_200_ends_no_session() -> None:
    """Unless the provider's description says that a logout is answered so."""
    profile, token = profile_of(logout=BY_TOKEN), TokenSet(Secret("canary-t"), "Bearer", 0.0)
    ctx = edges_with(PAGE, json_reply('{"error": "denied"}'))
    for failure in (ReplyError, RefusedError):
        with pytest.raises(failure):
            send_custom_logout(profile, ctx, SecretResolver(profile, ctx), token)
    profile = profile_of(logout={**BY_TOKEN, "reply": {"success": "text:"}})
    assert send_custom_logout(profile, edges_with(PAGE), SecretResolver(profile, ctx), token)


@pytest.mark.requirement(38)
def test_a_session_that_has_ended_by_itself_is_not_ended_again() -> None:
    """The server would refuse the expired token, and so for ever."""
    profile, ctx = profile_of(logout=BY_TOKEN), edges_with()
    old = TokenSet(Secret("canary-t"), "Bearer", 0.0, expires_at=ctx.clock.now() - 1)
    assert send_custom_logout(profile, ctx, SecretResolver(profile, ctx), old) == {}


def stored_in(ctx: FakeContext, profile: Profile, token: TokenSet) -> None:
    """Store the token as this profile's."""
    bound = derive_binding(profile)
    ctx.fake_store.stored_tokens[bound.key] = StoredTokenSet(bound, token)


@pytest.mark.requirement(38)
def test_logout_by_the_providers_own_request_forgets_what_ended_alone() -> None:
    """A refusal keeps the token; one that means the token itself lets it go."""
    profile, token = profile_of(logout=BY_TOKEN), TokenSet(Secret("canary-t"), "Bearer", 0.0)
    ctx = edges_with(PAGE, json_reply("", 503), json_reply("", 401))
    stored_in(ctx, profile, token)
    for failure in (ReplyError, RefusedError):
        with pytest.raises(failure, match="nothing was deleted"):
            log_out(profile, ctx)
        assert len(ctx.fake_store.stored_tokens) == 1
    assert log_out(profile, ctx).already_invalid == ("access_token",)
    assert not ctx.fake_store.stored_tokens


@pytest.mark.requirement(38)
def test_a_refresh_token_that_the_logout_does_not_name_is_warned_about() -> None:
    """It may be good for longer than the session; where it is named, it ends with it."""
    token = TokenSet(Secret("canary-t"), "Bearer", 0.0, refresh_token=Secret("canary-r"))
    profile, ctx = profile_of(logout=BY_TOKEN), edges_with(json_reply("", 204))
    stored_in(ctx, profile, token)
    assert log_out(profile, ctx).revoked == ("access_token",)
    assert "doesn't name the refresh token" in ctx.terminal.messages[0]
    both = {"headers": {"X-Token": "{token}"}, "send": {"r": "{refresh_token}"}}
    profile, ctx = profile_of(logout=both), edges_with(json_reply("", 204))
    stored_in(ctx, profile, token)
    assert sorted(log_out(profile, ctx).revoked) == ["access_token", "refresh_token"]
    assert ctx.terminal.messages == []


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    ("url", "told"), [("https://id.example.com/end", 1), ("https://api.example.com/end", 0)]
)
def test_older_sessions_are_ended_at_their_own_server_alone(url: str, told: int) -> None:
    """The address may have been written into the file after they were got."""
    profile = profile_of(logout={**BY_TOKEN, "url": url}, fields={"other": {"kind": "host"}})
    named = {
        "values": {"a": "b", "other": "api.example.com"},
        "value_sources": {"other": "config.toml:4"},
    }
    profile = replace(profile, **named)  # type: ignore[arg-type]
    ctx = edges_with(json_reply("", 204))
    token = TokenSet(Secret("canary-t"), "Bearer", 0.0)
    stored_in(ctx, replace(profile, scope="older"), token)
    done = log_out(profile, ctx)
    assert (len(ctx.transport.requests), len(done.revoked), done.token_count) == (told, told, 1)
    assert any("they are not revoked" in said for said in ctx.terminal.messages) is not bool(told)

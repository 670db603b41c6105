"""Issuing rules, sliding lives, one-time tokens and the provider's own logout, with fakes at the ports."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeEdges, json_reply, keyring_ref, make_profile
from tokencli.actions.calling import end
from tokencli.actions.get import get
from tokencli.actions.secrets import Wallet
from tokencli.errors import RefusedError
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers.catalog import provider_from

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
    provider = provider_from(table, "t")
    profile = make_profile(secrets={"key": keyring_ref("key")}, values={"a": "b"})
    return replace(
        profile, provider=provider, grant=next(iter(provider.grants)), client_auth="none"
    )


def edges_with(*replies: object) -> FakeEdges:
    """Return edges whose server answers with these, and whose keyring has the key."""
    edges = FakeEdges()
    edges.keeper.kept[keyring_ref("key").target] = Secret("canary-key")  # type: ignore[attr-defined]
    edges.transport.replies = list(replies)  # type: ignore[arg-type]
    return edges


def test_a_sticky_token_is_used_until_the_server_would_give_another() -> None:
    """The margin follows: with sticky = 20, a token with 30 s left is served and not asked for."""
    edges = edges_with(json_reply('{"access_token": "t", "expires_in": 7200}'))
    profile = profile_of(issuing={"sticky": 20})
    get(profile, edges)
    edges.clock.time += 7200 - 30
    assert get(profile, edges).how == "stored"
    assert len(edges.transport.requests) == 1


def test_an_exclusive_token_is_used_nearly_to_its_end() -> None:
    """A new one would end it in the hands of others: ten seconds before its end are early enough."""
    edges = edges_with(json_reply('{"access_token": "t", "expires_in": 7200}'))
    profile = profile_of(issuing={"exclusive": True})
    get(profile, edges)
    edges.clock.time += 7200 - 15
    assert get(profile, edges).how == "stored"


def test_a_one_time_token_is_never_stored() -> None:
    """Each get fetches its own; nothing is left in the store."""
    reply = json_reply('{"access_token": "t", "expires_in": 7200}')
    edges = edges_with(reply, reply)
    profile = profile_of(issuing={"cacheable": False})
    assert [get(profile, edges).how for _ in range(2)] == ["token", "token"]
    assert edges.the_store.kept == {}


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
    edges = edges_with(json_reply(reply), json_reply(reply))
    profile = profile_of(reply=words)
    get(profile, edges)
    for _ in range(3):
        edges.clock.time += 600
        assert get(profile, edges).how == "stored"
    edges.clock.time += 1000
    assert get(profile, edges).how == "token"


def test_two_requests_make_one_token() -> None:
    """What the first reply brings is named in the second; its outputs stay with the token."""
    then = {"url": "https://id.example.com/second", "headers": {"X-C": "{csrf}"}, "send": {"n": "{csrf}"}}  # fmt: skip
    profile = profile_of(reply={"outputs": {"csrf": "c"}}, then=then)
    edges = edges_with(
        json_reply('{"c": "c1"}'), json_reply('{"access_token": "t", "expires_in": 9}')
    )
    token = get(profile, edges).token
    first, second = edges.transport.requests
    assert (first.body, second.body, second.headers["X-C"]) == (b"k=canary-key", b"n=c1", "c1")
    assert (token.access_token, token.outputs) == (Secret("t"), {"csrf": Secret("c1")})


def test_a_value_may_be_made_of_what_the_first_reply_brought() -> None:
    """Challenge and response: the answer is computed once the challenge is there, and is secret."""
    edges = edges_with(json_reply('{"challenge": "c1"}'), json_reply('{"access_token": "t"}'))
    profile = profile_of(
        values={"answer": "{challenge}:{key}"},
        reply={"outputs": {"challenge": "challenge"}},
        then={"send": {"a": "{answer|sha256|hex}"}},
    )
    get(profile, edges)
    digest = hashlib.sha256(b"c1:canary-key").hexdigest()
    first, second = edges.transport.requests
    assert (first.body, second.body) == (b"k=canary-key", f"a={digest}".encode())
    assert Secret("c1:canary-key") in second.secrets


def test_where_sessions_are_counted_a_replaced_one_is_ended_and_none_is_replaced_early() -> None:
    """`max_sessions`: used nearly to its end; a forced get logs the old one out, whatever that says."""
    logout = {"method": "DELETE", "url": "https://id.example.com/s/{token}"}
    tokens = [json_reply(f'{{"access_token": "t{n}", "expires_in": 7200}}') for n in range(3)]
    edges = edges_with(tokens[0], tokens[1], json_reply("", 204), tokens[2], json_reply("", 500))
    profile = profile_of(issuing={"max_sessions": 2}, logout=logout)
    get(profile, edges)
    edges.clock.time += 7200 - 15
    assert get(profile, edges).how == "stored"
    assert get(profile, edges, force=True).token.access_token == Secret("t1")
    assert get(profile, edges, force=True).token.access_token == Secret("t2")
    paths = [request.url.rpartition("/")[2] for request in edges.transport.requests]
    assert paths == ["token", "token", "t0", "token", "t1"]
    edges.transport.replies = [tokens[0]]
    edges.clock.time += 7200  # an old one that has ended by itself needs no request
    get(profile, edges)
    assert len(edges.transport.requests) == 6


def test_logout_is_the_providers_own_request() -> None:
    """It names the token and the profile's secrets; a refusal is an error."""
    logout = {
        "method": "DELETE",
        "url": "https://id.example.com/s/{token}",
        "headers": {"K": "{key}"},
    }
    profile, token = profile_of(logout=logout), TokenSet(Secret("t/1"), "Bearer", 0.0)
    edges = edges_with(json_reply("", 204), json_reply("", 500))
    assert end(profile, edges, Wallet(profile, edges), token) == ("access_token",)
    sent = edges.transport.requests[0]
    assert (sent.method, sent.url, sent.headers["K"]) == ("DELETE", "https://id.example.com/s/t%2F1", "canary-key")  # fmt: skip
    with pytest.raises(RefusedError):
        end(profile, edges, Wallet(profile, edges), token)

"""Whose token it is that a traded one belongs to."""

import json
from base64 import urlsafe_b64encode

import pytest

from tests.fakes import (
    FakeEdges,
    FakeKeeper,
    FakeTerminal,
    FakeTransport,
    filled_keeper,
    json_reply,
    keyring_ref,
    make_profile,
)
from tokencli.actions.get import get
from tokencli.actions.secrets import Wallet
from tokencli.actions.subject import subject
from tokencli.errors import ConfigError, CredentialsError
from tokencli.model import Profile, Secret, SecretRef

REF = keyring_ref("subject_token")
PROFILE = make_profile(grant="token_exchange", client_auth="none", secrets={"subject_token": REF})


def jwt(**claims: object) -> str:
    """Return something that looks like a JWT with these claims."""

    def part(value: object) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'ES256'})}.{part(claims)}.AAAA"


def of(token: str) -> str:
    """Return the hash for a subject token."""
    keeper = FakeKeeper({REF.target: Secret(token)})
    return subject(PROFILE, Wallet(PROFILE, FakeEdges(keeper=keeper)))


def test_16_another_subject_is_another_hash() -> None:
    """Opaque tokens are told apart whole, JWTs by what lasts of them."""
    assert of("canary-one") != of("canary-two")
    assert of(jwt(sub="a", exp=1)) != of(jwt(sub="b", exp=1))
    assert of(jwt(sub="a", scope="x")) != of(jwt(sub="a", scope="y"))


def test_16_the_same_subject_later_is_the_same_hash() -> None:
    """A renewed token of the same subject is no reason to trade again."""
    assert of(jwt(sub="a", exp=1, iat=0, jti="x")) == of(jwt(sub="a", exp=9, iat=8, jti="y"))


def test_a_jwt_that_names_nobody_is_told_apart_whole() -> None:
    """Without a sub the passing claims are all there is."""
    assert of(jwt(exp=1)) != of(jwt(exp=2))


def test_15_the_hash_tells_nothing_of_the_token() -> None:
    """64 hexadecimal digits."""
    found = of("canary-one")
    assert len(found) == 64 and "canary" not in found


def test_where_nothing_is_traded_nothing_is_looked_up() -> None:
    """Other grants don't pay for it."""
    edges = FakeEdges()
    assert subject(make_profile(), Wallet(make_profile(), edges)) == ""
    assert isinstance(edges.keeper, FakeKeeper) and edges.keeper.reads == 0


def scene(terminal: FakeTerminal | None = None, **secrets: SecretRef) -> tuple[Profile, FakeEdges]:
    """Return a profile that trades these secrets, and a server that hands out t1, t2, …"""
    replies = [json_reply(f'{{"access_token":"t{n}","expires_in":600}}') for n in range(1, 5)]
    edges = FakeEdges(
        transport=FakeTransport(list(replies)),
        keeper=filled_keeper(),
        terminal=terminal or FakeTerminal(),
    )
    return make_profile(grant="token_exchange", client_auth="none", secrets=secrets), edges


def test_16_a_stored_token_of_another_subject_is_a_miss() -> None:
    """And the one that comes for the new subject replaces it."""
    profile, edges = scene(subject_token=REF)
    for text, token in (("a", "t1"), ("a", "t1"), ("b", "t2"), ("b", "t2"), ("a", "t3")):
        edges.keeper.write(REF, Secret(text))
        assert get(profile, edges).token.access_token.reveal() == token
    assert len(edges.the_store.kept) == 1


def test_the_token_of_another_profile_is_got_as_that_profile_gets_it() -> None:
    """From its store where it is fresh, under its own key."""
    ref = SecretRef("profile", "subject_token", "p", ("other",))
    profile, edges = scene(subject_token=ref)
    edges.profiles["other"] = make_profile(name="other", client_auth="none")
    assert get(profile, edges).token.access_token.reveal() == "t2"
    assert b"subject_token=t1" in edges.transport.requests[1].body
    get(profile, edges, force=True)
    assert b"subject_token=t1" in edges.transport.requests[2].body
    assert len(edges.the_store.kept) == 2


def test_a_circle_of_profiles_is_told() -> None:
    """However long it is, and before anything is sent."""
    names = ("p", "q", "r")
    profiles = {}
    for name, other in zip(names, ("q", "r", "p"), strict=True):
        ref = SecretRef("profile", "subject_token", name, (other,))
        profiles[name] = make_profile(
            name=name, grant="token_exchange", client_auth="none", secrets={"subject_token": ref}
        )
    edges = FakeEdges(profiles=profiles)
    with pytest.raises(ConfigError, match="p -> q -> r -> p"):
        get(profiles["p"], edges)
    assert edges.transport.requests == []


def test_a_subject_token_that_is_typed_is_asked_for_once() -> None:
    """Before the store is looked at, for it decides which token is meant."""
    ref = SecretRef("prompt", "subject_token", "p")
    profile, edges = scene(FakeTerminal(["canary"], interactive=True), subject_token=ref)
    assert get(profile, edges).token.access_token.reveal() == "t1"
    assert b"subject_token=canary" in edges.transport.requests[0].body


def test_without_a_subject_token_there_is_no_token() -> None:
    """A stored one is not handed out in its place."""
    profile, edges = scene(subject_token=REF)
    edges.keeper.write(REF, Secret("a"))
    get(profile, edges)
    edges.keeper.delete(REF)
    with pytest.raises(CredentialsError, match="subject_token"):
        get(profile, edges)

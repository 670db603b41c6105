"""Whose token it is that a traded one belongs to."""

import json
from base64 import urlsafe_b64encode

import pytest

from tests.fakes import (
    FakeContext,
    FakeKeyring,
    FakeTerminal,
    FakeTransport,
    filled_keyring,
    json_reply,
    keyring_ref,
    make_profile,
)
from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.subject_hash import hash_subject
from tokencli.errors import ConfigError, CredentialsError
from tokencli.models import Profile, Secret, SecretRef

REF = keyring_ref("subject_token")
PROFILE = make_profile(grant="token_exchange", client_auth="none", secrets={"subject_token": REF})


def jwt(**claims: object) -> str:
    """Return something that looks like a JWT with these claims."""

    def part(value: object) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'ES256'})}.{part(claims)}.AAAA"


def of(token: str) -> str:
    """Return the hash for a subject token."""
    keeper = FakeKeyring({REF.target: Secret(token)})
    return hash_subject(PROFILE, SecretResolver(PROFILE, FakeContext(keyring=keeper)))


@pytest.mark.requirement(16)
def test_another_subject_is_another_hash() -> None:
    """Opaque tokens are told apart whole, JWTs by what lasts of them."""
    assert of("canary-one") != of("canary-two")
    assert of(jwt(sub="a", exp=1)) != of(jwt(sub="b", exp=1))
    assert of(jwt(sub="a", scope="x")) != of(jwt(sub="a", scope="y"))


@pytest.mark.requirement(16)
def test_the_same_subject_later_is_the_same_hash() -> None:
    """A renewed token of the same subject is no reason to trade again."""
    assert of(jwt(sub="a", exp=1, iat=0, jti="x")) == of(jwt(sub="a", exp=9, iat=8, jti="y"))


def test_a_jwt_that_names_nobody_is_told_apart_whole() -> None:
    """Without a sub the passing claims are all there is."""
    assert of(jwt(exp=1)) != of(jwt(exp=2))


@pytest.mark.requirement(15)
def test_the_hash_tells_nothing_of_the_token() -> None:
    """64 hexadecimal digits."""
    found = of("canary-one")
    assert len(found) == 64 and "canary" not in found


def test_where_nothing_is_traded_nothing_is_looked_up() -> None:
    """Other grants don't pay for it."""
    ctx = FakeContext()
    assert hash_subject(make_profile(), SecretResolver(make_profile(), ctx)) == ""
    assert isinstance(ctx.keyring, FakeKeyring) and ctx.keyring.read_count == 0


def scene(
    terminal: FakeTerminal | None = None, **secrets: SecretRef
) -> tuple[Profile, FakeContext]:
    """Return a profile that trades these secrets, and a server that hands out t1, t2, …"""
    replies = [json_reply(f'{{"access_token":"t{n}","expires_in":600}}') for n in range(1, 5)]
    ctx = FakeContext(
        transport=FakeTransport(list(replies)),
        keyring=filled_keyring(),
        terminal=terminal or FakeTerminal(),
    )
    return make_profile(grant="token_exchange", client_auth="none", secrets=secrets), ctx


@pytest.mark.requirement(16)
def test_a_stored_token_of_another_subject_is_a_miss() -> None:
    """And the one that comes for the new subject replaces it."""
    profile, ctx = scene(subject_token=REF)
    for text, token in (("a", "t1"), ("a", "t1"), ("b", "t2"), ("b", "t2"), ("a", "t3")):
        ctx.keyring.store_secret(REF, Secret(text))
        assert get_token(profile, ctx).token.access_token.reveal() == token
    assert len(ctx.fake_store.stored_tokens) == 1


def test_the_token_of_another_profile_is_got_as_that_profile_gets_it() -> None:
    """From its store where it is fresh, under its own key."""
    ref = SecretRef("profile", "subject_token", "p", ("other",))
    profile, ctx = scene(subject_token=ref)
    ctx.profiles["other"] = make_profile(name="other", client_auth="none")
    assert get_token(profile, ctx).token.access_token.reveal() == "t2"
    assert b"subject_token=t1" in ctx.transport.requests[1].body
    get_token(profile, ctx, force=True)
    assert b"subject_token=t1" in ctx.transport.requests[2].body
    assert len(ctx.fake_store.stored_tokens) == 2


def test_a_circle_of_profiles_is_told() -> None:
    """However long it is, and before anything is sent."""
    names = ("p", "q", "r")
    profiles = {}
    for name, other in zip(names, ("q", "r", "p"), strict=True):
        ref = SecretRef("profile", "subject_token", name, (other,))
        profiles[name] = make_profile(
            name=name, grant="token_exchange", client_auth="none", secrets={"subject_token": ref}
        )
    ctx = FakeContext(profiles=profiles)
    with pytest.raises(ConfigError, match="p -> q -> r -> p"):
        get_token(profiles["p"], ctx)
    assert ctx.transport.requests == []


def test_a_subject_token_that_is_typed_is_asked_for_once() -> None:
    """Before the store is looked at, for it decides which token is meant."""
    ref = SecretRef("prompt", "subject_token", "p")
    profile, ctx = scene(FakeTerminal(["canary"], interactive=True), subject_token=ref)
    assert get_token(profile, ctx).token.access_token.reveal() == "t1"
    assert b"subject_token=canary" in ctx.transport.requests[0].body


def test_without_a_subject_token_there_is_no_token() -> None:
    """A stored one is not handed out in its place."""
    profile, ctx = scene(subject_token=REF)
    ctx.keyring.store_secret(REF, Secret("a"))
    get_token(profile, ctx)
    ctx.keyring.delete_secret(REF)
    with pytest.raises(CredentialsError, match="subject_token"):
        get_token(profile, ctx)

"""The hash of an exchanged token's subject."""

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
from tokencli.core.secret_resolver import SecretResolver, hash_subject
from tokencli.errors import ConfigError, CredentialsError
from tokencli.models import Profile, Secret, SecretRef

REF = keyring_ref("subject_token")
PROFILE = make_profile(grant="token_exchange", client_auth="none", secrets={"subject_token": REF})


def jwt(**claims: object) -> str:
    """Return something that looks like a JWT with these claims."""

    def part(value: object) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'ES256'})}.{part(claims)}.AAAA"


def hash_of(token: str) -> str:
    """Return the hash for a subject token."""
    keeper = FakeKeyring({REF.target: Secret(token)})
    return hash_subject(PROFILE, SecretResolver(PROFILE, FakeContext(keyring=keeper)))


@pytest.mark.requirement(16)
def test_other_subject_has_other_hash() -> None:
    """Opaque tokens are compared as a whole, JWTs by their stable claims."""
    assert hash_of("canary-one") != hash_of("canary-two")
    assert hash_of(jwt(sub="a", exp=1)) != hash_of(jwt(sub="b", exp=1))
    assert hash_of(jwt(sub="a", scope="x")) != hash_of(jwt(sub="a", scope="y"))


@pytest.mark.requirement(16)
def test_same_subject_has_same_hash() -> None:
    """A renewed token of the same subject doesn't cause another exchange."""
    assert hash_of(jwt(sub="a", exp=1, iat=0, jti="x")) == hash_of(
        jwt(sub="a", exp=9, iat=8, jti="y")
    )


def test_jwt_without_sub_is_hashed_as_a_whole() -> None:
    """Without sub there is nothing stable to compare."""
    assert hash_of(jwt(exp=1)) != hash_of(jwt(exp=2))


@pytest.mark.requirement(15)
def test_hash_reveals_nothing() -> None:
    """64 hexadecimal digits."""
    digest = hash_of("canary-one")
    assert len(digest) == 64 and "canary" not in digest


def test_other_grants_read_no_subject_token() -> None:
    """Their hash is empty."""
    ctx = FakeContext()
    assert hash_subject(make_profile(), SecretResolver(make_profile(), ctx)) == ""
    assert isinstance(ctx.keyring, FakeKeyring) and ctx.keyring.read_count == 0


def scene(
    terminal: FakeTerminal | None = None, **secrets: SecretRef
) -> tuple[Profile, FakeContext]:
    """Return a profile that exchanges these secrets, and a server that issues t1, t2, …"""
    replies = [json_reply(f'{{"access_token":"t{n}","expires_in":600}}') for n in range(1, 5)]
    ctx = FakeContext(
        transport=FakeTransport(list(replies)),
        keyring=filled_keyring(),
        terminal=terminal or FakeTerminal(),
    )
    return make_profile(grant="token_exchange", client_auth="none", secrets=secrets), ctx


@pytest.mark.requirement(16)
def test_other_subject_is_a_miss() -> None:
    """The new subject's token replaces the stored one."""
    profile, ctx = scene(subject_token=REF)
    for text, token in (("a", "t1"), ("a", "t1"), ("b", "t2"), ("b", "t2"), ("a", "t3")):
        ctx.keyring.store_secret(REF, Secret(text))
        assert get_token(profile, ctx).token.access_token.reveal() == token
    assert len(ctx.fake_store.stored_tokens) == 1


def test_token_of_another_profile() -> None:
    """It comes from that profile's store if it is fresh, under its own credential key."""
    ref = SecretRef("profile", "subject_token", "p", ("other",))
    profile, ctx = scene(subject_token=ref)
    ctx.profiles["other"] = make_profile(name="other", client_auth="none")
    assert get_token(profile, ctx).token.access_token.reveal() == "t2"
    assert b"subject_token=t1" in ctx.transport.requests[1].body
    get_token(profile, ctx, force=True)
    assert b"subject_token=t1" in ctx.transport.requests[2].body
    assert len(ctx.fake_store.stored_tokens) == 2


def test_circle_of_profiles() -> None:
    """A circle of any length is an error before a request is sent."""
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


def test_prompted_subject_token_is_asked_once() -> None:
    """Before the store is read, because it decides which token is meant."""
    ref = SecretRef("prompt", "subject_token", "p")
    profile, ctx = scene(FakeTerminal(["canary"], interactive=True), subject_token=ref)
    assert get_token(profile, ctx).token.access_token.reveal() == "t1"
    assert b"subject_token=canary" in ctx.transport.requests[0].body


def test_missing_subject_token() -> None:
    """A stored token isn't returned instead."""
    profile, ctx = scene(subject_token=REF)
    ctx.keyring.store_secret(REF, Secret("a"))
    get_token(profile, ctx)
    ctx.keyring.delete_secret(REF)
    with pytest.raises(CredentialsError, match="subject_token"):
        get_token(profile, ctx)

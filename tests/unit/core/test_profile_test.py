"""Trying a profile: it is its own secrets that are tried, not what an earlier run left."""

import pytest

from tests.fakes import (
    CLIENT_SECRET,
    FakeContext,
    FakeTransport,
    filled_keyring,
    json_reply,
    keyring_ref,
    make_profile,
)
from tokencli.core.profile_test import run_profile_test
from tokencli.errors import RefusedError
from tokencli.models import HttpReply, Profile, Secret, SecretRef, StoredTokenSet, TokenSet
from tokencli.token_store.credential_key import derive_binding

NEW = json_reply('{"access_token":"canary-new","token_type":"Bearer","expires_in":600}')
OLD = TokenSet(
    Secret("canary-old"),
    "Bearer",
    1_799_999_000.0,
    1_800_009_000.0,
    refresh_token=Secret("canary-r"),
)


def scene(grant: str, reply: HttpReply, **more: object) -> tuple[Profile, FakeContext]:
    """Return a profile with a fresh token and a refresh token, and a server."""
    values = {"client_id": "c", "username": "jdoe"}
    profile = make_profile(grant=grant, values=values, **more)  # type: ignore[arg-type]
    ctx = FakeContext(transport=FakeTransport([reply]), keyring=filled_keyring())
    ctx.fake_store.stored_tokens[derive_binding(profile).key] = StoredTokenSet(
        derive_binding(profile), OLD
    )
    return profile, ctx


def test_the_profiles_own_secrets_are_tried() -> None:
    """Though a refresh token is stored, the grant is sent; what it proved is told."""
    profile, ctx = scene("password", NEW)
    proof = run_profile_test(profile, ctx)
    assert b"grant_type=password" in ctx.transport.requests[0].body
    assert (proof.token_result.source, proof.unverified_secrets) == ("password", ())
    assert set(proof.verified_secrets) == {"password", "client_secret"}
    kept = ctx.fake_store.stored_tokens[derive_binding(profile).key].token
    assert kept.access_token == Secret("canary-new")


def test_a_wrong_secret_is_found_out_and_the_token_stays() -> None:
    """A refusal leaves what is stored as it was."""
    profile, ctx = scene("password", json_reply('{"error":"invalid_grant"}', 400))
    with pytest.raises(RefusedError):
        run_profile_test(profile, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(profile).key].token == OLD


def test_where_a_person_signs_in_the_refresh_token_is_tried() -> None:
    """And it is said that nobody signed in."""
    secrets = {"client_secret": keyring_ref("client_secret")}
    profile, ctx = scene("authorization_code", NEW, secrets=secrets)
    proof = run_profile_test(profile, ctx)
    assert b"grant_type=refresh_token" in ctx.transport.requests[0].body
    assert proof.verified_secrets == ("refresh token", "client_secret")
    assert proof.unverified_secrets == ("a sign-in",)


def test_a_secret_that_has_to_be_typed_is_tried_where_somebody_can_type_it() -> None:
    """Else the refresh token is, and it is said that the secret was not."""
    secrets = {
        "password": SecretRef("prompt", "password", "p", ()),
        "client_secret": keyring_ref("client_secret"),
    }
    profile, ctx = scene("password", NEW, secrets=secrets)
    proof = run_profile_test(profile, ctx)
    assert (proof.token_result.source, proof.unverified_secrets) == ("refresh_token", ("password",))
    profile, ctx = scene("password", NEW, secrets=secrets)
    ctx.terminal.interactive, ctx.terminal.answers = True, ["canary-typed"]
    assert run_profile_test(profile, ctx).token_result.source == "password"
    assert b"canary-typed" in ctx.transport.requests[0].body
    assert CLIENT_SECRET.reveal().encode() not in ctx.transport.requests[0].body

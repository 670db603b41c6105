"""Testing a profile: its own secrets are tested, not a token of an earlier run."""

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


def test_grant_is_tested() -> None:
    """Although a refresh token is stored, the grant is used, and the verified secrets are named."""
    profile, ctx = scene("password", NEW)
    proof = run_profile_test(profile, ctx)
    assert b"grant_type=password" in ctx.transport.requests[0].body
    assert (proof.token_result.source, proof.unverified_secrets) == ("password", ())
    assert set(proof.verified_secrets) == {"password", "client_secret"}
    stored = ctx.fake_store.stored_tokens[derive_binding(profile).key].token
    assert stored.access_token == Secret("canary-new")


def test_wrong_secret_keeps_the_token() -> None:
    """A refusal leaves the stored token unchanged."""
    profile, ctx = scene("password", json_reply('{"error":"invalid_grant"}', 400))
    with pytest.raises(RefusedError):
        run_profile_test(profile, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(profile).key].token == OLD


def test_interactive_grant_tests_the_refresh_token() -> None:
    """The result says that the sign-in wasn't tested."""
    secrets = {"client_secret": keyring_ref("client_secret")}
    profile, ctx = scene("authorization_code", NEW, secrets=secrets)
    proof = run_profile_test(profile, ctx)
    assert b"grant_type=refresh_token" in ctx.transport.requests[0].body
    assert proof.verified_secrets == ("refresh token", "client_secret")
    assert proof.unverified_secrets == ("a sign-in",)


def test_prompted_secret_is_tested_at_a_terminal() -> None:
    """Without a terminal the refresh token is tested, and the secret is listed as not tested."""
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

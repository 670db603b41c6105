"""Trying a profile: it is its own secrets that are tried, not what an earlier run left."""

import pytest

from tests.fakes import (
    CLIENT_SECRET,
    FakeEdges,
    FakeTransport,
    filled_keeper,
    json_reply,
    keyring_ref,
    make_profile,
)
from tokencli.actions.prove import prove
from tokencli.errors import RefusedError
from tokencli.model import Profile, Secret, SecretRef, StoredToken, TokenSet, WireReply
from tokencli.stores.key import binding

NEW = json_reply('{"access_token":"canary-new","token_type":"Bearer","expires_in":600}')
OLD = TokenSet(
    Secret("canary-old"),
    "Bearer",
    1_799_999_000.0,
    1_800_009_000.0,
    refresh_token=Secret("canary-r"),
)


def scene(grant: str, reply: WireReply, **more: object) -> tuple[Profile, FakeEdges]:
    """Return a profile with a fresh token and a refresh token, and a server."""
    values = {"client_id": "c", "username": "jdoe"}
    profile = make_profile(grant=grant, values=values, **more)  # type: ignore[arg-type]
    edges = FakeEdges(transport=FakeTransport([reply]), keeper=filled_keeper())
    edges.the_store.kept[binding(profile).key] = StoredToken(binding(profile), OLD)
    return profile, edges


def test_the_profiles_own_secrets_are_tried() -> None:
    """Though a refresh token is stored, the grant is sent; what it proved is told."""
    profile, edges = scene("password", NEW)
    proof = prove(profile, edges)
    assert b"grant_type=password" in edges.transport.requests[0].body
    assert (proof.obtained.how, proof.unproven) == ("password", ())
    assert set(proof.proven) == {"password", "client_secret"}
    kept = edges.the_store.kept[binding(profile).key].token
    assert kept.access_token == Secret("canary-new")


def test_a_wrong_secret_is_found_out_and_the_token_stays() -> None:
    """A refusal leaves what is stored as it was."""
    profile, edges = scene("password", json_reply('{"error":"invalid_grant"}', 400))
    with pytest.raises(RefusedError):
        prove(profile, edges)
    assert edges.the_store.kept[binding(profile).key].token == OLD


def test_where_a_person_signs_in_the_refresh_token_is_tried() -> None:
    """And it is said that nobody signed in."""
    secrets = {"client_secret": keyring_ref("client_secret")}
    profile, edges = scene("authorization_code", NEW, secrets=secrets)
    proof = prove(profile, edges)
    assert b"grant_type=refresh_token" in edges.transport.requests[0].body
    assert proof.proven == ("refresh token", "client_secret")
    assert proof.unproven == ("a sign-in",)


def test_a_secret_that_has_to_be_typed_is_tried_where_somebody_can_type_it() -> None:
    """Else the refresh token is, and it is said that the secret was not."""
    secrets = {
        "password": SecretRef("prompt", "password", "p", ()),
        "client_secret": keyring_ref("client_secret"),
    }
    profile, edges = scene("password", NEW, secrets=secrets)
    proof = prove(profile, edges)
    assert (proof.obtained.how, proof.unproven) == ("refresh_token", ("password",))
    profile, edges = scene("password", NEW, secrets=secrets)
    edges.terminal.interactive, edges.terminal.answers = True, ["canary-typed"]
    assert prove(profile, edges).obtained.how == "password"
    assert b"canary-typed" in edges.transport.requests[0].body
    assert CLIENT_SECRET.reveal().encode() not in edges.transport.requests[0].body

"""One request: authentication, proof of possession, and the one second try."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import (
    FakeClock,
    FakeContext,
    FakeTransport,
    filled_keyring,
    json_reply,
    make_profile,
)
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import ConfigError
from tokencli.jwt import sign
from tokencli.jwt.decode import decode_token
from tokencli.models import HttpReply, HttpRequest, Profile, Secret, SecretRef, Signing
from tokencli.oauth.authenticated_request import (
    collect_auth_inputs,
    read_signing_certificate,
    send_authenticated_request,
)

OK = json_reply('{"access_token":"t","token_type":"DPoP"}')


def nonce(value: str, body: str = '{"error":"use_dpop_nonce"}', status: int = 400) -> HttpReply:
    """Return a reply that brings a nonce."""
    plain = json_reply(body, status)
    return HttpReply(status, {**plain.headers, "dpop-nonce": value}, plain.body)


def ctx(*replies: HttpReply) -> FakeContext:
    """Return ctx with a server that answers so."""
    return FakeContext(transport=FakeTransport(list(replies)), keyring=filled_keyring())


def proofs(requests: list[HttpRequest]) -> list[dict[str, object]]:
    """Return the claims of the proofs that were sent."""
    return [dict(decode_token(request.headers["DPoP"]).claims) for request in requests]


@pytest.mark.requirement(37)
def test_a_nonce_that_is_wanted_is_given_once() -> None:
    """RFC 9449 section 8: refused, sent again with the nonce, a new jti and the same key."""
    outside = ctx(nonce("n1"), OK)
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, outside)
    assert send_authenticated_request(profile, {"grant_type": "x"}, outside, resolver).reply is OK
    one, two = proofs(outside.transport.requests)
    assert (one.get("nonce"), two["nonce"]) == (None, "n1")
    assert one["jti"] != two["jti"]
    keys = [decode_token(r.headers["DPoP"]).header["jwk"] for r in outside.transport.requests]
    assert keys[0] == keys[1]
    assert resolver.proof_key is not None and resolver.proof_key.nonce == "n1"


@pytest.mark.requirement(37)
def test_a_second_refusal_is_an_answer() -> None:
    """No third request, however many nonces a server has."""
    outside = ctx(nonce("n1"), nonce("n2"), OK)
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, outside)
    assert send_authenticated_request(profile, {}, outside, resolver).reply.status == 400
    assert len(outside.transport.requests) == 2
    assert resolver.proof_key is not None and resolver.proof_key.nonce == "n2"


@pytest.mark.requirement(37)
def test_the_same_nonce_again_is_no_reason_to_try() -> None:
    """A server that wants the nonce that it was just given would never be content."""
    outside = ctx(nonce("n1"), nonce("n1"))
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, outside)
    send_authenticated_request(profile, {}, outside, resolver)
    outside.transport.replies = [nonce("n1"), OK]
    send_authenticated_request(profile, {}, outside, resolver)
    assert len(outside.transport.requests) == 3


@pytest.mark.requirement(37)
def test_a_nonce_of_a_good_reply_is_for_the_next_proof() -> None:
    """Section 8.2: it is kept, and nothing is sent twice."""
    outside = ctx(nonce("n2", '{"access_token":"t"}', 200), OK)
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, outside)
    send_authenticated_request(profile, {}, outside, resolver)
    send_authenticated_request(profile, {}, outside, resolver)
    assert [proof.get("nonce") for proof in proofs(outside.transport.requests)] == [None, "n2"]


def test_a_second_try_brings_a_new_assertion() -> None:
    """A server that remembers `jti` would take the first one for a replay."""
    outside = ctx(nonce("n1"), OK)
    outside.keyring.store_secret(_key_ref(), sign.generate_private_jwk())
    profile = make_profile(
        dpop=True, client_auth="private_key_jwt", secrets={"private_key": _key_ref()}
    )
    send_authenticated_request(profile, {}, outside, SecretResolver(profile, outside))
    bodies = [request.body for request in outside.transport.requests]
    assert len(set(bodies)) == 2


def _key_ref() -> SecretRef:
    return SecretRef("keyring", "private_key", "p", ("tokencli:p:private_key", "private_key"))


@pytest.mark.requirement(9)
@pytest.mark.parametrize(
    ("change", "retry"),
    [
        (lambda p: p, True),
        (lambda p: make_profile(client_auth="client_secret_jwt"), False),
        (lambda p: make_profile(dpop=True), False),
    ],
)
def test_what_is_good_for_one_sending_is_not_sent_twice(
    change: Callable[[Profile], Profile], retry: bool
) -> None:
    """An assertion or a proof in a request keeps the transport from repeating it."""
    outside = ctx(OK)
    profile = change(make_profile())
    params = {"grant_type": "client_credentials"}
    send_authenticated_request(profile, params, outside, SecretResolver(profile, outside))
    assert outside.transport.requests[0].is_retry_safe is retry


def test_without_dpop_nothing_is_proven_and_nonces_are_ignored() -> None:
    """A refusal in these words is then an answer like any other."""
    outside = ctx(nonce("n1"))
    profile = make_profile()
    assert (
        send_authenticated_request(
            profile, {}, outside, SecretResolver(profile, outside)
        ).reply.status
        == 400
    )
    assert "DPoP" not in outside.transport.requests[0].headers


def test_another_endpoint_gets_the_clients_authentication_and_no_proof() -> None:
    """Revocation and introspection are asked by the client, not with the token."""
    outside = ctx(OK)
    profile = make_profile(dpop=True)
    url = "https://id.example.com/revoke"
    send_authenticated_request(
        profile, {"token": Secret("t")}, outside, SecretResolver(profile, outside), url=url
    )
    (request,) = outside.transport.requests
    assert (request.url, "Authorization" in request.headers) == (url, True)
    assert "DPoP" not in request.headers


def test_a_certificate_goes_along_by_whatever_method() -> None:
    """RFC 8705 section 3: tokens may be bound to it though the client authenticates otherwise."""
    outside = ctx(OK)
    profile = make_profile(client_cert=("cert.pem", "key.pem"))
    send_authenticated_request(profile, {}, outside, SecretResolver(profile, outside))
    shown = outside.transport.requests[0].client_certificate
    assert shown is not None and shown.cert_file == "cert.pem"


def test_the_signing_certificate_is_read_or_told(tmp_path: Path) -> None:
    """Its bytes, nothing where none is named, and a configuration error where it is gone."""
    place = tmp_path / "cert.pem"
    place.write_bytes(b"PEM")
    assert read_signing_certificate(make_profile(signing=Signing(certificate=str(place)))) == b"PEM"
    assert read_signing_certificate(make_profile()) == b""
    with pytest.raises(ConfigError, match="can't read"):
        read_signing_certificate(make_profile(signing=Signing(certificate=str(tmp_path / "gone"))))


def test_only_what_the_method_takes_is_looked_up() -> None:
    """A public client opens no keyring, and a passphrase that nobody mentions is none."""
    outside = FakeContext(keyring=filled_keyring(), clock=FakeClock(7.0))
    for method, names in {"none": set(), "client_secret_jwt": {"client_secret"}}.items():
        profile = make_profile(client_auth=method)
        drawn = collect_auth_inputs(profile, outside, SecretResolver(profile, outside))
        assert (set(drawn.secrets), drawn.now) == (names, 7.0)

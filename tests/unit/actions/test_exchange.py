"""One request: authentication, proof of possession, and the one second try."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import (
    FakeClock,
    FakeEdges,
    FakeTransport,
    filled_keeper,
    json_reply,
    make_profile,
)
from tokencli.actions.exchange import exchange, given, signing_certificate
from tokencli.actions.secrets import Wallet
from tokencli.errors import ConfigError
from tokencli.jwt import sign
from tokencli.jwt.decode import decode
from tokencli.model import Profile, Secret, SecretRef, Signing, WireReply, WireRequest

OK = json_reply('{"access_token":"t","token_type":"DPoP"}')


def nonce(value: str, body: str = '{"error":"use_dpop_nonce"}', status: int = 400) -> WireReply:
    """Return a reply that brings a nonce."""
    plain = json_reply(body, status)
    return WireReply(status, {**plain.headers, "dpop-nonce": value}, plain.body)


def edges(*replies: WireReply) -> FakeEdges:
    """Return edges with a server that answers so."""
    return FakeEdges(transport=FakeTransport(list(replies)), keeper=filled_keeper())


def proofs(requests: list[WireRequest]) -> list[dict[str, object]]:
    """Return the claims of the proofs that were sent."""
    return [dict(decode(request.headers["DPoP"]).claims) for request in requests]


def test_37_a_nonce_that_is_wanted_is_given_once() -> None:
    """RFC 9449 section 8: refused, sent again with the nonce, a new jti and the same key."""
    outside = edges(nonce("n1"), OK)
    profile = make_profile(dpop=True)
    wallet = Wallet(profile, outside)
    assert exchange(profile, {"grant_type": "x"}, outside, wallet).reply is OK
    one, two = proofs(outside.transport.requests)
    assert (one.get("nonce"), two["nonce"]) == (None, "n1")
    assert one["jti"] != two["jti"]
    keys = [decode(r.headers["DPoP"]).header["jwk"] for r in outside.transport.requests]
    assert keys[0] == keys[1]
    assert wallet.proof_key is not None and wallet.proof_key.nonce == "n1"


def test_37_a_second_refusal_is_an_answer() -> None:
    """No third request, however many nonces a server has."""
    outside = edges(nonce("n1"), nonce("n2"), OK)
    profile = make_profile(dpop=True)
    wallet = Wallet(profile, outside)
    assert exchange(profile, {}, outside, wallet).reply.status == 400
    assert len(outside.transport.requests) == 2
    assert wallet.proof_key is not None and wallet.proof_key.nonce == "n2"


def test_37_the_same_nonce_again_is_no_reason_to_try() -> None:
    """A server that wants the nonce that it was just given would never be content."""
    outside = edges(nonce("n1"), nonce("n1"))
    profile = make_profile(dpop=True)
    wallet = Wallet(profile, outside)
    exchange(profile, {}, outside, wallet)
    outside.transport.replies = [nonce("n1"), OK]
    exchange(profile, {}, outside, wallet)
    assert len(outside.transport.requests) == 3


def test_37_a_nonce_of_a_good_reply_is_for_the_next_proof() -> None:
    """Section 8.2: it is kept, and nothing is sent twice."""
    outside = edges(nonce("n2", '{"access_token":"t"}', 200), OK)
    profile = make_profile(dpop=True)
    wallet = Wallet(profile, outside)
    exchange(profile, {}, outside, wallet)
    exchange(profile, {}, outside, wallet)
    assert [proof.get("nonce") for proof in proofs(outside.transport.requests)] == [None, "n2"]


def test_a_second_try_brings_a_new_assertion() -> None:
    """A server that remembers `jti` would take the first one for a replay."""
    outside = edges(nonce("n1"), OK)
    outside.keeper.write(_key_ref(), sign.fresh())
    profile = make_profile(
        dpop=True, client_auth="private_key_jwt", secrets={"private_key": _key_ref()}
    )
    exchange(profile, {}, outside, Wallet(profile, outside))
    bodies = [request.body for request in outside.transport.requests]
    assert len(set(bodies)) == 2


def _key_ref() -> SecretRef:
    return SecretRef("keyring", "private_key", "p", ("tokencli:p:private_key", "private_key"))


@pytest.mark.parametrize(
    ("change", "retry"),
    [
        (lambda p: p, True),
        (lambda p: make_profile(client_auth="client_secret_jwt"), False),
        (lambda p: make_profile(dpop=True), False),
    ],
)
def test_9_what_is_good_for_one_sending_is_not_sent_twice(
    change: Callable[[Profile], Profile], retry: bool
) -> None:
    """An assertion or a proof in a request keeps the transport from repeating it."""
    outside = edges(OK)
    profile = change(make_profile())
    params = {"grant_type": "client_credentials"}
    exchange(profile, params, outside, Wallet(profile, outside))
    assert outside.transport.requests[0].retry is retry


def test_without_dpop_nothing_is_proven_and_nonces_are_ignored() -> None:
    """A refusal in these words is then an answer like any other."""
    outside = edges(nonce("n1"))
    profile = make_profile()
    assert exchange(profile, {}, outside, Wallet(profile, outside)).reply.status == 400
    assert "DPoP" not in outside.transport.requests[0].headers


def test_another_endpoint_gets_the_clients_authentication_and_no_proof() -> None:
    """Revocation and introspection are asked by the client, not with the token."""
    outside = edges(OK)
    profile = make_profile(dpop=True)
    url = "https://id.example.com/revoke"
    exchange(profile, {"token": Secret("t")}, outside, Wallet(profile, outside), url=url)
    (request,) = outside.transport.requests
    assert (request.url, "Authorization" in request.headers) == (url, True)
    assert "DPoP" not in request.headers


def test_a_certificate_goes_along_by_whatever_method() -> None:
    """RFC 8705 section 3: tokens may be bound to it though the client authenticates otherwise."""
    outside = edges(OK)
    profile = make_profile(client_cert=("cert.pem", "key.pem"))
    exchange(profile, {}, outside, Wallet(profile, outside))
    shown = outside.transport.requests[0].certificate
    assert shown is not None and shown.cert_file == "cert.pem"


def test_the_signing_certificate_is_read_or_told(tmp_path: Path) -> None:
    """Its bytes, nothing where none is named, and a configuration error where it is gone."""
    place = tmp_path / "cert.pem"
    place.write_bytes(b"PEM")
    assert signing_certificate(make_profile(signing=Signing(certificate=str(place)))) == b"PEM"
    assert signing_certificate(make_profile()) == b""
    with pytest.raises(ConfigError, match="can't be read"):
        signing_certificate(make_profile(signing=Signing(certificate=str(tmp_path / "gone"))))


def test_only_what_the_method_takes_is_looked_up() -> None:
    """A public client opens no keyring, and a passphrase that nobody mentions is none."""
    outside = FakeEdges(keeper=filled_keeper(), clock=FakeClock(7.0))
    for method, names in {"none": set(), "client_secret_jwt": {"client_secret"}}.items():
        profile = make_profile(client_auth=method)
        drawn = given(profile, outside, Wallet(profile, outside))
        assert (set(drawn.secrets), drawn.now) == (names, 7.0)

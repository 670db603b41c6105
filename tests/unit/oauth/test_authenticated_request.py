"""Authenticated requests: client authentication, DPoP proof, and the one retry with a nonce."""

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
    """Return a reply with a DPoP nonce."""
    plain = json_reply(body, status)
    return HttpReply(status, {**plain.headers, "dpop-nonce": value}, plain.body)


def ctx(*replies: HttpReply) -> FakeContext:
    """Return a context whose server sends these replies."""
    return FakeContext(transport=FakeTransport(list(replies)), keyring=filled_keyring())


def proofs(requests: list[HttpRequest]) -> list[dict[str, object]]:
    """Return the claims of the proofs that were sent."""
    return [dict(decode_token(request.headers["DPoP"]).claims) for request in requests]


@pytest.mark.requirement(37)
def test_required_nonce_is_sent_once() -> None:
    """RFC 9449 section 8: sent again with the nonce, a new jti and the same key."""
    context = ctx(nonce("n1"), OK)
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, context)
    assert send_authenticated_request(profile, {"grant_type": "x"}, context, resolver).reply is OK
    one, two = proofs(context.transport.requests)
    assert (one.get("nonce"), two["nonce"]) == (None, "n1")
    assert one["jti"] != two["jti"]
    keys = [decode_token(r.headers["DPoP"]).header["jwk"] for r in context.transport.requests]
    assert keys[0] == keys[1]
    assert resolver.proof_key is not None and resolver.proof_key.nonce == "n1"


@pytest.mark.requirement(37)
def test_second_refusal_is_final() -> None:
    """There is no third request, whatever nonces the server sends."""
    context = ctx(nonce("n1"), nonce("n2"), OK)
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, context)
    assert send_authenticated_request(profile, {}, context, resolver).reply.status == 400
    assert len(context.transport.requests) == 2
    assert resolver.proof_key is not None and resolver.proof_key.nonce == "n2"


@pytest.mark.requirement(37)
def test_repeated_nonce_is_not_retried() -> None:
    """A server that requires the nonce that it has just received would never accept one."""
    context = ctx(nonce("n1"), nonce("n1"))
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, context)
    send_authenticated_request(profile, {}, context, resolver)
    context.transport.replies = [nonce("n1"), OK]
    send_authenticated_request(profile, {}, context, resolver)
    assert len(context.transport.requests) == 3


@pytest.mark.requirement(37)
def test_nonce_of_a_success_is_used_next_time() -> None:
    """RFC 9449 section 8.2: it is saved, and nothing is sent twice."""
    context = ctx(nonce("n2", '{"access_token":"t"}', 200), OK)
    profile = make_profile(dpop=True)
    resolver = SecretResolver(profile, context)
    send_authenticated_request(profile, {}, context, resolver)
    send_authenticated_request(profile, {}, context, resolver)
    assert [proof.get("nonce") for proof in proofs(context.transport.requests)] == [None, "n2"]


def test_retry_has_a_new_assertion() -> None:
    """A server that remembers `jti` would take the first one for a replay."""
    context = ctx(nonce("n1"), OK)
    context.keyring.store_secret(_key_ref(), sign.generate_private_jwk())
    profile = make_profile(
        dpop=True, client_auth="private_key_jwt", secrets={"private_key": _key_ref()}
    )
    send_authenticated_request(profile, {}, context, SecretResolver(profile, context))
    bodies = [request.body for request in context.transport.requests]
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
def test_single_use_requests_are_not_retried(
    change: Callable[[Profile], Profile], retry: bool
) -> None:
    """The transport doesn't retry a request with an assertion or a proof."""
    context = ctx(OK)
    profile = change(make_profile())
    params = {"grant_type": "client_credentials"}
    send_authenticated_request(profile, params, context, SecretResolver(profile, context))
    assert context.transport.requests[0].is_retry_safe is retry


def test_nonce_is_ignored_without_dpop() -> None:
    """The refusal is then treated like any other."""
    context = ctx(nonce("n1"))
    profile = make_profile()
    assert (
        send_authenticated_request(
            profile, {}, context, SecretResolver(profile, context)
        ).reply.status
        == 400
    )
    assert "DPoP" not in context.transport.requests[0].headers


def test_other_endpoints_get_no_proof() -> None:
    """Revocation and introspection need client authentication, not a proof."""
    context = ctx(OK)
    profile = make_profile(dpop=True)
    url = "https://id.example.com/revoke"
    send_authenticated_request(
        profile, {"token": Secret("t")}, context, SecretResolver(profile, context), url=url
    )
    (request,) = context.transport.requests
    assert (request.url, "Authorization" in request.headers) == (url, True)
    assert "DPoP" not in request.headers


def test_client_certificate_is_used_with_every_method() -> None:
    """RFC 8705 section 3: tokens can be bound to it even if the client authenticates otherwise."""
    context = ctx(OK)
    profile = make_profile(client_cert=("cert.pem", "key.pem"))
    send_authenticated_request(profile, {}, context, SecretResolver(profile, context))
    certificate = context.transport.requests[0].client_certificate
    assert certificate is not None and certificate.cert_file == "cert.pem"


def test_signing_certificate_is_read(tmp_path: Path) -> None:
    """Its bytes, nothing if none is configured, and ConfigError if the file is missing."""
    path = tmp_path / "cert.pem"
    path.write_bytes(b"PEM")
    assert read_signing_certificate(make_profile(signing=Signing(certificate=str(path)))) == b"PEM"
    assert read_signing_certificate(make_profile()) == b""
    with pytest.raises(ConfigError, match="can't read"):
        read_signing_certificate(make_profile(signing=Signing(certificate=str(tmp_path / "gone"))))


def test_only_secrets_of_the_method_are_resolved() -> None:
    """A public client doesn't open the keyring, and a passphrase is optional."""
    context = FakeContext(keyring=filled_keyring(), clock=FakeClock(7.0))
    for method, names in {"none": set(), "client_secret_jwt": {"client_secret"}}.items():
        profile = make_profile(client_auth=method)
        inputs = collect_auth_inputs(profile, context, SecretResolver(profile, context))
        assert (set(inputs.secrets), inputs.now) == (names, 7.0)

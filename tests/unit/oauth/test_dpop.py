"""DPoP proofs and nonces (RFC 9449)."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from joserfc.jwk import ECKey
from joserfc.jws import deserialize_compact

from tokencli.errors import StorageError, UsageError
from tokencli.jwt.decode import decode_token
from tokencli.models import DpopKey, HttpReply, Secret
from tokencli.oauth import dpop

NOW = 1_800_000_000.9


@pytest.mark.requirement(37)
def test_proof_names_the_request_and_the_key() -> None:
    """RFC 9449 section 4.2: typ, an asymmetric alg, the public key only, jti, htm, htu and iat."""
    proof = dpop.create_proof(dpop.generate_dpop_key(), "POST", "https://id.example.com/token", NOW)
    decoded = decode_token(proof)
    jwk = decoded.header["jwk"]
    assert isinstance(jwk, dict)
    assert (decoded.header["typ"], decoded.header["alg"]) == ("dpop+jwt", "ES256")
    assert set(jwk) == {"kty", "crv", "x", "y"}
    assert set(decoded.claims) == {"jti", "htm", "htu", "iat"}
    assert (decoded.claims["htm"], decoded.claims["iat"]) == ("POST", 1_800_000_000)
    assert deserialize_compact(proof, ECKey.import_key(jwk), algorithms=["ES256"])


@pytest.mark.requirement(37)
def test_proofs_are_unique() -> None:
    """Even with the same key and time, `jti` differs."""
    key = dpop.generate_dpop_key()
    proof = {dpop.create_proof(key, "POST", "https://h.example/t", NOW) for _ in range(20)}
    assert len({decode_token(one).claims["jti"] for one in proof}) == 20


@pytest.mark.requirement(37)
def test_proof_with_token_and_nonce() -> None:
    """RFC 9449 section 4.2: `ath` is the token's hash, `nonce` the server's."""
    proof = dpop.create_proof(
        dpop.generate_dpop_key(),
        "GET",
        "https://h.example/x",
        NOW,
        nonce="n1",
        token=Secret("canary"),
    )
    expected = urlsafe_b64encode(sha256(b"canary").digest()).rstrip(b"=").decode()
    assert decode_token(proof).claims["ath"] == expected
    assert decode_token(proof).claims["nonce"] == "n1"


@pytest.mark.requirement(37)
@pytest.mark.parametrize(
    ("url", "htu"),
    [
        ("https://h.example/a/b?c=d#e", "https://h.example/a/b"),
        ("HTTPS://H.Example:443", "https://h.example/"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("https://[::1]:4443/x", "https://[::1]:4443/x"),
        ("https://user:canary@h.example/x", "https://h.example/x"),
    ],
)
def test_htu_has_no_query_and_no_fragment(url: str, htu: str) -> None:
    """RFC 9449 sections 4.2 and 4.3: as the server compares it."""
    assert dpop.htu_of_url(url) == htu


@pytest.mark.parametrize(
    "url", ["", "api", "/x", "ftp://h.example/x", "https://", "https://h:x/", "https://h/\n"]
)
def test_bad_url_is_a_usage_error(url: str) -> None:
    """The message shows what a URL looks like."""
    with pytest.raises(UsageError) as caught:
        dpop.htu_of_url(url)
    assert caught.value.fix and "--url" in caught.value.fix


def test_damaged_stored_key_is_not_quoted() -> None:
    """It comes from the store, so it is a storage error."""
    with pytest.raises(StorageError) as caught:
        dpop.create_proof(DpopKey(Secret("{canary-key")), "GET", "https://h.example/", NOW)
    assert "canary" not in caught.value.message


def reply(status: int, body: str = "", **headers: str) -> HttpReply:
    """Return a reply with these headers; `_` in a name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status, named, body.encode())


@pytest.mark.requirement(37)
@pytest.mark.parametrize(
    ("refusal", "expected_retry"),
    [
        (reply(400, '{"error":"use_dpop_nonce"}', dpop_nonce="n"), True),
        (reply(401, www_authenticate='DPoP error="use_dpop_nonce"', dpop_nonce="n"), True),
        (reply(400, '{"error":"use_dpop_nonce"}'), False),
        (reply(400, '{"error":"invalid_grant"}', dpop_nonce="n"), False),
        (reply(200, '{"x":"use_dpop_nonce"}', dpop_nonce="n"), False),
        (reply(503, '{"error":"use_dpop_nonce"}', dpop_nonce="n"), False),
        (reply(400, '{"error":"use_dpop_nonce"}', dpop_nonce="n\x00"), False),
    ],
)
def test_only_a_missing_nonce_is_retried(refusal: HttpReply, expected_retry: bool) -> None:
    """RFC 9449 sections 8 and 9: status, error code and the nonce must all be present."""
    assert dpop.requires_nonce(refusal) is expected_retry

"""Loading private keys and signing with them."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry, deserialize_compact

from tokencli.jwt import sign
from tokencli.models import Secret

RSA = rsa.generate_private_key(65537, 2048)
KEYS = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
PASSPHRASE = Secret("canary-passphrase-4c1d")


def pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8, lock: bool = False) -> Secret:
    """Return a key in PEM format, encrypted if `lock` is set."""
    how: KeySerializationEncryption = NoEncryption()
    if lock:
        how = BestAvailableEncryption(PASSPHRASE.reveal().encode())
    return Secret(key.private_bytes(Encoding.PEM, form, how).decode())  # type: ignore[attr-defined]


@pytest.mark.parametrize("alg", KEYS)
@pytest.mark.parametrize("lock", [False, True])
def test_each_key_type_signs_with_its_default_algorithm(alg: str, lock: bool) -> None:
    """RSA, EC and Ed25519 from PEM, encrypted or not; the signature is valid."""
    key = sign.load_private_key(pem(KEYS[alg], lock=lock), PASSPHRASE)
    assert key.select_algorithm() == alg
    made = key.sign_jwt({"alg": alg}, {"a": 1})
    registry = JWSRegistry(algorithms=["Ed25519" if alg == "EdDSA" else alg])
    if alg == "EdDSA":
        made_again = key.sign_jwt({"alg": "Ed25519"}, {"a": 1})
        assert made.split(".")[1] == made_again.split(".")[1]
        made = made_again
    assert deserialize_compact(made, JWKRegistry.import_key(key.public_jwk()), registry=registry)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_older_and_single_line_pem(form: PrivateFormat) -> None:
    """PKCS#1, and a key with line breaks written as \\n, as in JSON and in variables."""
    text = pem(RSA, form)
    on_one_line = Secret(text.reveal().replace("\n", "\\n"))
    assert (
        sign.load_private_key(text).public_jwk() == sign.load_private_key(on_one_line).public_jwk()
    )


@pytest.mark.parametrize("alg", KEYS)
def test_jwk_has_its_key_id(alg: str) -> None:
    """`kid` of the key is used in assertions unless the profile sets one."""
    plain = sign.load_private_key(pem(KEYS[alg]))
    jwk = {**plain.key.as_dict(private=True), "kid": "k1"}
    key = sign.load_private_key(Secret(json.dumps(jwk)))
    assert (key.kid, key.public_jwk()) == ("k1", plain.public_jwk())


def test_service_account_file() -> None:
    """Google's format: one member has the key, another its ID."""
    text = json.dumps({"private_key": pem(RSA).reveal(), "private_key_id": "g1"})
    key = sign.load_private_key(Secret(text))
    assert (key.kid, key.select_algorithm()) == ("g1", "RS256")


@pytest.mark.requirement(37)
@pytest.mark.parametrize("alg", KEYS)
def test_public_jwk_has_no_private_members(alg: str) -> None:
    """Only the members of RFC 7638."""
    public = sign.load_private_key(pem(KEYS[alg])).public_jwk()
    assert set(public) <= {"kty", "crv", "x", "y", "n", "e"}


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_rsa_key_works_with_all_its_algorithms(alg: str) -> None:
    """The requested one, if it fits the key."""
    assert sign.load_private_key(pem(RSA)).select_algorithm(alg) == alg


@pytest.mark.parametrize(
    ("text", "passphrase", "says"),
    [
        (pem(RSA, lock=True), None, "encrypted"),
        (pem(RSA, lock=True), Secret("canary-wrong"), "passphrase is wrong"),
        (pem(x25519.X25519PrivateKey.generate()), None, "no algorithm"),
        (Secret(json.dumps({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"})), None, "damaged"),
        (Secret(json.dumps({"kty": "RSA", "n": "AQAB", "e": "AQAB"})), None, "not a JWK"),
        (Secret("[" * 100_000), None, "not a private key"),
        (Secret('{"a":' + "[" * 100_000), None, "starts like JSON"),
        (
            Secret(RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()),
            None,
            "not a private key",
        ),
    ],
)  # fmt: skip
def test_unusable_key_is_described_without_its_content(
    text: Secret, passphrase: Secret | None, says: str
) -> None:
    """Encrypted, public, damaged or of another type: one error class, no key material."""
    with pytest.raises(sign.UnusableKeyError, match=says) as caught:
        sign.load_private_key(text, passphrase).select_algorithm()
    assert "canary" not in str(caught.value) and "AAAA" not in str(caught.value)


def test_passphrase_of_an_unencrypted_key_is_ignored() -> None:
    """It may belong to the profile's other key."""
    assert sign.load_private_key(pem(RSA), PASSPHRASE).select_algorithm() == "RS256"


def test_short_secret_signs_without_a_warning() -> None:
    """Servers hand them out, so a warning would not help."""
    made = sign.sign_with_secret(Secret("short"), {"alg": "HS256"}, {"a": 1})
    assert made.count(".") == 2


def test_thumbprint_needs_a_certificate() -> None:
    """A key file is refused."""
    with pytest.raises(sign.UnusableKeyError, match="no PEM certificate"):
        sign.certificate_thumbprints(pem(RSA).reveal().encode())

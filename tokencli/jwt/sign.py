"""Sign JWTs with a private key or a shared secret (RFC 7515, RFC 7518, RFC 8037)."""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import encode_base64url
from tokencli.models import Secret

ASYMMETRIC_ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""Algorithm -> type and curve of its keys; the first one for a type and curve is the default."""
HMAC_ALGORITHMS = ("HS256", "HS384", "HS512")
"""Algorithms that sign with a shared secret."""
SERVICE_ACCOUNT_KEY_MEMBERS = (("private_key", "private_key_id"), ("key", "keyId"))
"""Members with the key and its ID in service account files: Google's, then ZITADEL's."""


class UnusableKeyError(ValueError):
    """The key can't be used; the text says why, without quoting the key."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key, with its key ID if the file contains one."""

    key: Any = field(repr=False)
    kid: str | None = None

    def select_algorithm(self, alg: str | None = None) -> str:
        """Return the algorithm to sign with: `alg`, or the default for this key.

        Raises:
            UnusableKeyError: the key can't be used for it.
        """
        kind = (str(self.key.key_type), _curve_name(self.key))
        usable = [name for name, key_kind in ASYMMETRIC_ALGORITHMS.items() if key_kind == kind]
        if not usable:
            raise UnusableKeyError(
                f"there is no algorithm for a key of type {' '.join(filter(None, kind))}"
            )
        if alg is None:
            return usable[0]
        if alg not in usable:
            raise UnusableKeyError(f"it works with {', '.join(usable)}, but not with {alg[:40]!r}")
        return alg

    def public_jwk(self) -> dict[str, Any]:
        """Return the public key as a JWK, without any other members."""
        members = dict(self.key.as_dict(private=False))
        return {
            name: members[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in members
        }

    def sign_jwt(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Return the compact JWS; the algorithm is the `alg` of the header."""
        return _serialize_jws(header, claims, self.key)


def load_private_key(text: Secret, passphrase: Secret | None = None) -> PrivateKey:
    """Read a private key: PEM (encrypted or not), a JWK, or the JSON file of a service account.

    Raises:
        UnusableKeyError: it isn't a private key, or the passphrase is missing or wrong.
    """
    content = text.reveal().strip()
    if not content.startswith("{"):
        return PrivateKey(_load_pem_key(content, passphrase))
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        raise UnusableKeyError("it starts like JSON, but is not valid JSON") from None
    for name, kid in SERVICE_ACCOUNT_KEY_MEMBERS:
        if inner := _nonempty_text(members.get(name)):
            return PrivateKey(_load_pem_key(inner, passphrase), _nonempty_text(members.get(kid)))
    if "d" not in members or members.get("kty") not in ("RSA", "EC", "OKP"):
        raise UnusableKeyError("it is JSON, but not a JWK of an asymmetric private key")
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    try:
        return PrivateKey(JWKRegistry.import_key(members), _nonempty_text(members.get("kid")))
    except (JoseError, ValueError, TypeError, KeyError):
        raise UnusableKeyError("it is a damaged JWK") from None


def sign_with_secret(secret: Secret, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return the compact JWS signed with a shared secret (HS256, HS384 or HS512).

    Raises:
        UnusableKeyError: the secret is a PEM key.
    """
    from joserfc.jwk import OctKey

    text = secret.reveal()
    if "-----BEGIN " in text:  # joserfc refuses only public keys, and not in each version
        raise UnusableKeyError("it is a PEM key, not a shared secret")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joserfc warns about short secrets
            key = OctKey.import_key(text.encode())
    except ValueError:
        raise UnusableKeyError("it is a PEM key, not a shared secret") from None
    return _serialize_jws(header, claims, key)


def generate_private_jwk() -> Secret:
    """Generate a private key for ES256 and return it as a JWK in JSON."""
    from joserfc.jwk import ECKey

    members = ECKey.generate_key("P-256").as_dict(private=True)
    return Secret(json.dumps({name: members[name] for name in ("kty", "crv", "x", "y", "d")}))


def generate_jti() -> str:
    """Return a unique `jti`: 192 random bits."""
    return encode_base64url(os.urandom(24))


def certificate_thumbprints(pem: bytes) -> dict[str, str]:
    """Return `x5t` and `x5t#S256` of the first certificate in a PEM file (RFC 7515 section 4.1.7).

    Raises:
        UnusableKeyError: there is none.
    """
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate(pem)
    except ValueError:
        raise UnusableKeyError("it contains no PEM certificate") from None
    # `x5t` is defined with SHA-1; it only identifies the certificate.
    digests = {"x5t": SHA1(), "x5t#S256": SHA256()}  # noqa: S303
    return {
        name: encode_base64url(certificate.fingerprint(digest)) for name, digest in digests.items()
    }


def _load_pem_key(text: str, passphrase: Secret | None) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    pem = text.replace("\\n", "\n").encode()
    try:
        key = load_pem_private_key(pem, passphrase.reveal().encode() if passphrase else None)
    except TypeError:
        if passphrase is not None:  # the key is not encrypted: ignore the passphrase
            return _load_pem_key(text, None)
        raise UnusableKeyError("it is encrypted, and the profile has no key_passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        passphrase_hint = ", or the passphrase is wrong" if passphrase is not None else ""
        raise UnusableKeyError(f"it is not a private key as PEM or JWK{passphrase_hint}") from None
    unencrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for kind in (RSAKey, ECKey, OKPKey):
        if kind.binding.check_cryptography_key(key):
            return kind.import_key(unencrypted)
    raise UnusableKeyError("JWTs can't be signed with a key of this type")


def _serialize_jws(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any) -> str:
    from joserfc import jws

    payload = json.dumps(claims, separators=(",", ":")).encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns about the name EdDSA, which servers use
        return jws.serialize_compact(
            dict(header), payload, key, registry=_jws_registry(str(header["alg"]))
        )


def _jws_registry(alg: str) -> Any:
    from joserfc.jws import JWSRegistry

    return JWSRegistry(algorithms=[alg], strict_check_header=False)


def _curve_name(key: Any) -> str | None:
    return _nonempty_text(key.as_dict(private=False).get("crv"))


def _nonempty_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

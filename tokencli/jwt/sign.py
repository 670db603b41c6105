"""Sign JWTs with a private key or a shared secret (RFC 7515, RFC 7518, RFC 8037)."""

import json
import os
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tokencli.fast_dataclass import dataclass
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
"""Asymmetric algorithm -> the type and curve of its keys; a key's usual one is the first of its row."""
HMAC_ALGORITHMS = ("HS256", "HS384", "HS512")
"""Algorithms that sign with a secret that both sides know."""
SERVICE_ACCOUNT_KEY_MEMBERS = (("private_key", "private_key_id"), ("key", "keyId"))
"""Members with the key and its name in the files of service accounts: Google's, then ZITADEL's."""
PRIVATE_JWK_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""Members of a JWK that must never leave (RFC 7518 section 6)."""


class UnusableKeyError(ValueError):
    """A key that can't be used; the text says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key, and the name by which the server knows it, where the key itself carries one."""

    key: Any = field(repr=False)
    kid: str | None = None

    def select_algorithm(self, wanted: str | None = None) -> str:
        """Return the algorithm to sign with; raises BadKey where the one wanted needs another key."""
        kind = (str(self.key.key_type), _curve_name(self.key))
        fitting = [alg for alg, of in ASYMMETRIC_ALGORITHMS.items() if of == kind]
        if not fitting:
            raise UnusableKeyError(
                f"no algorithm is known for a key of the kind {kind[0]} {kind[1] or ''}"
            )
        if wanted is None:
            return fitting[0]
        if wanted not in fitting:
            raise UnusableKeyError(
                f"the key is good for {', '.join(fitting)}, and not for {wanted[:40]!r}"
            )
        return wanted

    def public_jwk(self) -> dict[str, Any]:
        """Return the public half as a JWK, with nothing else in it."""
        found = dict(self.key.as_dict(private=False))
        return {
            name: value
            for name, value in found.items()
            if name in ("kty", "crv", "x", "y", "n", "e") and name not in PRIVATE_JWK_MEMBERS
        }

    def sign_jwt(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Return the compact JWS; `alg` is in the header."""
        return _serialize_jws(header, claims, self.key)


def load_private_key(text: Secret, passphrase: Secret | None = None) -> PrivateKey:
    """Read a private key: PEM (encrypted or not), a JWK, or the JSON file of a service account.

    Raises:
        BadKey: it is none, is public or symmetric, or the passphrase is missing or wrong.
    """
    found = text.reveal().strip()
    if not found.startswith("{"):
        return PrivateKey(_load_pem_key(found, passphrase))
    try:
        members = json.loads(found)
    except (ValueError, RecursionError):
        raise UnusableKeyError("it begins like JSON, and is not") from None
    for name, kid in SERVICE_ACCOUNT_KEY_MEMBERS:
        if inner := _nonempty_text(members.get(name)):
            return PrivateKey(_load_pem_key(inner, passphrase), _nonempty_text(members.get(kid)))
    if "d" not in members or members.get("kty") not in ("RSA", "EC", "OKP"):
        raise UnusableKeyError("it is JSON, but no JWK of an asymmetric private key")
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    try:
        return PrivateKey(JWKRegistry.import_key(members), _nonempty_text(members.get("kid")))
    except (JoseError, ValueError, TypeError, KeyError):
        raise UnusableKeyError("it is a JWK, but a damaged one") from None


def sign_with_secret(secret: Secret, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return the compact JWS that a shared secret signs (HS256 and its kin).

    Raises:
        BadKey: it is no shared secret but a key in PEM form.
    """
    from joserfc.jwk import OctKey

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joserfc's, about secrets that are short
            key = OctKey.import_key(secret.reveal().encode())
    except ValueError:
        raise UnusableKeyError(
            "it is a key in PEM form, which is no secret that two share"
        ) from None
    return _serialize_jws(header, claims, key)


def generate_private_jwk() -> Secret:
    """Make a private key for ES256 and return it as a JWK in JSON."""
    from joserfc.jwk import ECKey

    made = ECKey.generate_key("P-256").as_dict(private=True)
    return Secret(json.dumps({name: made[name] for name in ("kty", "crv", "x", "y", "d")}))


def generate_jti() -> str:
    """Return a `jti` that nobody has used before: 192 random bits."""
    return _encode_base64url(os.urandom(24))


def certificate_thumbprints(pem: bytes) -> dict[str, str]:
    """Return `x5t` and `x5t#S256` of the first certificate in a PEM file (RFC 7515 section 4.1.7).

    Raises:
        BadKey: there is none.
    """
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate(pem)
    except ValueError:
        raise UnusableKeyError("it holds no PEM certificate") from None
    # SHA-1 is what `x5t` is made of; it names the certificate and proves nothing.
    digests = {"x5t": SHA1(), "x5t#S256": SHA256()}  # noqa: S303
    return {
        name: _encode_base64url(certificate.fingerprint(digest)) for name, digest in digests.items()
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
        if passphrase is not None:  # the key is open: a passphrase too many does no harm
            return _load_pem_key(text, None)
        raise UnusableKeyError("it is encrypted, and the profile names no key_passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = ", or its passphrase is another" if passphrase is not None else ""
        raise UnusableKeyError(f"it is no private key in PEM form or as a JWK{wrong}") from None
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for kind in (RSAKey, ECKey, OKPKey):
        if kind.binding.check_cryptography_key(key):
            return kind.import_key(plain)
    raise UnusableKeyError("it is a key of a kind that JWTs don't know")


def _serialize_jws(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any) -> str:
    from joserfc import jws

    payload = json.dumps(claims, separators=(",", ":")).encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc's, about the name EdDSA that servers know
        return jws.serialize_compact(
            dict(header), payload, key, registry=_jws_registry(str(header["alg"]))
        )


def _jws_registry(alg: str) -> Any:
    from joserfc.jws import JWSRegistry

    return JWSRegistry(algorithms=[alg], strict_check_header=False)


def _curve_name(key: Any) -> str | None:
    return _nonempty_text(key.as_dict(private=False).get("crv"))


def _encode_base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _nonempty_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

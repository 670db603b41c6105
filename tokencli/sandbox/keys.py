"""The sandbox's signing keys, generated at each start."""

import secrets
from collections.abc import Mapping
from typing import Any


class SigningKeys:
    """Sign JWTs. joserfc is imported only when a sandbox starts."""

    def __init__(self) -> None:
        from joserfc import jwk

        self._ec_key = jwk.ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"})
        self._ec_key.ensure_kid()
        self._hmac_key = jwk.OctKey.generate_key(256)

    def sign_es256(self, claims: Mapping[str, object], typ: str) -> str:
        """Sign with the key whose public part is in `public_jwks`."""
        from joserfc import jwt

        header = {"alg": "ES256", "kid": self._ec_key.kid, "typ": typ}
        return jwt.encode(header, dict(claims), self._ec_key)

    def sign_hs256(self, claims: Mapping[str, object]) -> str:
        """Sign with a symmetric key that only the server has."""
        from joserfc import jwt

        return jwt.encode({"alg": "HS256", "typ": "JWT"}, dict(claims), self._hmac_key)

    def public_jwks(self) -> Mapping[str, Any]:
        """Return the public keys as a JWK Set (RFC 7517 section 5)."""
        from joserfc import jwk

        return dict(jwk.KeySet([self._ec_key]).as_dict(private=False))


def generate_opaque_token() -> str:
    """Return a new opaque token: 64 hexadecimal digits."""
    return secrets.token_hex(32)

"""The keys that a sandbox signs its tokens with, new each time it starts."""

import secrets
from collections.abc import Mapping
from typing import Any


class Keys:
    """Sign JWTs; the import of joserfc waits until a sandbox starts."""

    def __init__(self) -> None:
        from joserfc import jwk

        self._public = jwk.ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"})
        self._public.ensure_kid()
        self._shared = jwk.OctKey.generate_key(256)

    def es256(self, claims: Mapping[str, object], typ: str) -> str:
        """Sign with the key whose public half `jwks` shows."""
        from joserfc import jwt

        header = {"alg": "ES256", "kid": self._public.kid, "typ": typ}
        return jwt.encode(header, dict(claims), self._public)

    def hs256(self, claims: Mapping[str, object]) -> str:
        """Sign with a key that only the server has."""
        from joserfc import jwt

        return jwt.encode({"alg": "HS256", "typ": "JWT"}, dict(claims), self._shared)

    def jwks(self) -> Mapping[str, Any]:
        """Return the public keys as a JWK Set (RFC 7517 section 5)."""
        from joserfc import jwk

        return dict(jwk.KeySet([self._public]).as_dict(private=False))


def opaque() -> str:
    """Return a new opaque token: 64 hexadecimal digits."""
    return secrets.token_hex(32)

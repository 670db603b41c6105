"""DPoP at the sandbox: check proofs and remember them (RFC 9449 section 4.3)."""

import json
from base64 import urlsafe_b64decode
from threading import Lock

from tokencli.sandbox.http_messages import OAuthError, Request, hash_base64url

MAX_PROOF_AGE_S = 60.0
ALGORITHMS = ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"]
"""Asymmetric algorithms of proofs; the metadata lists them."""


class ProofChecker:
    """Checks proofs, each of which is accepted once."""

    def __init__(self) -> None:
        self._used_ids: set[str] = set()
        self._lock = Lock()

    def check_proof(self, request: Request, now: float, access_token: str | None = None) -> str:
        """Return the thumbprint of the proof's key (RFC 7638).

        Raises:
            OAuthError: the proof is missing or wrong.
        """
        from joserfc import jwk, jwt
        from joserfc.errors import JoseError

        proof = request.headers.get("dpop", "")
        try:
            encoded = proof.partition(".")[0]
            header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
            key = jwk.import_key(header["jwk"])
            claims = jwt.decode(proof, key, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OAuthError(
                "invalid_dpop_proof", "the DPoP proof can't be read or verified"
            ) from error
        url = f"https://{request.headers.get('host', '')}{request.path}"
        if header.get("typ") != "dpop+jwt" or key.is_private:
            raise OAuthError("invalid_dpop_proof", "typ is not dpop+jwt, or the key is private")
        if (claims.get("htm"), claims.get("htu")) != (request.method, url):
            raise OAuthError("invalid_dpop_proof", "the DPoP proof is for another request")
        issued_at = claims.get("iat")
        if not isinstance(issued_at, int | float) or abs(now - issued_at) > MAX_PROOF_AGE_S:
            raise OAuthError("invalid_dpop_proof", "the DPoP proof is too old or not valid yet")
        if access_token is not None and claims.get("ath") != hash_base64url(
            access_token.encode("ascii", "replace")
        ):
            raise OAuthError("invalid_dpop_proof", "the DPoP proof is for another token")
        proof_id = str(claims.get("jti", ""))
        with self._lock:
            if not proof_id or proof_id in self._used_ids:
                raise OAuthError(
                    "invalid_dpop_proof", "the DPoP proof has no jti, or was used before"
                )
            self._used_ids.add(proof_id)
        return key.thumbprint()

"""DPoP (RFC 9449): keys, proofs and nonces for tokens that are bound to a key."""

from dataclasses import replace
from hashlib import sha256
from urllib.parse import urlsplit

from tokencli.errors import StorageError, UsageError
from tokencli.jwt import sign
from tokencli.jwt.decode import encode_base64url
from tokencli.models import DpopKey, HttpReply, HttpRequest, Secret
from tokencli.protocols import Credentials

PROOF_HEADER = "DPoP"
NONCE_HEADER = "dpop-nonce"
"""The header with the nonce for the next proof (section 8), in lower case."""
MAX_NONCE_LENGTH = 1024
_DEFAULT_PORTS = {"https": 443, "http": 80}


def generate_dpop_key() -> DpopKey:
    """Generate the key for a new token."""
    return DpopKey(sign.generate_private_jwk())


def add_proof(request: HttpRequest, credentials: Credentials, now: float) -> HttpRequest:
    """Return the token request with a proof by this run's key, which is generated if needed.

    A proof is valid for one request only, so the request must not be sent twice.
    """
    key = credentials.proof_key = credentials.proof_key or generate_dpop_key()
    proof = create_proof(key, request.method, request.url, now, nonce=key.nonce)
    return replace(request, headers={**request.headers, PROOF_HEADER: proof}, is_retry_safe=False)


def save_nonce(reply: HttpReply, credentials: Credentials) -> bool:
    """Save the nonce in a reply for the next proof; return whether it is a new one."""
    nonce = read_nonce(reply)
    if nonce is None or credentials.proof_key is None or nonce == credentials.proof_key.nonce:
        return False
    credentials.proof_key = replace(credentials.proof_key, nonce=nonce)
    return True


def create_proof(
    key: DpopKey,
    method: str,
    url: str,
    now: float,
    *,
    nonce: str | None = None,
    token: Secret | None = None,
) -> str:
    """Return a proof for one request (section 4.2); `token` is the access token in a resource request.

    Raises:
        UsageError: `url` is not a URL for a request.
        StorageError: the stored key is damaged.
    """
    try:
        private_key = sign.load_private_key(key.private_jwk)
        alg = private_key.select_algorithm()
    except sign.UnusableKeyError as error:
        raise StorageError(
            f"the stored DPoP key of the token can't be used: {error}",
            cause="the token is useless without it; delete both and get a new token",
            fix="tokencli logout",
        ) from None
    claims: dict[str, object] = {
        "jti": sign.generate_jti(),
        "htm": method,
        "htu": htu_of_url(url),
        "iat": int(now),
    }
    if token is not None:
        digest = sha256(token.reveal().encode("ascii", "replace")).digest()
        claims["ath"] = encode_base64url(digest)
    if nonce is not None:
        claims["nonce"] = nonce
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": private_key.public_jwk()}
    return private_key.sign_jwt(header, claims)


def htu_of_url(url: str) -> str:
    """Return a URL as the `htu` claim: normalized, without query and fragment (section 4.3).

    Raises:
        UsageError: it is not an http or https URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _DEFAULT_PORTS or not url.isascii() or not url.isprintable():
        raise UsageError(
            "a DPoP proof needs the http or https URL of the request",
            fix="add --url https://api.example.com/orders",
        )
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        authority += f":{port}"
    return f"{parts.scheme}://{authority}{parts.path or '/'}"


def read_nonce(reply: HttpReply) -> str | None:
    """Return the nonce that the server requires in the next proof, if the reply has a valid one."""
    nonce = reply.headers.get(NONCE_HEADER)
    if nonce and len(nonce) <= MAX_NONCE_LENGTH and nonce.isascii() and nonce.isprintable():
        return nonce
    return None


def requires_nonce(reply: HttpReply) -> bool:
    """Return whether a proof was refused only because it lacked the nonce (sections 8 and 9)."""
    if reply.status not in (400, 401) or read_nonce(reply) is None:
        return False
    text = reply.headers.get("www-authenticate", "") + reply.body[:4096].decode("utf-8", "replace")
    return "use_dpop_nonce" in text

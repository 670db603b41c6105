"""DPoP: prove with each request that one holds the key that a token is bound to (RFC 9449)."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import urlsplit

from tokencli.errors import StorageError, UsageError
from tokencli.jwt import sign
from tokencli.models import DpopKey, HttpReply, Secret

PROOF_HEADER = "DPoP"
NONCE_HEADER = "dpop-nonce"
"""Where a server says which nonce the next proof is to carry (section 8); names are lower-case here."""
_DEFAULT_PORTS = {"https": 443, "http": 80}


def generate_dpop_key() -> DpopKey:
    """Make a key for a new token."""
    return DpopKey(sign.generate_private_jwk())


def create_proof(
    key: DpopKey,
    method: str,
    url: str,
    now: float,
    *,
    nonce: str | None = None,
    token: Secret | None = None,
) -> str:
    """Return a proof for one request (section 4.2); with the `token` that goes along, for a resource.

    Raises:
        UsageError: `url` is none that a request can go to.
        StorageError: the key at rest is damaged.
    """
    try:
        private = sign.load_private_key(key.private_jwk)
        alg = private.select_algorithm()
    except sign.UnusableKeyError as error:
        raise StorageError(
            f"the key that the token is bound to can't be used: {error}",
            fix="tokencli logout, then login or get again",
        ) from None
    claims: dict[str, object] = {
        "jti": sign.generate_jti(),
        "htm": method,
        "htu": htu_of_url(url),
        "iat": int(now),
    }
    if token is not None:
        digest = sha256(token.reveal().encode("ascii", "replace")).digest()
        claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
    if nonce is not None:
        claims["nonce"] = nonce
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": private.public_jwk()}
    return private.sign_jwt(header, claims)


def htu_of_url(url: str) -> str:
    """Return `url` as `htu` has it: without query and fragment, in the usual form (section 4.3).

    Raises:
        UsageError: it is no http or https URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _DEFAULT_PORTS or not url.isascii() or not url.isprintable():
        raise UsageError(
            "a DPoP proof is for one request, and this is no URL that one can go to",
            fix="--url https://api.example.com/orders",
        )
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        shown += f":{port}"
    return f"{parts.scheme}://{shown}{parts.path or '/'}"


def read_nonce(reply: HttpReply) -> str | None:
    """Return the nonce that a reply brings for the next proof, if it brings one fit for a proof."""
    nonce = reply.headers.get(NONCE_HEADER)
    return (
        nonce if nonce and len(nonce) <= 1024 and nonce.isascii() and nonce.isprintable() else None
    )


def requires_nonce(reply: HttpReply) -> bool:
    """Tell whether a server refused a proof only for want of its nonce (sections 8 and 9)."""
    if reply.status not in (400, 401) or read_nonce(reply) is None:
        return False
    said = reply.headers.get("www-authenticate", "") + reply.body[:4096].decode("utf-8", "replace")
    return "use_dpop_nonce" in said

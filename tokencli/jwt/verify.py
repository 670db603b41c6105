"""Check a JWT's signature and its main claims, with keys that somebody else vouches for (RFC 8725).

Nothing is fetched here, and no key of the token's own is ever looked at: not `jwk`, `jku`, `x5c`
or `x5u`. Algorithms are asymmetric, and each key is used for its own kind alone.
"""

import warnings
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tokencli.frozen import dataclass
from tokencli.jwt.decode import Decoded, decode
from tokencli.jwt.explain import listed, number
from tokencli.jwt.sign import ALGORITHMS, PRIVATE_MEMBERS

TOLERANCE_S = 60.0
"""Seconds by which two clocks may differ."""
LONGEST_HEADER = 16 * 1024
"""Bytes; a header may carry a chain of certificates, which is not used."""
MAX_KEYS = 50
"""Keys of a set that are tried at most, of those that can have signed."""
LEAST_RSA_BITS = 2048
"""A shorter RSA key can be broken (RFC 7518 sections 3.3 and 3.5)."""


class NotValid(ValueError):
    """The token does not hold; the text says why, as a clause."""


class UnknownKey(NotValid):
    """No key of the set can be the one that signed: a newer set may hold it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was proven."""

    alg: str
    kid: str | None
    """The name of the key that signed, where it has one."""
    audience: tuple[str, ...]
    """Those of the audiences that were expected whom the token is for."""


def verify(
    token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    endless: bool = False,
) -> Verified:
    """Check the signature against a JWK Set, then `iss`, `aud`, `exp` and, where it is there, `nbf`.

    Only what is `endless` may lack `exp`: an answer that was asked for just now.

    Raises:
        UnknownKey: no key of the set fits.
        NotValid: anything else that keeps the token from being believed.
    """
    found = decode(token)
    alg = _algorithm(found)
    kid = found.header.get("kid")
    candidates = _candidates(keys, alg, kid if isinstance(kid, str) else None)
    if not candidates:
        named = f" {kid[:80]!r}" if isinstance(kid, str) else ""
        raise UnknownKey(f"the issuer publishes no key{named} for {alg}")
    strong = [key for key in candidates if not _weak(key)][:MAX_KEYS]
    if not strong:
        raise NotValid(
            f"the issuer's key has fewer than {LEAST_RSA_BITS} bits, so that others can sign like it"
            " (RFC 7518 section 3.3)"
        )
    for key in strong:
        if _signed_by(token, key, alg):
            aud = _claims(
                found.claims, issuer=issuer, audiences=audiences, now=now, endless=endless
            )
            name = key.get("kid")
            return Verified(alg, name if isinstance(name, str) else None, aud)
    raise NotValid("its signature does not hold: it was changed, or signed by somebody else")


def _algorithm(found: Decoded) -> str:
    if found.kind != "jwt":
        raise NotValid(f"it is no signed JWT but {found.kind}")
    if found.problems:
        raise NotValid(found.problems[0])
    alg = found.header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise NotValid(
            f"its algorithm is {str(alg)[:40]!r}, and only a signature by the issuer's private key"
            " proves anything"
        )
    if "crit" in found.header or found.header.get("b64", True) is not True:
        raise NotValid("it uses extensions of JWS that are not understood here (crit)")
    return alg


def _candidates(keys: Mapping[str, Any], alg: str, kid: str | None) -> Sequence[dict[str, Any]]:
    """Return the public keys of the set that may have made such a signature."""
    listed_keys = keys.get("keys")
    kind, curve = ALGORITHMS[alg]
    found = []
    for key in listed_keys if isinstance(listed_keys, list) else ():
        if not isinstance(key, dict) or key.get("kty") != kind or key.get("crv") != curve:
            continue
        if key.get("use", "sig") != "sig" or key.get("alg", alg) not in _names(alg):
            continue
        operations = key.get("key_ops", ["verify"])
        if not isinstance(operations, list) or "verify" not in operations:
            continue
        if kid is not None and key.get("kid") != kid:
            continue
        found.append({name: value for name, value in key.items() if name not in PRIVATE_MEMBERS})
    return found


def _names(alg: str) -> tuple[str, ...]:
    """Return an algorithm's names: Ed25519 has two (RFC 8037, RFC 9864)."""
    return ("EdDSA", "Ed25519") if alg in ("EdDSA", "Ed25519") else (alg,)


def _weak(key: Mapping[str, Any]) -> bool:
    """Tell whether it is an RSA key that is too short; one that can't be read fails elsewhere."""
    modulus = key.get("n")
    if key.get("kty") != "RSA" or not isinstance(modulus, str):
        return False
    try:
        raw = urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))
    except ValueError:
        return False
    return int.from_bytes(raw).bit_length() < LEAST_RSA_BITS


def _signed_by(token: str, key: Mapping[str, Any], alg: str) -> bool:
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry
    from joserfc.jws import JWSRegistry, deserialize_compact

    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = LONGEST_HEADER
    public = {
        name: value for name, value in key.items() if name in ("kty", "crv", "x", "y", "n", "e")
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joserfc's, about the name EdDSA that servers use
            deserialize_compact(token, JWKRegistry.import_key(public), registry=registry)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return False
    return True


def _claims(
    claims: Mapping[str, object],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    endless: bool,
) -> tuple[str, ...]:
    """Check the claims that say whose token it is, for whom and when; return for whom."""
    if claims.get("iss") != issuer:
        raise NotValid(
            f"its signature holds, but it names another issuer: {_quoted(claims.get('iss'))}"
            f" instead of {issuer!r}"
        )
    aud = listed(claims.get("aud"))
    meant = tuple(one for one in aud if one in audiences)
    if not meant:
        raise NotValid(
            f"its signature holds, but it is for somebody else: its aud is {_quoted(claims.get('aud'))},"
            f" and the profile is about {', '.join(audiences)[:200] or 'nobody'}"
        )
    expires = _moment(claims, "exp")
    if expires is None and not endless:
        raise NotValid("its signature holds, but it has no exp, so it would hold for ever")
    if expires is not None and expires <= now:
        raise NotValid("its signature holds, but it has expired")
    begins = _moment(claims, "nbf")
    if begins is not None and begins > now + TOLERANCE_S:
        raise NotValid("its signature holds, but it is not valid yet")
    return meant


def _moment(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    seconds = number(value)
    if seconds is None:
        raise NotValid(f"its signature holds, but its {name} is no time")
    return seconds


def _quoted(value: object) -> str:
    return "missing" if value is None else repr(value)[:200]

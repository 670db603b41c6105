"""Check a JWT's signature and its main claims, with keys that somebody else vouches for (RFC 8725).

Nothing is fetched here, and no key of the token's own is ever looked at: not `jwk`, `jku`, `x5c`
or `x5u`. Algorithms are asymmetric, and each key is used for its own kind alone.
"""

import warnings
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import DecodedToken, decode_token
from tokencli.jwt.explain import finite_number, strings_of_claim
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, PRIVATE_JWK_MEMBERS

CLOCK_TOLERANCE_S = 60.0
"""Seconds by which two clocks may differ."""
MAX_HEADER_BYTES = 16 * 1024
"""Bytes; a header may carry a chain of certificates, which is not used."""
MAX_CANDIDATE_KEYS = 50
"""Keys of a set that are tried at most, of those that can have signed."""
MIN_RSA_BITS = 2048
"""A shorter RSA key can be broken (RFC 7518 sections 3.3 and 3.5)."""


class VerificationError(ValueError):
    """The token does not hold; the text says why, as a clause."""


class UnknownKeyError(VerificationError):
    """No key of the set can be the one that signed: a newer set may hold it."""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What was proven."""

    alg: str
    kid: str | None
    """The name of the key that signed, where it has one."""
    matched_audiences: tuple[str, ...]
    """Those of the audiences that were expected whom the token is for."""


def verify_jwt(
    token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    endless: bool = False,
) -> VerificationResult:
    """Check the signature against a JWK Set, then `iss`, `aud`, `exp` and, where it is there, `nbf`.

    Only what is `endless` may lack `exp`: an answer that was asked for just now.

    Raises:
        UnknownKey: no key of the set fits.
        NotValid: anything else that keeps the token from being believed.
    """
    found = decode_token(token)
    alg = _checked_algorithm(found)
    kid = found.header.get("kid")
    candidates = _candidate_keys(keys, alg, kid if isinstance(kid, str) else None)
    if not candidates:
        named = f" {kid[:80]!r}" if isinstance(kid, str) else ""
        raise UnknownKeyError(f"the issuer publishes no key{named} for {alg}")
    strong = [key for key in candidates if not _is_weak_key(key)][:MAX_CANDIDATE_KEYS]
    if not strong:
        raise VerificationError(
            f"the issuer's key has fewer than {MIN_RSA_BITS} bits, so that others can sign like it"
            " (RFC 7518 section 3.3)"
        )
    for key in strong:
        if _is_signed_by(token, key, alg):
            aud = _check_claims(
                found.claims, issuer=issuer, audiences=audiences, now=now, endless=endless
            )
            name = key.get("kid")
            return VerificationResult(alg, name if isinstance(name, str) else None, aud)
    raise VerificationError(
        "its signature does not hold: it was changed, or signed by somebody else"
    )


def _checked_algorithm(found: DecodedToken) -> str:
    if found.kind != "jwt":
        raise VerificationError(f"it is no signed JWT but {found.kind}")
    if found.problems:
        raise VerificationError(found.problems[0])
    alg = found.header.get("alg")
    if not isinstance(alg, str) or alg not in ASYMMETRIC_ALGORITHMS:
        raise VerificationError(
            f"its algorithm is {str(alg)[:40]!r}, and only a signature by the issuer's private key"
            " proves anything"
        )
    if "crit" in found.header or found.header.get("b64", True) is not True:
        raise VerificationError("it uses extensions of JWS that are not understood here (crit)")
    return alg


def _candidate_keys(keys: Mapping[str, Any], alg: str, kid: str | None) -> Sequence[dict[str, Any]]:
    """Return the public keys of the set that may have made such a signature."""
    listed_keys = keys.get("keys")
    kind, curve = ASYMMETRIC_ALGORITHMS[alg]
    found = []
    for key in listed_keys if isinstance(listed_keys, list) else ():
        if not isinstance(key, dict) or key.get("kty") != kind or key.get("crv") != curve:
            continue
        if key.get("use", "sig") != "sig" or key.get("alg", alg) not in _algorithm_names(alg):
            continue
        operations = key.get("key_ops", ["verify"])
        if not isinstance(operations, list) or "verify" not in operations:
            continue
        if kid is not None and key.get("kid") != kid:
            continue
        found.append(
            {name: value for name, value in key.items() if name not in PRIVATE_JWK_MEMBERS}
        )
    return found


def _algorithm_names(alg: str) -> tuple[str, ...]:
    """Return an algorithm's names: Ed25519 has two (RFC 8037, RFC 9864)."""
    return ("EdDSA", "Ed25519") if alg in ("EdDSA", "Ed25519") else (alg,)


def _is_weak_key(key: Mapping[str, Any]) -> bool:
    """Tell whether it is an RSA key that is too short; one that can't be read fails elsewhere."""
    modulus = key.get("n")
    if key.get("kty") != "RSA" or not isinstance(modulus, str):
        return False
    try:
        raw = urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))
    except ValueError:
        return False
    return int.from_bytes(raw).bit_length() < MIN_RSA_BITS


def _is_signed_by(token: str, key: Mapping[str, Any], alg: str) -> bool:
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry
    from joserfc.jws import JWSRegistry, deserialize_compact

    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = MAX_HEADER_BYTES
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


def _check_claims(
    claims: Mapping[str, object],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    endless: bool,
) -> tuple[str, ...]:
    """Check the claims that say whose token it is, for whom and when; return for whom."""
    if claims.get("iss") != issuer:
        raise VerificationError(
            f"its signature holds, but it names another issuer: {_quote_value(claims.get('iss'))}"
            f" instead of {issuer!r}"
        )
    aud = strings_of_claim(claims.get("aud"))
    meant = tuple(one for one in aud if one in audiences)
    if not meant:
        raise VerificationError(
            f"its signature holds, but it is for somebody else: its aud is {_quote_value(claims.get('aud'))},"
            f" and the profile is about {', '.join(audiences)[:200] or 'nobody'}"
        )
    expires = _read_numeric_date(claims, "exp")
    if expires is None and not endless:
        raise VerificationError("its signature holds, but it has no exp, so it would hold for ever")
    if expires is not None and expires <= now:
        raise VerificationError("its signature holds, but it has expired")
    begins = _read_numeric_date(claims, "nbf")
    if begins is not None and begins > now + CLOCK_TOLERANCE_S:
        raise VerificationError("its signature holds, but it is not valid yet")
    return meant


def _read_numeric_date(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    seconds = finite_number(value)
    if seconds is None:
        raise VerificationError(f"its signature holds, but its {name} is no time")
    return seconds


def _quote_value(value: object) -> str:
    return "missing" if value is None else repr(value)[:200]

"""Verify a JWT's signature and its main claims with the issuer's JWK Set (RFC 8725).

Nothing is fetched, and keys in the token's own header (`jwk`, `jku`, `x5c`, `x5u`) are ignored.
Only asymmetric algorithms are accepted, and each key only for its own algorithms.
"""

import warnings
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import DecodedToken, decode_token
from tokencli.jwt.explain import finite_number, strings_of_claim
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, PRIVATE_JWK_MEMBERS
from tokencli.models import CLOCK_TOLERANCE_S

MAX_HEADER_BYTES = 16 * 1024
"""Maximum size of a header; it may contain a certificate chain, which is not used."""
MAX_CANDIDATE_KEYS = 50
"""Maximum number of matching keys that are tried."""
MIN_RSA_BITS = 2048
"""Minimum size of an RSA key (RFC 7518 sections 3.3 and 3.5)."""


class VerificationError(ValueError):
    """The token is not valid; the text says why, as a clause."""


class UnknownKeyError(VerificationError):
    """No key of the set matches; a newer version of the set may have it."""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What was verified."""

    alg: str
    kid: str | None
    """The ID of the key that signed it, if it has one."""
    matched_audiences: tuple[str, ...]
    """The expected audiences that the token is for."""


def verify_jwt(
    token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    endless: bool = False,
) -> VerificationResult:
    """Verify the signature with a JWK Set, then `iss`, `aud`, `exp` and, if present, `nbf`.

    With `endless` a missing `exp` is accepted, for a response that was requested just now.

    Raises:
        UnknownKeyError: no key of the set matches.
        VerificationError: the token is not valid for another reason.
    """
    decoded = decode_token(token)
    alg = _checked_algorithm(decoded)
    kid = decoded.header.get("kid")
    candidates = _candidate_keys(keys, alg, kid if isinstance(kid, str) else None)
    if not candidates:
        named = f" {kid[:80]!r}" if isinstance(kid, str) else ""
        raise UnknownKeyError(f"the issuer publishes no key{named} for {alg}")
    strong = [key for key in candidates if not _is_weak_key(key)][:MAX_CANDIDATE_KEYS]
    if not strong:
        raise VerificationError(
            f"the issuer's key has fewer than {MIN_RSA_BITS} bits, so its signatures can be forged"
            " (RFC 7518 section 3.3)"
        )
    for key in strong:
        if _is_signed_by(token, key, alg):
            aud = _check_claims(
                decoded.claims, issuer=issuer, audiences=audiences, now=now, endless=endless
            )
            name = key.get("kid")
            return VerificationResult(alg, name if isinstance(name, str) else None, aud)
    raise VerificationError(
        "the signature is wrong: the token was changed, or signed with another key"
    )


def _checked_algorithm(decoded: DecodedToken) -> str:
    if decoded.kind != "jwt":
        raise VerificationError(f"it is not a signed JWT ({decoded.kind})")
    if decoded.problems:
        raise VerificationError(decoded.problems[0])
    alg = decoded.header.get("alg")
    if not isinstance(alg, str) or alg not in ASYMMETRIC_ALGORITHMS:
        raise VerificationError(
            f"its algorithm is {str(alg)[:40]!r}, and only an asymmetric one proves who signed it"
        )
    if "crit" in decoded.header or decoded.header.get("b64", True) is not True:
        raise VerificationError("it uses JWS extensions that tokencli doesn't support (crit)")
    return alg


def _candidate_keys(keys: Mapping[str, Any], alg: str, kid: str | None) -> Sequence[dict[str, Any]]:
    """Return the public keys of the set that could have made the signature."""
    listed_keys = keys.get("keys")
    kind, curve = ASYMMETRIC_ALGORITHMS[alg]
    candidates = []
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
        candidates.append(
            {name: value for name, value in key.items() if name not in PRIVATE_JWK_MEMBERS}
        )
    return candidates


def _algorithm_names(alg: str) -> tuple[str, ...]:
    """Return the names of an algorithm: Ed25519 has two (RFC 8037, RFC 9864)."""
    return ("EdDSA", "Ed25519") if alg in ("EdDSA", "Ed25519") else (alg,)


def _is_weak_key(key: Mapping[str, Any]) -> bool:
    """Return whether it is a short RSA key; an unreadable key fails when it is used."""
    modulus = key.get("n")
    if key.get("kty") != "RSA" or not isinstance(modulus, str):
        return False
    try:
        raw = urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))  # lenient, as joserfc is
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
            warnings.simplefilter("ignore")  # joserfc warns about the name EdDSA, which servers use
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
    """Check issuer, audience and times; return the matching audiences."""
    if claims.get("iss") != issuer:
        raise VerificationError(
            f"the signature is valid, but the issuer is {_quote_value(claims.get('iss'))}"
            f" (expected: {issuer!r})"
        )
    matched = tuple(aud for aud in strings_of_claim(claims.get("aud")) if aud in audiences)
    if not matched:
        raise VerificationError(
            f"the signature is valid, but the audience is {_quote_value(claims.get('aud'))}"
            f" (expected: {', '.join(audiences)[:200] or 'none is configured'})"
        )
    expires = _read_numeric_date(claims, "exp")
    if expires is None and not endless:
        raise VerificationError(
            "the signature is valid, but there is no exp, so the token would never expire"
        )
    if expires is not None and expires <= now:
        raise VerificationError("the signature is valid, but the token has expired")
    not_before = _read_numeric_date(claims, "nbf")
    if not_before is not None and not_before > now + CLOCK_TOLERANCE_S:
        raise VerificationError("the signature is valid, but the token is not valid yet")
    return matched


def _read_numeric_date(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    seconds = finite_number(value)
    if seconds is None:
        raise VerificationError(f"the signature is valid, but {name} is not a time")
    return seconds


def _quote_value(value: object) -> str:
    return "missing" if value is None else repr(value)[:200]

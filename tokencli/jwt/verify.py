"""Verify a JWT's signature, issuer and times with the issuer's JWK Set, and judge its audience.

The two are separate verdicts (RFC 8725 sections 3.8 and 3.9): a token that is for somebody else is
still a token of the issuer.

Nothing is fetched, and keys in the token's own header (`jwk`, `jku`, `x5c`, `x5u`) are ignored.
Only asymmetric algorithms are accepted, and each key only for its own algorithms.
"""

import warnings
from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from tokencli.fast_dataclass import dataclass
from tokencli.jwt.decode import (
    BASE64_TO_BASE64URL,
    DecodedToken,
    decode_token,
    finite_number,
    strings_of_claim,
)
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, HMAC_ALGORITHMS
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


class UntimelyTokenError(VerificationError):
    """The issuer signed it, but it has expired or isn't valid yet."""


class UnverifiableError(VerificationError):
    """Only its server can verify this kind of token, which says nothing about its validity."""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """A token of the issuer that is valid now."""

    alg: str
    kid: str | None
    """The ID of the key that signed it, if it has one."""


AudienceStatus = Literal["match", "mismatch", "missing", "empty", "not_judged"]


@dataclass(frozen=True, slots=True)
class AudienceVerdict:
    """Whether a token is for one of the expected audiences."""

    status: AudienceStatus
    """`missing` and `empty` are about `aud` if an audience is expected; `not_judged` if none is."""
    actual: tuple[str, ...]
    """The strings of `aud`."""
    expected: tuple[str, ...]
    problem: str | None = None
    """Why it doesn't match, as a clause."""


def verify_jwt(
    token: str, keys: Mapping[str, Any], *, issuer: str, now: float, endless: bool = False
) -> VerificationResult:
    """Verify the signature with a JWK Set, and `iss`, `exp` and, if present, `nbf`.

    With `endless` a missing `exp` is accepted, for a response that was requested just now.

    Raises:
        UnknownKeyError: no key of the set matches.
        UnverifiableError: only the server can verify it.
        VerificationError: the token is not valid for another reason.
    """
    decoded = decode_token(token)
    check_issuer(decoded, issuer)
    result = verify_signature(token, keys)
    if decoded.claims.get("iss") is None:
        raise VerificationError(
            f"the signature is valid, but the issuer is missing (expected: {issuer!r})"
        )
    _check_times(decoded.claims, now=now, endless=endless)
    return result


def verify_signature(token: str, keys: Mapping[str, Any]) -> VerificationResult:
    """Verify only the signature of a JWT with a JWK Set. Raises the same errors as `verify_jwt`."""
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
    importable = [imported for key in strong if (imported := _import_key(key)) is not None]
    if not importable:
        raise UnverifiableError(
            "the issuer's key is damaged, so no signature can be verified with it"
        )
    for key in importable:
        if _is_signed_by(token, key, alg):
            name = key.get("kid")
            return VerificationResult(alg, name if isinstance(name, str) else None)
    if "nonce" in decoded.header:
        raise UnverifiableError(
            "its header has a nonce, which Microsoft Entra replaces with its hash before it signs a"
            " token for Microsoft's own APIs: only those can verify it"
        )
    raise VerificationError(
        "the signature is wrong: the token was changed, or signed with another key"
    )


def check_issuer(decoded: DecodedToken, issuer: str) -> None:
    """Check that it can be a token of the issuer, for which no key is needed.

    Raises:
        UnverifiableError: it is opaque or encrypted.
        VerificationError: it names another issuer, or is no signed JWT.
    """
    if decoded.damage is not None:
        raise VerificationError(decoded.damage)
    match decoded.kind:
        case "opaque":
            raise UnverifiableError("it is opaque, so only its server can verify it")
        case "jwe":
            raise UnverifiableError("it is encrypted (JWE), so only its recipient can verify it")
        case "sd-jwt":
            raise UnverifiableError("it is an SD-JWT, which tokencli doesn't verify")
    found = decoded.claims.get("iss")
    if found is not None and found != issuer:
        raise VerificationError(
            f"it is a token of another issuer: the issuer is {_quote_value(found)}"
            f" (expected: {issuer!r})"
        )


def judge_audience(claims: Mapping[str, object], expected: Collection[str]) -> AudienceVerdict:
    """Compare `aud` with the expected audiences; one in common is enough."""
    aud = claims.get("aud")
    actual, names = strings_of_claim(aud), tuple(dict.fromkeys(expected))
    if not names:
        return AudienceVerdict("not_judged", actual, names)
    if set(actual) & set(names):
        return AudienceVerdict("match", actual, names)
    wanted = f"expected: {', '.join(map(repr, names))[:200]}"
    if aud is None:
        return AudienceVerdict("missing", actual, names, f"aud is missing ({wanted})")
    if aud in ([], "", [""]):
        return AudienceVerdict("empty", actual, names, f"aud is empty ({wanted})")
    return AudienceVerdict(
        "mismatch", actual, names, f"the audience is {_quote_value(aud)} ({wanted})"
    )


def _checked_algorithm(decoded: DecodedToken) -> str:
    if decoded.problems:
        raise VerificationError(decoded.problems[0])
    alg = decoded.header.get("alg")
    if isinstance(alg, str) and alg in HMAC_ALGORITHMS:
        raise UnverifiableError(
            f"its algorithm is {alg!r}: it is signed with a secret, so only those who have the secret can"
            " verify it; tokencli needs an asymmetric algorithm"
        )
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
        if kid is not None and key.get("kid") not in (kid, None):
            continue
        candidates.append(
            {name: key[name] for name in ("kid", "kty", "crv") if key.get(name) is not None}
            | {
                name: _normalize_base64url(key[name])
                for name in ("n", "e", "x", "y")
                if name in key
            }
        )
    return candidates


def _normalize_base64url(value: object) -> object:
    """Return a number of a JWK without the padding, line breaks or base64 that some servers use."""
    if not isinstance(value, str):
        return value
    return "".join(value.split()).rstrip("=").translate(BASE64_TO_BASE64URL)


def _algorithm_names(alg: str) -> tuple[str, ...]:
    """Return the names of an algorithm: Ed25519 has two (RFC 8037, RFC 9864)."""
    return ("EdDSA", "Ed25519") if alg in ("EdDSA", "Ed25519") else (alg,)


def _is_weak_key(key: Mapping[str, Any]) -> bool:
    """Return whether it is a short RSA key; an unreadable key fails when it is used."""
    modulus = key.get("n")
    if key.get("kty") != "RSA" or not isinstance(modulus, str):
        return False
    try:
        raw = b64decode(modulus + "=" * (-len(modulus) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return 0 < int.from_bytes(raw).bit_length() < MIN_RSA_BITS


def _import_key(key: Mapping[str, Any]) -> Any:
    """Return the key for joserfc, or None if it is damaged."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            imported = JWKRegistry.import_key(dict(key))
            imported.get_op_key("verify")  # a damaged number is noticed only now
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None
    return imported


def _is_signed_by(token: str, key: Any, alg: str) -> bool:
    from joserfc.errors import JoseError
    from joserfc.jws import JWSRegistry, deserialize_compact

    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = MAX_HEADER_BYTES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joserfc warns about the name EdDSA, which servers use
            deserialize_compact(token, key, registry=registry)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return False
    return True


def _check_times(claims: Mapping[str, object], *, now: float, endless: bool) -> None:
    expires = _read_numeric_date(claims, "exp")
    if expires is None and not endless:
        raise VerificationError(
            "the signature is valid, but there is no exp, so the token would never expire"
        )
    if expires is not None and expires <= now:
        raise UntimelyTokenError("the signature is valid, but the token has expired")
    not_before = _read_numeric_date(claims, "nbf")
    if not_before is not None and not_before > now + CLOCK_TOLERANCE_S:
        raise UntimelyTokenError("the signature is valid, but the token is not valid yet")


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

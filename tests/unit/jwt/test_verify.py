"""Verifying tokens: what is accepted, and known attacks."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_compact

from tokencli.jwt.verify import (
    UnknownKeyError,
    UnverifiableError,
    VerificationError,
    VerificationResult,
    judge_audience,
    verify_jwt,
)

NOW = 1_800_000_000.0
ISSUER = "https://id.example.com"
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": "api", "exp": NOW + 60, "sub": "jdoe"}
PRIVATE: dict[str, Any] = {
    "RS256": RSAKey.generate_key(2048),
    "PS384": RSAKey.generate_key(2048),
    "ES256": ECKey.generate_key("P-256"),
    "ES512": ECKey.generate_key("P-521"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}
KEYS = {
    "keys": [
        {**key.as_dict(private=False), "kid": alg, "use": "sig"} for alg, key in PRIVATE.items()
    ]
}
WITHOUT = object()
HUGE = st.sampled_from([10**400, -(10**400), 1e308, -1e308, 10**4000, NOW])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | HUGE
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)  # fmt: skip
HEADER = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "cty"]) | st.text()
CLAIM = st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub"]) | st.text()


def signed(alg: str, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
    """Return a signed JWT; `kid` is the algorithm's name unless the header has another."""
    head = {"alg": alg, "kid": alg, **header}
    head = {name: value for name, value in head.items() if value is not WITHOUT}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    text = json.dumps({k: v for k, v in claims.items() if v is not WITHOUT}).encode()
    return serialize_compact(head, text, key or PRIVATE[alg], registry=registry)


def check(token: str, keys: dict[str, Any] = KEYS, now: float = NOW) -> VerificationResult:
    """Verify with the issuer ISSUER."""
    return verify_jwt(token, keys, issuer=ISSUER, now=now)


@pytest.mark.requirement(28)
@pytest.mark.parametrize("alg", PRIVATE)
@pytest.mark.parametrize("kid", [True, False])
def test_token_of_the_issuer_is_valid(alg: str, kid: bool) -> None:
    """With the key that `kid` names, or without `kid` with any key that fits."""
    token = signed(alg, CLAIMS) if kid else signed(alg, CLAIMS, kid=WITHOUT)
    assert check(token) == VerificationResult(alg, alg)


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iss": "https://evil.example.com"}, "the issuer is"),
        ({"iss": ISSUER + "/"}, "the issuer is"),
        ({"iss": WITHOUT}, "the issuer is missing"),
        ({"iss": [ISSUER]}, "the issuer is"),
        ({"exp": WITHOUT}, "no exp"),
        ({"exp": NOW}, "has expired"),
        ({"exp": NOW - 1}, "has expired"),
        ({"exp": "soon"}, "is not a time"),
        ({"exp": True}, "is not a time"),
        ({"exp": 10**400}, "exp is not a time"),
        ({"exp": -(10**400)}, "exp is not a time"),
        ({"nbf": NOW + 3600}, "not valid yet"),
        ({"nbf": "later"}, "is not a time"),
        ({"nbf": 10**400}, "nbf is not a time"),
        ({"nbf": -(10**400)}, "nbf is not a time"),
    ],
)
def test_claims_are_checked(change: dict[str, Any], says: str) -> None:
    """iss exactly, exp present and in the future, nbf in the past if present."""
    with pytest.raises(VerificationError, match=says):
        check(signed("ES256", {**CLAIMS, **change}))


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    "change", [{"aud": WITHOUT}, {"aud": []}, {"aud": "x"}, {"nbf": NOW + 30}, {"exp": 1e300}]
)
def test_acceptable_claims(change: dict[str, Any]) -> None:
    """The audience is another verdict, and clocks may differ by a minute."""
    assert check(signed("ES256", {**CLAIMS, **change})).alg == "ES256"


def b64(value: object) -> str:
    """Return JSON in base64url."""
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("aud", "expected", "status", "problem"),
    [
        ("api", ("api",), "match", None),
        (["x", "api"], ("api", "client"), "match", None),
        ("other", ("api",), "mismatch", "the audience is 'other' (expected: 'api')"),
        (["other", 7], ("api",), "mismatch", "the audience is ['other', 7] (expected: 'api')"),
        (WITHOUT, ("api",), "missing", "aud is missing (expected: 'api')"),
        ([], ("api", "b"), "empty", "aud is empty (expected: 'api', 'b')"),
        ("", ("api",), "empty", "aud is empty (expected: 'api')"),
        (7, ("api",), "mismatch", "the audience is 7 (expected: 'api')"),
        ("other", (), "not_judged", None),
        (WITHOUT, (), "not_judged", None),
    ],
)
def test_audience_verdict(
    aud: object, expected: tuple[str, ...], status: str, problem: str | None
) -> None:
    """Missing, empty and foreign audiences are told apart, and none is judged if none is expected."""
    verdict = judge_audience({} if aud is WITHOUT else {"aud": aud}, expected)
    assert (verdict.status, verdict.problem) == (status, problem)


@pytest.mark.requirement(28)
def test_other_issuer_comes_before_its_key() -> None:
    """A token of another issuer is called that, whatever its key, algorithm and kind of signature."""
    for alg in ("ES256", "HS256"):
        token = f"{b64({'alg': alg, 'kid': 'nobody'})}.{b64({**CLAIMS, 'iss': 'https://b'})}.AAAA"
        with pytest.raises(VerificationError, match="another issuer: the issuer is 'https://b'"):
            check(token, {"keys": []})


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("opaque-token", "opaque"),
        (f"{b64({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.Y2lw.dGFn", "encrypted"),
        (f"{b64({'alg': 'ES256'})}.{b64({})}.AAAA~", "SD-JWT"),
        (f"{b64({'alg': 'HS256'})}.{b64(CLAIMS)}.AAAA", "signed with a secret"),
        (f"{b64({'alg': 'ES256', 'nonce': 'n'})}.{b64(CLAIMS)}.AAAA", "Microsoft"),
    ],
)
def test_token_that_only_its_server_can_verify(token: str, says: str) -> None:
    """Such a token isn't called invalid: nothing is known about it."""
    with pytest.raises(UnverifiableError, match=says):
        check(token)


@pytest.mark.parametrize("decorate", [
    lambda text: text + "=", lambda text: text + "==", lambda text: text + "\n",
    lambda text: text.replace("-", "+").replace("_", "/"),
    lambda text: f"{text[:20]}\r\n{text[20:]}",
], ids=["padded", "padded twice", "newline", "base64", "wrapped"])  # fmt: skip
@pytest.mark.parametrize("alg", PRIVATE)
def test_sloppy_jwk_is_read(alg: str, decorate: Callable[[str], str]) -> None:
    """A number in a JWK that is padded, wrapped or plain base64 is still the issuer's key."""
    key = PRIVATE[alg].as_dict(private=False)
    sloppy = {name: decorate(key[name]) for name in ("n", "e", "x", "y") if name in key}
    assert check(signed(alg, CLAIMS), {"keys": [{**key, **sloppy, "kid": alg}]}).alg == alg


def test_key_without_kid_is_tried() -> None:
    """An issuer with one key may publish it without a kid (RFC 7517 section 4.5)."""
    key = PRIVATE["ES256"].as_dict(private=False)
    assert check(signed("ES256", CLAIMS), {"keys": [{**key, "kid": None}]}).kid is None


@pytest.mark.requirement(28)
def test_unsigned_token_is_refused() -> None:
    """alg none in any case, no alg at all, and one that isn't text."""
    for alg in ("none", "None", "NONE", "", None, 7, [], {}, ["ES256"], {"ES256": 1}):
        with pytest.raises(VerificationError, match="algorithm"):
            check(f"{b64({'alg': alg})}.{b64(CLAIMS)}.")


@pytest.mark.requirement(28)
def test_public_key_is_not_a_shared_secret() -> None:
    """HS256 with the issuer's public key as the secret: the confusion of CVE-2022-29217."""
    for private in PRIVATE.values():
        text = f"{b64({'alg': 'HS256'})}.{b64(CLAIMS)}"
        forged = hmac.digest(private.as_pem(private=False), text.encode(), "sha256")
        with pytest.raises(VerificationError, match="algorithm"):
            check(f"{text}.{urlsafe_b64encode(forged).rstrip(b'=').decode()}")


@pytest.mark.requirement(28)
def test_keys_in_the_header_are_ignored() -> None:
    """An attacker's key in jwk, or at the URL in jku or x5u."""
    forger = ECKey.generate_key("P-256")
    own = {"jwk": forger.as_dict(private=False), "jku": "https://evil.example.com/jwks"}
    token = signed("ES256", CLAIMS, forger, **own, x5u="https://evil.example.com/x5u")
    with pytest.raises(VerificationError, match="signature is wrong"):
        check(token)


@pytest.mark.requirement(28)
def test_unknown_critical_extension_is_refused() -> None:
    """RFC 7515 section 4.1.11."""
    token = f"{b64({'alg': 'ES256', 'kid': 'ES256', 'crit': ['x'], 'x': 1})}.{b64(CLAIMS)}.AAAA"
    with pytest.raises(VerificationError, match="crit"):
        check(token)


@pytest.mark.requirement(28)
def test_key_must_fit_the_algorithm_and_purpose() -> None:
    """An encryption key, or one for another algorithm or curve, verifies nothing."""
    public = PRIVATE["ES256"].as_dict(private=False)
    for change in ({"use": "enc"}, {"alg": "ES384"}, {"crv": "P-384"}, {"kty": "OKP"},
                   {"key_ops": ["encrypt"]}, {"key_ops": 7}, {"kid": "other"}):  # fmt: skip
        with pytest.raises(UnknownKeyError, match="no key"):
            check(signed("ES256", CLAIMS), {"keys": [{**public, "kid": "ES256", **change}]})


@pytest.mark.requirement(28)
def test_short_rsa_key_is_refused() -> None:
    """RFC 7518 section 3.3 requires 2048 bits: 1024 can be factored."""
    pem = rsa.generate_private_key(65537, 1024).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.warns(SecurityWarning):
        short = RSAKey.import_key(pem)
        token = signed("RS256", CLAIMS, short, kid="short")
    own = {**short.as_dict(private=False), "kid": "short"}
    with pytest.raises(VerificationError, match="fewer than 2048 bits") as caught:
        check(token, {"keys": [own]})
    assert not isinstance(caught.value, UnknownKeyError)
    longer = {**PRIVATE["RS256"].as_dict(private=False), "kid": "RS256"}
    assert check(signed("RS256", CLAIMS), {"keys": [own, longer]}).kid == "RS256"
    with pytest.raises(UnverifiableError):  # what can't be read verifies nothing, however short
        check(token, {"keys": [{**own, "n": f"{own['n']}!"}]})


@pytest.mark.requirement(28)
def test_key_is_found_in_a_long_set() -> None:
    """By `kid` among any number; without `kid` only a limited number is tried."""
    public = PRIVATE["ES256"].as_dict(private=False)
    other = ECKey.generate_key("P-256").as_dict(private=False)
    keys = {"keys": [*({**other, "kid": f"k{n}"} for n in range(60)), {**public, "kid": "ES256"}]}
    assert check(signed("ES256", CLAIMS), keys).kid == "ES256"
    with pytest.raises(VerificationError, match="signature is wrong"):
        check(signed("ES256", CLAIMS, kid=WITHOUT), keys)


def test_endless_token_may_lack_exp() -> None:
    """A signed UserInfo response usually has no exp; everything else is checked."""

    def answered(**change: Any) -> VerificationResult:
        return verify_jwt(
            signed("ES256", {**CLAIMS, **change}),
            KEYS,
            issuer=ISSUER,
            now=NOW,
            endless=True,
        )

    assert answered(exp=WITHOUT).alg == "ES256"
    for change in ({"exp": NOW - 1}, {"exp": "x"}, {"exp": WITHOUT, "iss": WITHOUT}):
        with pytest.raises(VerificationError):
            answered(**change)


@pytest.mark.requirement(28)
def test_unknown_kid_has_its_own_error() -> None:
    """So that the caller can fetch the keys again."""
    with pytest.raises(UnknownKeyError, match="no key 'rotated' for ES256"):
        check(signed("ES256", CLAIMS, kid="rotated"))


@pytest.mark.parametrize(
    "keys", [{}, {"keys": None}, {"keys": 7}, {"keys": [7, None, {}, {"kty": "EC"}]}]
)
def test_malformed_key_set_has_no_key(keys: dict[str, Any]) -> None:
    """Whatever a server publishes, only VerificationError is raised."""
    with pytest.raises(UnknownKeyError):
        check(signed("ES256", CLAIMS), keys)


@pytest.mark.parametrize("modulus", ["!!!", "é", "", "AAAA", "{n}!", "%2D{n}"])
def test_damaged_rsa_key_is_not_called_short(modulus: str) -> None:
    """A modulus that can't be read has no size."""
    public = {**PRIVATE["RS256"].as_dict(private=False), "kid": "RS256"}
    damaged = {**public, "n": modulus.format(n=public["n"])}
    with pytest.raises(UnverifiableError, match="key is damaged"):
        check(signed("RS256", CLAIMS), {"keys": [damaged]})


def test_damaged_key_is_refused() -> None:
    """A point that isn't on the curve, a missing character: the issuer's key is named, and nothing
    else raises."""
    public = {**PRIVATE["ES256"].as_dict(private=False), "kid": "ES256"}
    for change in ({"x": "AAAA"}, {"x": "é"}, {"x": 7}, {"y": None}):
        with pytest.raises(UnverifiableError, match="key is damaged"):
            check(signed("ES256", CLAIMS), {"keys": [{**public, **change}]})


def test_long_header_is_accepted() -> None:
    """A certificate chain in x5c takes several kilobytes."""
    assert check(signed("ES256", CLAIMS, x5c=["A" * 6000])).alg == "ES256"


@pytest.mark.requirement(28)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_raises_only_verification_errors(text: str) -> None:
    """No other exception is raised."""
    with pytest.raises(VerificationError):
        check(text)


@pytest.mark.requirement(28)
@given(st.dictionaries(HEADER, JSON), st.dictionaries(CLAIM, JSON))
def test_any_json_raises_only_verification_errors(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """In a forged token as well as in one that the issuer signed."""
    for token in (
        f"{b64(header)}.{b64(claims)}.AAAA",
        f"{b64({**header, 'alg': 'ES256'})}.{b64(claims)}.AAAA",
        signed("ES256", {**CLAIMS, **claims}),
    ):
        try:
            check(token)
        except VerificationError:
            continue


@pytest.mark.requirement(28)
@given(place=st.integers(0, 10_000), char=st.sampled_from("AZaz09-_"))
def test_changed_token_is_refused(place: int, char: str) -> None:
    """A single different character is enough."""
    token = signed("ES256", CLAIMS)
    place %= len(token)
    changed = token[:place] + char + token[place + 1 :]
    if changed != token:
        with pytest.raises(VerificationError):
            check(changed)

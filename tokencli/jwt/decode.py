"""Decode a token without verifying its signature: JWS, JWE or SD-JWT. Nothing in it is trusted."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import field
from math import isfinite
from typing import Literal, NoReturn

from tokencli.fast_dataclass import dataclass

MAX_TOKEN_LENGTH = 64 * 1024
"""Characters; a longer token is not decoded."""
MAX_JSON_DEPTH = 32
"""Levels of nesting in a header or in claims; deeper JSON is rejected."""

REGISTERED_CLAIMS = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}
"""RFC 7519 section 4.1."""
BASE64_TO_BASE64URL = str.maketrans("+/", "-_")

TokenKind = Literal["jwt", "jwe", "sd-jwt", "opaque"]


@dataclass(frozen=True, slots=True)
class DecodedToken:
    """The content of a token, unverified."""

    kind: TokenKind
    header: Mapping[str, object] = field(default_factory=dict)
    claims: Mapping[str, object] = field(default_factory=dict)
    disclosures: tuple[object, ...] = ()
    """The disclosures of an SD-JWT in order, each as [salt, name, value] or [salt, value]."""
    problems: tuple[str, ...] = ()
    """What could not be decoded or is unusual, as clauses without a full stop."""
    damage: str | None = None
    """The problem that makes it no complete token, if it has one."""
    signature_length: int | None = None
    """Bytes of the signature of a JWS, if it can be decoded."""


def decode_token(token: str | bytes) -> DecodedToken:
    """Decode a JWS (RFC 7515), JWE (RFC 7516) or SD-JWT (RFC 9901); anything else is opaque.

    Never raises.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        return DecodedToken(
            "opaque", problems=(f"it is longer than {MAX_TOKEN_LENGTH} characters",)
        )
    text = token.decode("latin-1") if isinstance(token, bytes) else token
    jws, *disclosures = text.split("~")
    parts = jws.split(".")
    if len(parts) not in (3, 5):
        return _decode_incomplete_token(parts)
    reader = _PartReader()
    parts = reader.normalize_parts(parts)
    header = reader.read_object("header", parts[0])
    if header is None:
        if not text.startswith("eyJ"):
            return _decode_headless_token(parts)
        return reader.as_opaque()
    if len(parts) == 5:
        if "enc" not in header:  # RFC 7516 section 4.1.2
            reader.add_damage("it has 5 parts like a JWE, but its header has no enc")
            return reader.as_opaque()
        return DecodedToken("jwe", header, problems=tuple(reader.problems))
    claims: dict[str, object] | None = None
    if parts[1]:
        nested = _decode_nested_token(parts[1])
        if nested is not None:
            claims = dict(nested.claims)
            reader.problems.append(
                f"its payload is another token ({nested.kind.upper()}), whose claims are shown"
                " (RFC 7519 section 5.2)"
            )
        else:
            claims = reader.read_object("payload", parts[1])
    else:
        reader.problems.append("its payload is detached: the token does not contain it")
    signature_length = reader.measure_signature(parts[2])
    # The part with dots, if any, is the key-binding JWT.
    disclosed = tuple(
        reader.read_disclosure(part) for part in disclosures if part and "." not in part
    )
    kind: TokenKind = "sd-jwt" if disclosures else "jwt"
    return DecodedToken(
        kind,
        header,
        claims or {},
        disclosed,
        tuple(reader.problems),
        reader.damage,
        signature_length,
    )


def _decode_incomplete_token(parts: list[str]) -> DecodedToken:
    """Return an opaque token, with damage if it is a JWT that lost parts.

    Without `alg` it isn't one: opaque tokens may be JSON in base64, too.
    """
    reader = _PartReader()
    header = reader.read_object("header", reader.normalize_parts(parts)[0])
    if not parts[0].startswith("eyJ"):
        return DecodedToken("opaque")
    if header is not None and "alg" not in header:
        return _decode_headless_token(["", *parts])
    count = f"{len(parts)} part{'' if len(parts) == 1 else 's'}"
    damage = f"it starts like a JWT but has {count} instead of 3: was it cut off?"
    return DecodedToken("opaque", problems=(damage,), damage=damage)


def _decode_headless_token(parts: list[str]) -> DecodedToken:
    """Return an opaque token, with damage if its second part is the payload of a JWT."""
    claims = _PartReader().read_object("payload", parts[1])
    if len(REGISTERED_CLAIMS & (claims or {}).keys()) < 2:
        return DecodedToken("opaque")
    damage = "it has the payload of a JWT without a readable header: was its start cut off?"
    return DecodedToken("opaque", problems=(damage,), damage=damage)


class _PartReader:
    """Decode the parts of one token and collect their problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.damage: str | None = None

    def as_opaque(self) -> DecodedToken:
        """Return an opaque token with the problems so far."""
        return DecodedToken("opaque", problems=tuple(self.problems), damage=self.damage)

    def add_damage(self, problem: str) -> None:
        """Add a problem that makes it no complete token."""
        self.problems.append(problem)
        self.damage = self.damage or problem

    def normalize_parts(self, parts: list[str]) -> list[str]:
        """Return the parts as base64url without padding; add a problem if that changes them."""
        unpadded = [part.rstrip("=") for part in parts]
        if unpadded != parts:
            self.problems.append(
                "its parts are padded with = (AWS ALB does that), which most libraries reject"
            )
        normalized = [part.translate(BASE64_TO_BASE64URL) for part in unpadded]
        if normalized != unpadded:
            self.problems.append("its parts are base64 (with + and /) instead of base64url")
        return normalized

    def read_object(self, what: str, part: str) -> dict[str, object] | None:
        """Return the JSON object in `part`, or None and add the problem."""
        try:
            value = self._parse_json(what, part)
        except (ValueError, RecursionError) as error:
            self.add_damage(f"its {what} can't be read: {_describe_error(error)}")
            return None
        if not isinstance(value, dict):
            self.add_damage(f"its {what} is not a JSON object")
            return None
        return value

    def read_disclosure(self, part: str) -> object:
        """Return the JSON value of one disclosure, or None and add the problem."""
        try:
            return self._parse_json("disclosure", part)
        except (ValueError, RecursionError) as error:
            self.problems.append(f"a disclosure can't be read: {_describe_error(error)}")
            return None

    def measure_signature(self, part: str) -> int | None:
        """Return the bytes of a signature, or None and add the problem."""
        try:
            return len(decode_base64url(part))
        except ValueError as error:
            self.add_damage(f"its signature is damaged: {_describe_error(error)}")
            return None

    def _parse_json(self, what: str, part: str) -> object:
        def to_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
            members = dict(pairs)
            if len(members) < len(pairs):  # RFC 7519 section 4: reject it, or use the last
                self.problems.append(f"a name occurs twice in its {what}: the last one is shown")
            return members

        text = decode_base64url(part).decode("utf-8")
        value: object = json.loads(
            text,
            object_pairs_hook=to_object,
            parse_constant=_reject_constant,
            parse_float=_parse_finite_float,
        )
        if is_deeper_than(value, MAX_JSON_DEPTH):
            raise ValueError(f"it is nested deeper than {MAX_JSON_DEPTH} levels")
        return value


def decode_base64url(part: str) -> bytes:
    """Return the bytes of unpadded, canonical base64url (RFC 7515 section 2); raises ValueError."""
    if "=" in part:
        raise ValueError("it is padded with =, which is not allowed in a token")
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raw = b""
    if encode_base64url(raw) != part:  # the standard library skips unknown characters
        raise ValueError("it is not base64url")
    return raw


def encode_base64url(raw: bytes) -> str:
    """Return unpadded base64url (RFC 7515 section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode_nested_token(payload: str) -> DecodedToken | None:
    """Return the token in a payload that is a token itself, or None if it isn't one."""
    try:
        text = decode_base64url(payload)
    except ValueError:
        return None
    nested = decode_token(text) if text.startswith(b"eyJ") else None
    return None if nested is None or nested.kind == "opaque" else nested


def _describe_error(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case json.JSONDecodeError():
            return f"it is not JSON ({error.msg.lower()}, at {error.pos})"
        case RecursionError():
            return f"it is nested deeper than {MAX_JSON_DEPTH} levels"
        case _ if type(error) is ValueError and "digits" in str(error):
            return "a number in it is too long"
        case _:
            return str(error)[:200]


def _reject_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not valid JSON")


def _parse_finite_float(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError("a number in it is too large")
    return value


def finite_number(value: object) -> float | None:
    """Return a JSON number as a float; None for text, booleans and numbers too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def strings_of_claim(value: object) -> tuple[str, ...]:
    """Return the strings of a claim that is one string or a list of them, e.g. `aud`."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def is_deeper_than(value: object, levels: int) -> bool:
    """Return whether `value` is nested deeper than `levels`, without recursion."""
    level: list[object] = [value]
    for _ in range(levels):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return True

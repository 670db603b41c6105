"""Take a token apart without checking its signature, and without trusting a byte of it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import field
from math import isfinite
from typing import Literal, NoReturn

from tokencli.fast_dataclass import dataclass

MAX_TOKEN_LENGTH = 64 * 1024
"""Characters; a longer token is not taken apart."""
MAX_JSON_DEPTH = 32
"""Levels of nesting in a header or in claims."""

TokenKind = Literal["jwt", "jwe", "sd-jwt", "opaque"]


@dataclass(frozen=True, slots=True)
class DecodedToken:
    """What stands in a token: claims by whoever wrote it, and nothing more."""

    kind: TokenKind
    header: Mapping[str, object] = field(default_factory=dict)
    claims: Mapping[str, object] = field(default_factory=dict)
    disclosures: tuple[object, ...] = ()
    """What an SD-JWT discloses, each as [salt, name, value] or [salt, value], in order."""
    problems: tuple[str, ...] = ()
    """What could not be read, as clauses without a full stop."""


def decode_token(token: str | bytes) -> DecodedToken:
    """Take `token` apart: JWS (RFC 7515), JWE (RFC 7516), SD-JWT (RFC 9901), else opaque.

    Total: whatever comes in, a Decoded comes out and nothing is raised.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        return DecodedToken(
            "opaque", problems=(f"it is longer than {MAX_TOKEN_LENGTH} characters",)
        )
    text = token.decode("latin-1") if isinstance(token, bytes) else token
    signed, *disclosed = text.split("~")
    parts = signed.split(".")
    if len(parts) not in (3, 5):
        return DecodedToken("opaque", problems=_truncation_problems(parts))
    reading = _PartReader()
    header = reading.read_object("header", parts[0])
    if header is None:
        problems = tuple(reading.problems) if text.startswith("eyJ") else ()
        return DecodedToken("opaque", problems=problems)
    if len(parts) == 5:
        return DecodedToken("jwe", header, problems=tuple(reading.problems))
    if parts[1]:
        claims = reading.read_object("payload", parts[1])
    else:
        claims = None
        reading.problems.append("its payload is detached: the token does not carry it")
    reading.check_base64url("signature", parts[2])
    contents = tuple(
        reading.read_disclosure(part) for part in disclosed if part and "." not in part
    )
    kind: TokenKind = "sd-jwt" if disclosed else "jwt"
    return DecodedToken(kind, header, claims or {}, contents, tuple(reading.problems))


def _truncation_problems(parts: list[str]) -> tuple[str, ...]:
    """Say of what starts like a JWT that parts of it are missing."""
    if not parts[0].startswith("eyJ"):
        return ()
    return (f"it starts like a JWT but has {len(parts)} part(s) instead of 3: was it cut?",)


class _PartReader:
    """Read parts of one token and collect what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read_object(self, what: str, part: str) -> dict[str, object] | None:
        """Return the JSON object in `part`, or None with the reason noted."""
        try:
            value = self._parse_json(what, part)
        except (ValueError, RecursionError) as error:
            self.problems.append(f"its {what} can't be read: {_describe_error(error)}")
            return None
        if not isinstance(value, dict):
            self.problems.append(f"its {what} is not a JSON object")
            return None
        return value

    def read_disclosure(self, part: str) -> object:
        """Return the JSON value of one disclosure, or None with the reason noted."""
        try:
            return self._parse_json("disclosure", part)
        except (ValueError, RecursionError) as error:
            self.problems.append(f"a disclosure can't be read: {_describe_error(error)}")
            return None

    def check_base64url(self, what: str, part: str) -> None:
        """Note whether `part` is base64url at all."""
        try:
            decode_base64url(part)
        except ValueError as error:
            self.problems.append(f"its {what} is damaged: {_describe_error(error)}")

    def _parse_json(self, what: str, part: str) -> object:
        def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
            members = dict(pairs)
            if len(members) < len(pairs):  # RFC 7519 section 4: refuse, or take the last
                self.problems.append(f"a name stands twice in its {what}: the last one is shown")
            return members

        text = decode_base64url(part).decode("utf-8")
        value: object = json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=_reject_constant,
            parse_float=_parse_finite_float,
        )
        if is_deeper_than(value, MAX_JSON_DEPTH):
            raise ValueError(f"it is nested deeper than {MAX_JSON_DEPTH} levels")
        return value


def decode_base64url(part: str) -> bytes:
    """Return the bytes of unpadded, canonical base64url (RFC 7515 section 2), else raise ValueError."""
    if "=" in part:
        raise ValueError("it is padded with =, which base64url in a token is not")
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raw = b""
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != part:  # it skips what it doesn't know
        raise ValueError("it is not base64url")
    return raw


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
    raise ValueError(f"{word} is no JSON")


def _parse_finite_float(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ValueError("a number in it is too large")
    return value


def is_deeper_than(value: object, levels: int) -> bool:
    """Tell whether `value` nests deeper than that, level by level rather than by recursion."""
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

"""Read the body of a reply into members, or say why it can't be."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from math import isfinite, nan
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from tokencli.jwt.decode import MAX_JSON_DEPTH, is_deeper_than
from tokencli.models import HttpReply

MAX_DIGITS = 400
"""A number with more digits than this is as good as infinite; int() itself refuses at 4300."""

MAX_DUPLICATES_NAMED = 5
"""Members given twice that are named at most."""


class UnreadableBodyError(Exception):
    """The body is not an object of members; the text says what it is instead."""


def parse_object(reply: HttpReply) -> Mapping[str, Any]:
    """Return the members of the reply's one object, where no token is lost by being strict.

    Raises:
        Unreadable: as `parse` does; or a number in it is none or too large, or it nests too deep.
    """
    found = parse_body(reply, strict=True)
    if not isinstance(found, dict):
        raise UnreadableBodyError("JSON that is not an object")
    if is_deeper_than(found, MAX_JSON_DEPTH):
        raise UnreadableBodyError(f"JSON that is nested deeper than {MAX_JSON_DEPTH} levels")
    return found


def parse_body(reply: HttpReply, *, strict: bool = False) -> Any:
    """Return the JSON or the form fields of the body.

    Strict where it protects (UTF-8, no member twice at the top) and, unless asked otherwise,
    lenient where strictness would cost a token: NaN stays NaN, a number too large becomes infinite.

    Raises:
        Unreadable: HTML, text, nothing, or damaged JSON.
    """
    kind = reply.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        text = reply.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableBodyError("bytes that are not UTF-8") from None
    if not text.strip():
        raise UnreadableBodyError("an empty body")
    if kind == "application/x-www-form-urlencoded":
        return _reject_duplicates(parse_qsl(text, keep_blank_values=True))
    if text.lstrip()[:1] == "<":
        raise UnreadableBodyError("an HTML or XML page")
    try:
        found = json.loads(
            text,
            object_pairs_hook=_ObjectWithPairs,
            parse_constant=_reject_constant if strict else lambda _: nan,
            parse_int=_reject_infinite(_parse_integer) if strict else _parse_integer,
            parse_float=_reject_infinite(float) if strict else float,
        )
    except (ValueError, RecursionError) as error:
        place = (
            f": {error.msg} at line {error.lineno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise UnreadableBodyError(f"text that is not valid JSON{place}") from None
    return _reject_duplicates(found.pairs) if isinstance(found, _ObjectWithPairs) else found


class _ObjectWithPairs(dict[str, Any]):
    """A JSON object that remembers its pairs, so that a member given twice can be seen."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = sorted(name for name, count in times.items() if count > 1)[:MAX_DUPLICATES_NAMED]
        raise UnreadableBodyError(f"an object that gives {', '.join(map(repr, twice))} twice")
    return found


def _reject_constant(word: str) -> NoReturn:
    raise UnreadableBodyError(f"text that is not valid JSON ({word} is no number)")


def _reject_infinite(read: Callable[[str], int | float]) -> Callable[[str], int | float]:
    """Return the reader of numbers that refuses infinite ones."""

    def number(digits: str) -> int | float:
        value = read(digits)
        if isinstance(value, float) and not isfinite(value):
            raise UnreadableBodyError("JSON with a number that is too large")
        return value

    return number


def _parse_integer(digits: str) -> int | float:
    return (
        int(digits) if len(digits) <= MAX_DIGITS else float("-inf" if digits[0] == "-" else "inf")
    )

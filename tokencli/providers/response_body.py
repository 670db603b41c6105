"""Parse the body of a reply, or say why it can't be parsed."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from math import isfinite, nan
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from tokencli.jwt.decode import MAX_JSON_DEPTH, is_deeper_than
from tokencli.models import HttpReply

MAX_DIGITS = 400
"""A number with more digits counts as infinite. int() itself refuses 4300 digits."""

MAX_DUPLICATES_NAMED = 5
"""The most duplicate members that a message names."""


class UnreadableBodyError(Exception):
    """The body is not an object. The message says what it is instead."""


def parse_object(reply: HttpReply) -> Mapping[str, Any]:
    """Return the members of the reply's JSON object, parsed strictly because no token is at stake.

    Raises:
        UnreadableBodyError: see `parse_body`; also for NaN, infinite numbers and deep nesting.
    """
    found = parse_body(reply, strict=True)
    if not isinstance(found, dict):
        raise UnreadableBodyError("JSON that is not an object")
    if is_deeper_than(found, MAX_JSON_DEPTH):
        raise UnreadableBodyError(f"JSON that is nested deeper than {MAX_JSON_DEPTH} levels")
    return found


def parse_body(reply: HttpReply, *, strict: bool = False) -> Any:
    """Return the JSON or the form fields of the body.

    Always strict about UTF-8 and about duplicate members at the top level. Unless `strict`, lenient if
    strictness could lose a token: NaN stays NaN, and a number that is too large becomes infinite.

    Raises:
        UnreadableBodyError: the body is HTML, text, empty, or damaged JSON.
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
    """A JSON object that keeps its pairs, so that duplicate members can be detected."""

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
    raise UnreadableBodyError(f"text that is not valid JSON ({word} is not a number)")


def _reject_infinite(read: Callable[[str], int | float]) -> Callable[[str], int | float]:
    """Return a number parser that refuses infinite numbers."""

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

"""Turn pydantic's errors into findings that a person can act on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal

from pydantic import ValidationError

from tokencli.config.findings import Finding, Path, Wrong, did_you_mean, meant, shown
from tokencli.config.top import TOP

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a number"),
    (float, "a number"),
    (list, "an array"),
    (tuple, "an array"),
    (dict, "a table"),
)
_OR_NEVER = "literal['never']"
"""The last of the places of an error, where a number or this word may stand."""
_WANTED = {
    "string_type": "text in quotes",
    "bool_type": "true or false, without quotes",
    "list_type": "an array, in [ ]",
    "tuple_type": "an array, in [ ]",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table, in { }",
    "dataclass_type": "a table",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "too_short": "an array that is not empty",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "bool_parsing": "true or false, without quotes",
    _OR_NEVER: 'a number of seconds or "never"',
}

_LISTED = 8
"""Keys that are listed where a slip is near none of them."""

Keys = Callable[[Path], Iterable[str]]
"""Says which keys may stand in the table at a path below the one that is judged."""


def findings(
    error: ValidationError,
    at: Path,
    keys: Keys,
    secret: frozenset[str] = frozenset(),
    *,
    of: str = "a provider",
) -> list[Finding]:
    """List what is wrong below the table `at`, which is one `of` what a person would call so.

    No value of a `secret` key is quoted.
    """
    found = _whole(error.errors(include_url=False))
    return [_finding(entry, at, keys, secret, of) for entry in found]


def _whole(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the errors, those of the alternatives for one value as one: one slip, one finding."""
    kept = list(entries)
    of_several = {entry["loc"][:-1] for entry in kept if entry["loc"][-1:] == (_OR_NEVER,)}
    told = set()
    for entry in kept:
        loc = entry["loc"][:-1]
        if loc not in of_several:
            yield entry
        elif loc not in told:
            told.add(loc)
            yield {**entry, "loc": loc, "type": _OR_NEVER}


def _finding(
    entry: Mapping[str, Any], at: Path, keys: Keys, secret: frozenset[str], of: str
) -> Finding:
    loc = tuple(str(part) for part in entry["loc"])
    path = (*at, *loc)
    value = entry.get("input")
    quotable = bool(loc) and loc[0] not in secret
    match entry["type"]:
        case "missing":
            return Finding(path, "is missing")
        case "extra_forbidden" | "unexpected_keyword_argument":
            return _unknown(path, tuple(keys(loc[:-1])), of if len(loc) == 1 else loc[-2])
        case "literal_error":
            choices = entry["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            what = f"is {shown(value)}" if quotable else "is something else"
            return Finding(path, what, _choose(value, choices))
        case "value_error" if isinstance(wrong := entry["ctx"]["error"], Wrong):
            seen = shown(value) if wrong.quote and quotable else None
            return Finding(path, wrong.said(seen), wrong.right)
        case kind:
            wanted = _WANTED.get(kind)
            if wanted is None:
                return Finding(path, str(entry["msg"]))
            seen = f": {shown(value)}" if quotable and not isinstance(value, dict | list) else ""
            return Finding(path, f"is {_kind(value)}{seen}", _right(wanted, value, quotable))


def loosely_typed(part: Any, path: Path) -> Iterator[Finding]:
    """Yield what pydantic lets pass in a dataclass though it is of another type: "no", "30", 1."""
    for field in fields(part):
        value, inside = getattr(part, field.name), (*path, field.name)
        if field.type in _SCALARS:
            fits, wanted = _SCALARS[field.type]
            if value is not None and not fits(value):
                seen = "" if isinstance(value, tuple) else f": {shown(value)}"
                yield Finding(inside, f"is {_kind(value)}{seen}", f"must be {wanted}")
        elif is_dataclass(value):
            yield from loosely_typed(value, inside)
        elif isinstance(value, Mapping):
            for name, row in value.items():
                if is_dataclass(row):
                    yield from loosely_typed(row, (*inside, name))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SCALARS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), _WANTED["bool_type"]),
    int: (_is_whole, _WANTED["int_type"]),
    int | None: (_is_whole, _WANTED["int_type"]),
    float | None: (_is_number, _WANTED["float_type"]),
    float | Literal["never"] | None: (
        lambda value: value == "never" or _is_number(value),
        _WANTED[_OR_NEVER],
    ),
    tuple[int, ...]: (lambda value: all(map(_is_whole, value)), "whole numbers, in [ ]"),
}
"""Type of a key -> what tells that a value is of it, and what to say otherwise."""


def _unknown(path: Path, known: tuple[str, ...], of: str) -> Finding:
    """Say that a key can't stand there, and what was probably meant; a long list is left out."""
    if path[0] == "profiles" and len(path) == 3 and path[2] in TOP:
        return Finding(path, "belongs at the top of the file", "move it above the first [table]")
    right = did_you_mean(path[-1], known)
    if len(known) > _LISTED and meant(path[-1], known) is None:
        right = "tokencli profiles schema lists them"
    return Finding(path, f"is not a key of {of}", right)


def _choose(value: object, choices: list[str]) -> str:
    if not isinstance(value, str):
        return f"must be one of: {', '.join(choices)}"
    return did_you_mean(value, choices)


def _right(wanted: str, value: object, quotable: bool) -> str:
    if wanted == "text in quotes" and quotable and isinstance(value, int | float):
        return f'must be {wanted}: "{shown(value)}"'
    return f"must be {wanted}"


def _kind(value: object) -> str:
    for kind, word in _KINDS:
        if isinstance(value, kind):
            return word
    return "a date or time"

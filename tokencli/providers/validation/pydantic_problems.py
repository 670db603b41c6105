"""Turn pydantic's errors into findings with a suggestion."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

from pydantic import ValidationError

from tokencli.problems import (
    Finding,
    InvalidValueError,
    KeyPath,
    closest_match,
    did_you_mean,
    quote_value,
)
from tokencli.providers.catalog import LIST_KEYS

_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a number"),
    (float, "a number"),
    (list, "an array"),
    (tuple, "an array"),
    (dict, "a table"),
)
_NUMBER_OR_NEVER = "literal['never']"
"""The last part of an error's location for a key that is a number or "never"."""
_EXPECTED = {
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
    _NUMBER_OR_NEVER: 'a number of seconds or "never"',
}

_TEXT_OR_LIST_KEYS = frozenset((*LIST_KEYS, "code", "description", "use"))
"""Keys that accept one text instead of an array of one."""
_MAX_LISTED_KEYS = 8
"""The most keys that a suggestion lists if none is similar."""

AllowedKeys = Callable[[KeyPath], Iterable[str]]
"""Returns the keys allowed in the table at a path below the validated one."""


def convert_validation_error(
    error: ValidationError,
    at: KeyPath,
    keys: AllowedKeys,
    secret: frozenset[str] = frozenset(),
    *,
    of: str = "a provider",
    top_level_keys: Collection[str] = (),
) -> list[Finding]:
    """List the problems in the table at `at`, which messages call `of`.

    No value of a `secret` key is quoted. A misplaced key of `top_level_keys` is said to belong at
    the top of the file.
    """
    table = _TableContext(at, keys, secret, of, top_level_keys)
    return [
        _to_finding(entry, table) for entry in _merge_alternatives(error.errors(include_url=False))
    ]


@dataclass(frozen=True, slots=True)
class _TableContext:
    """The table in which errors were found."""

    at: KeyPath
    keys: AllowedKeys
    secret_keys: frozenset[str]
    name: str
    top_level_keys: Collection[str]


def _merge_alternatives(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the errors, with those of the alternatives for one value merged into one."""
    kept = list(entries)
    of_several = {entry["loc"][:-1] for entry in kept if entry["loc"][-1:] == (_NUMBER_OR_NEVER,)}
    reported = set()
    for entry in kept:
        loc = entry["loc"][:-1]
        if loc not in of_several:
            yield entry
        elif loc not in reported:
            reported.add(loc)
            yield {**entry, "loc": loc, "type": _NUMBER_OR_NEVER}


def _to_finding(entry: Mapping[str, Any], table: _TableContext) -> Finding:
    loc = tuple(str(part) for part in entry["loc"])
    path = (*table.at, *loc)
    value = entry.get("input")
    quotable = bool(loc) and loc[0] not in table.secret_keys
    match entry["type"]:
        case "missing":
            return Finding(path, "is missing")
        case "extra_forbidden" | "unexpected_keyword_argument":
            if len(loc) == 1 and loc[0] in table.top_level_keys:
                return Finding(
                    path, "belongs at the top of the file", "move it above the first [table]"
                )
            parent = table.name if len(loc) == 1 else loc[-2]
            return _unknown_key(path, tuple(table.keys(loc[:-1])), parent)
        case "literal_error":
            choices = entry["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            what = f"is {quote_value(value)}" if quotable else "is something else"
            return Finding(path, what, _suggest_choice(value, choices))
        case "value_error" if isinstance(wrong := entry["ctx"]["error"], InvalidValueError):
            seen = quote_value(value) if wrong.may_quote and quotable else None
            return Finding(path, wrong.describe_value(seen), wrong.suggestion)
        case kind:
            wanted = _EXPECTED.get(kind)
            if kind == "tuple_type" and (loc[-1] in _TEXT_OR_LIST_KEYS or "outputs" in loc):
                wanted = _EXPECTED["string_type"]
            if wanted is None:
                return Finding(path, str(entry["msg"]))
            seen = (
                f": {quote_value(value)}" if quotable and not isinstance(value, dict | list) else ""
            )
            return Finding(
                path, f"is {_toml_type_word(value)}{seen}", _suggest_type(wanted, value, quotable)
            )


def check_strict_types(part: Any, path: KeyPath) -> Iterator[Finding]:
    """Yield values of another type that pydantic accepts in dataclasses: "no", "30", 1."""
    for field in fields(part):
        value, inside = getattr(part, field.name), (*path, field.name)
        if field.type in _STRICT_TYPES:
            fits, wanted = _STRICT_TYPES[field.type]
            if value is not None and not fits(value):
                seen = "" if isinstance(value, tuple) else f": {quote_value(value)}"
                yield Finding(inside, f"is {_toml_type_word(value)}{seen}", f"must be {wanted}")
        elif is_dataclass(value):
            yield from check_strict_types(value, inside)
        elif isinstance(value, Mapping):
            for name, row in value.items():
                if is_dataclass(row):
                    yield from check_strict_types(row, (*inside, name))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_STRICT_TYPES: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), _EXPECTED["bool_type"]),
    int: (_is_integer, _EXPECTED["int_type"]),
    int | None: (_is_integer, _EXPECTED["int_type"]),
    float | None: (_is_number, _EXPECTED["float_type"]),
    float | Literal["never"] | None: (
        lambda value: value == "never" or _is_number(value),
        _EXPECTED[_NUMBER_OR_NEVER],
    ),
    tuple[int, ...]: (lambda value: all(map(_is_integer, value)), "whole numbers, in [ ]"),
}
"""Type of a key -> a check of the value, and the description of what it must be."""


def _unknown_key(path: KeyPath, known: tuple[str, ...], of: str) -> Finding:
    """Report an unknown key with the one that was probably meant. A long list is left out."""
    right = did_you_mean(path[-1], known)
    if len(known) > _MAX_LISTED_KEYS and closest_match(path[-1], known) is None:
        right = "tokencli profiles schema lists them"
    return Finding(path, f"is not a key of {of}", right)


def _suggest_choice(value: object, choices: list[str]) -> str:
    if choices == ["True"]:
        return "must be true"
    if not isinstance(value, str):
        return f"must be one of: {', '.join(choices)}"
    return did_you_mean(value, choices)


def _suggest_type(wanted: str, value: object, quotable: bool) -> str:
    if wanted == "text in quotes" and quotable and isinstance(value, int | float):
        return f'must be {wanted}: "{quote_value(value)}"'
    return f"must be {wanted}"


def _toml_type_word(value: object) -> str:
    for kind, word in _TYPE_NAMES:
        if isinstance(value, kind):
            return word
    return "a date or time"

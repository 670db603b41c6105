"""Load the built-in providers, and build a `Provider` from any provider table."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from tokencli.provider_schema import (
    Call,
    Endpoints,
    ErrorMeaning,
    Errors,
    Field,
    Grant,
    IssuanceRules,
    Locators,
    Provider,
    Reply,
    Request,
    Signed,
    Spellings,
    TextOrList,
)

_DIRECTORY = Path(__file__).parent
CODES_HEADER = "\n[errors.codes]\n"
"""What precedes the error codes in a built-in file."""

BUILTIN_NAMES: tuple[str, ...] = tuple(sorted(path.stem for path in _DIRECTORY.glob("*.toml")))
"""The names of the built-in providers."""


@cache
def load_builtin_table(name: str) -> Mapping[str, Any]:
    """Return the file of a built-in provider as parsed TOML."""
    return tomllib.loads(read_builtin_text(name))


def read_builtin_text(name: str) -> str:
    """Return the text of a built-in provider's file."""
    return (_DIRECTORY / f"{name}.toml").read_text(encoding="utf-8")


@cache
def load_builtin(name: str) -> Provider:
    """Return a built-in provider without its error codes. Its file is trusted, so it is not validated.

    Only a refusal needs the codes, which `load_error_codes` returns. Parsing Entra ID's takes 20
    times as long as the rest of its file.
    """
    head, _, codes = read_builtin_text(name).partition(CODES_HEADER)
    _, next_table, rest = codes.partition("\n[")
    return build_provider(tomllib.loads(head + next_table + rest), name)


def load_error_codes(provider: Provider) -> Mapping[str, ErrorMeaning]:
    """Return what the error codes of a provider mean."""
    if provider.name not in BUILTIN_NAMES:
        return provider.errors.codes
    return _load_builtin_codes(provider.name)


@cache
def _load_builtin_codes(name: str) -> Mapping[str, ErrorMeaning]:
    return _build_errors(load_builtin_table(name).get("errors", {})).codes


def build_provider(data: Mapping[str, object], name: str) -> Provider:
    """Build a provider from a validated table."""
    built = {key: _BUILDERS.get(key, _to_tuples)(value) for key, value in data.items()}
    is_custom = built.get("request", Request()).is_custom
    if not built.get("grants"):
        built["grants"] = {"token" if is_custom else "client_credentials": Grant()}
    if is_custom:
        built.setdefault("client_auth", ("none",))
    return Provider(**{**built, "name": name})


def _to_tuples(value: Any) -> Any:
    """Convert lists to tuples, at every depth."""
    if isinstance(value, list | tuple):
        return tuple(_to_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _to_tuples(item) for key, item in value.items()}
    return value


def _table_builder(build: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda table: build(**{key: _to_tuples(value) for key, value in table.items()})


def _rows_builder(build: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda table: {str(key): _table_builder(build)(row) for key, row in table.items()}


def _build_fields(table: Any) -> dict[str, Field]:
    return {
        name: Field(**{**row, "ask": row.get("ask") or name.replace("_", " ").capitalize()})
        for name, row in table.items()
    }


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _to_tuples(value)


def _build_reply(table: Any) -> Reply:
    lists = {key: _as_tuple(table[key]) for key in table if key in LIST_KEYS}
    outputs = {name: _as_tuple(locators) for name, locators in table.get("outputs", {}).items()}
    return Reply(**{**_table_builder(dict)(table), **lists, "outputs": outputs})


def _build_call(table: Any) -> Call:
    reply = {"reply": _build_reply(table["reply"])} if "reply" in table else {}
    return Call(**{**_table_builder(dict)(table), **reply})


def _build_spellings(table: Any) -> dict[str, Spellings]:
    built = {}
    for name, given in table.items():
        row = given if isinstance(given, Mapping) else {"values": given}
        values = row["values"] if isinstance(row["values"], list | tuple) else [row["values"]]
        codes = row.get("on", "unsupported_grant_type" if name == "grant_type" else ())
        built[name] = Spellings(_to_tuples(values), _as_tuple(codes))
    return built


def _build_errors(table: Any) -> Errors:
    rows = {key: _rows_builder(ErrorMeaning)(table.get(key, {})) for key in ("codes", "status")}
    locators = {key: _as_tuple(table[key]) for key in ("code", "description") if key in table}
    return Errors(**{**_table_builder(dict)(table), **rows, **locators})


LIST_KEYS = frozenset(field.name for field in fields(Reply) if field.type in (TextOrList, Locators))
"""Keys of a reply that accept one text instead of an array of one."""

_BUILDERS: dict[str, Callable[[Any], Any]] = {
    "endpoints": _table_builder(Endpoints),
    "grants": _rows_builder(Grant),
    "fields": _build_fields,
    "signed": _rows_builder(Signed),
    "request": _table_builder(Request),
    "spellings": _build_spellings,
    "reply": _build_reply,
    "then": _build_call,
    "refresh": _build_call,
    "logout": _build_call,
    "use": _as_tuple,
    "issuing": _table_builder(IssuanceRules),
    "errors": _build_errors,
}

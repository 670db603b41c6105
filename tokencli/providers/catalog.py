"""Read the built-in providers and build a `Provider` from the words of any."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from tokencli.providers.spec import (
    Call,
    Endpoints,
    Errors,
    Field,
    Grant,
    Issuing,
    Many,
    Meaning,
    Places,
    Provider,
    Reply,
    Request,
    Signed,
)

_HERE = Path(__file__).parent
_DEFAULTS = "oauth2"
"""The provider whose error meanings stand under every other's."""

BUILTIN: tuple[str, ...] = tuple(sorted(path.stem for path in _HERE.glob("*.toml")))
"""The names of the providers that come with the program."""


@cache
def words(name: str) -> Mapping[str, Any]:
    """Return the file of a built-in provider as parsed TOML."""
    return tomllib.loads(text_of(name))


def text_of(name: str) -> str:
    """Return the file of a built-in provider as it is written."""
    return (_HERE / f"{name}.toml").read_text(encoding="utf-8")


@cache
def builtin(name: str) -> Provider:
    """Return a built-in provider; its file is trusted, so nothing is validated."""
    return provider_from(words(name), name)


def provider_from(data: Mapping[str, object], name: str) -> Provider:
    """Build a provider from validated words, with the RFC's error meanings under its own."""
    built = {key: _BUILD.get(key, _frozen)(value) for key, value in data.items()}
    errors = built.get("errors") or Errors()
    default = _errors(words(_DEFAULTS)["errors"])
    built["errors"] = Errors(
        code=errors.code,
        description=errors.description,
        codes={**default.codes, **errors.codes},
        status={**default.status, **errors.status},
    )
    whole = built.get("request", Request()).whole
    if not built.get("grants"):
        built["grants"] = {"token" if whole else "client_credentials": Grant()}
    if whole:
        built.setdefault("client_auth", ("none",))
    return Provider(**{**built, "name": name})


def _frozen(value: Any) -> Any:
    """Turn lists into tuples, at every depth."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def _part(build: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda table: build(**{key: _frozen(value) for key, value in table.items()})


def _rows(build: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda table: {str(key): _part(build)(row) for key, row in table.items()}


def _fields(table: Any) -> dict[str, Field]:
    return {
        name: Field(**{**row, "ask": row.get("ask") or name.replace("_", " ").capitalize()})
        for name, row in table.items()
    }


def _many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _frozen(value)


def _reply(table: Any) -> Reply:
    listed = {key: _many(table[key]) for key in table if key in LISTS}
    outputs = {name: _many(place) for name, place in table.get("outputs", {}).items()}
    return Reply(**{**_part(dict)(table), **listed, "outputs": outputs})


def _call(table: Any) -> Call:
    own = {"reply": _reply(table["reply"])} if "reply" in table else {}
    return Call(**{**_part(dict)(table), **own})


def _errors(table: Any) -> Errors:
    rows = {key: _rows(Meaning)(table.get(key, {})) for key in ("codes", "status")}
    places = {key: _many(table[key]) for key in ("code", "description") if key in table}
    return Errors(**{**_part(dict)(table), **rows, **places})


LISTS = frozenset(field.name for field in fields(Reply) if field.type in (Many, Places))
"""Keys of a reply whose one text stands for an array of one."""

_BUILD: dict[str, Callable[[Any], Any]] = {
    "endpoints": _part(Endpoints),
    "grants": _rows(Grant),
    "fields": _fields,
    "signed": _rows(Signed),
    "request": _part(Request),
    "reply": _reply,
    "then": _call,
    "refresh": _call,
    "logout": _call,
    "use": _many,
    "issuing": _part(Issuing),
    "errors": _errors,
}

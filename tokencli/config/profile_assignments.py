"""Parse what `--set` and `--secret` assign to the keys of a profile."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from tokencli.config.profile_schema import build_profile_model, secret_key_names
from tokencli.errors import UsageError
from tokencli.humanize import join_alternatives
from tokencli.problems import closest_match, did_you_mean
from tokencli.provider_schema import Provider
from tokencli.secret_sources import (
    ARGUMENT_TARGETS,
    SECRET_SOURCES,
    list_example_arguments,
)
from tokencli.shell_words import quote

EDIT_COMMAND = "tokencli profiles edit NAME"


def parse_assignments(
    assignments: Iterable[str],
    provider: Provider,
    command: str = EDIT_COMMAND,
    current: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Parse the `KEY=VALUE` pairs of `--set`; `command` is the command that has them, for fixes.

    A key such as `params.tenant` or `subject_token.profile` reaches into a table. The source of a
    secret is returned as a whole table, because it has exactly one; `current` is the profile as it
    is written, from which a table that is set in part takes the rest.

    Raises:
        UsageError: a key is unknown, a value is missing or has the wrong type, or it is a secret.
    """
    model = build_profile_model(provider)
    types = {field.alias or key: field.annotation for key, field in model.model_fields.items()}
    secrets = secret_key_names(provider)
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        top, dot, inner = key.partition(".")
        if top in secrets and not inner:
            raise UsageError(
                f"{top} is a secret, so it can't be given with --set",
                cause="other users can read a command line; tokencli login stores the secret, and"
                f" --secret names another source: {join_alternatives(list_example_arguments())}",
                fix=f"{command} --secret {top}=env:VAR",
            )
        if top not in types:
            likely = closest_match(top, tuple(types))
            option = f"--secret {likely}=env:VAR" if likely in secrets else f"--set {likely}=VALUE"
            raise UsageError(
                f"{top[:80]!r} is not a key of {provider.name} profiles",
                fix=f"{command} {option}" if likely else "tokencli profiles schema",
            )
        if not equals:
            raise UsageError(
                f"--set {key[:80]} has no value",
                fix=f"{command} --set {quote(key[:80])}=VALUE",
            )
        if not dot:
            values[key] = _parse_value(types[top], key, value, command)
        elif top in secrets:
            table = values.get(top, (current or {}).get(top))
            values[top] = _set_source(types[top], table, key, value, command)
        else:
            values[key] = _parse_inner_value(types[top], key, value, command)
    return values


def _parse_inner_value(annotation: Any, key: str, value: str, command: str, depth: int = 1) -> Any:
    """Parse the value of a dotted key, of which the first `depth` parts lead to `annotation`."""
    for kind in _iter_types(annotation):
        if get_origin(kind) is dict:
            return _parse_value(get_args(kind)[1], key, value, command)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            parts = key.split(".")
            table, name = ".".join(parts[:depth]), parts[depth]
            types = {each.alias or own: each.annotation for own, each in kind.model_fields.items()}
            if name not in types:
                likely = closest_match(name, tuple(types))
                raise UsageError(
                    f"{name[:80]!r} is not a key of {table}",
                    cause=f"its keys are {', '.join(types)}",
                    fix=f"{command} --set {table}.{likely}=VALUE" if likely else None,
                )
            if len(parts) > depth + 1:
                return _parse_inner_value(types[name], key, value, command, depth + 1)
            return _parse_value(types[name], key, value, command)
    table = ".".join(key.split(".")[:depth])
    raise UsageError(f"{key[:80]!r} is not a key: {table} is not a table")


def _set_source(annotation: Any, table: object, key: str, value: str, command: str) -> Any:
    """Return the source of a secret with one key set; a source of another kind is replaced."""
    parsed = _parse_inner_value(annotation, key, value, command)
    _, kind, *inner = key.split(".")
    target = table.get(kind) if isinstance(table, Mapping) else None
    if inner:
        return {kind: {**(target if isinstance(target, Mapping) else {}), inner[0]: parsed}}
    return {kind: parsed}


def _iter_types(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives of an annotation, without `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _iter_types(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for each in get_args(annotation):
            yield from _iter_types(each)
    else:
        yield annotation


def _parse_value(annotation: Any, key: str, value: str, command: str) -> Any:
    """Return the value in the type of its key; pydantic rejects text that is none of the type."""
    types = list(_iter_types(annotation))
    lists = [kind for kind in types if get_origin(kind) in (tuple, list)]
    if bool in types or any(get_args(kind) == (True,) for kind in types):
        if value not in ("true", "false"):
            raise UsageError(f"{key} must be true or false", fix=f"{command} --set {key}=true")
        return value == "true"
    if (int in types or float in types) and (number := _parse_number(value)) is not None:
        return number
    if lists and value.startswith("[") and (items := _parse_list(value)) is not None:
        return items
    if lists and str not in types and key.endswith(".command"):
        return ARGUMENT_TARGETS["argv"].parse(value)
    if lists and str not in types and "," in value:
        return [part.strip() for part in value.split(",")]
    if any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in types):
        raise UsageError(
            f"{key} is a table, so it has no value of its own",
            fix=f"{command} --set {key}.KEY=VALUE",
        )
    return value


def _parse_number(text: str) -> int | float | None:
    """Return a decimal number as TOML writes it, or None, e.g. for the duration `5m`."""
    if re.fullmatch(r"0|[1-9][0-9]{0,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]{1,15}\.[0-9]{1,15}", text) else None


def _parse_list(text: str) -> list[str] | None:
    """Return the items of an array of strings in TOML, or None if the text isn't one."""
    try:
        items = tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):
        return None
    return items if isinstance(items, list) and all(isinstance(i, str) for i in items) else None


def nest_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Move keys such as `params.x` into a table `params`."""
    nested: dict[str, Any] = {}
    for key, value in keys.items():
        top, _, inner = key.partition(".")
        if inner:
            nested.setdefault(top, {})[inner] = value
        else:
            nested[key] = value
    return nested


def parse_secret_sources(
    assignments: Iterable[str], provider: Provider, command: str = EDIT_COMMAND
) -> dict[str, dict[str, Any]]:
    """Parse the values of `--secret`: `NAME=KIND:TARGET` or `NAME=KIND`, by the table of secret sources.

    Raises:
        UsageError: the secret or the source is unknown.
    """
    refs = {}
    for text in assignments:
        name, _, location = text.partition("=")
        kind, _, target = location.partition(":")
        if name not in secret_key_names(provider):
            raise UsageError(
                f"{name[:80]!r} is not a secret of {provider.name} profiles",
                cause=did_you_mean(name, sorted(secret_key_names(provider))),
            )
        source = SECRET_SOURCES.get(kind)
        form = ARGUMENT_TARGETS.get(source.target_type) if source else None
        if form is None or (form.example and not target):
            # The value may be the secret itself, so it isn't quoted.
            raise UsageError(
                f"--secret {name} doesn't name a source of the secret",
                cause=f"write the source as {join_alternatives(list_example_arguments())}",
                fix=f"{command} --secret {name}=env:VAR",
            )
        refs[name] = {kind: form.parse(target)}
    return refs

"""A validated profile as JSON, so that the next run need not read and judge the whole file again.

It holds what the profile holds: names and places, no secret. Whoever keeps it vouches that neither
the configuration nor the program has changed since.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

from tokencli.models import Profile

_CLASS_KEY = ""
"""The key under which an object names its class; no other key is empty."""
_PACKAGE_PREFIX = "tokencli."


def dump_profile(profile: Profile) -> str:
    """Return the profile as one line of ASCII.

    Raises:
        ValueError: it holds something else than text, numbers and tables of them.
    """
    return json.dumps(_to_json_value(profile), separators=(",", ":"))


def parse_profile(text: str) -> Profile:
    """Return the profile that `dump` wrote; raises ValueError where it did not."""
    try:
        found = _from_json_value(json.loads(text))
    except (ValueError, TypeError, AttributeError, ImportError, RecursionError):
        raise ValueError("not a profile") from None
    if not isinstance(found, Profile):
        raise ValueError("not a profile")
    return found


def _to_json_value(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, tuple):
        return [_to_json_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _to_json_value(item) for key, item in value.items()}
    if is_dataclass(value) and type(value).__module__.startswith(_PACKAGE_PREFIX):
        name = f"{type(value).__module__.removeprefix(_PACKAGE_PREFIX)}:{type(value).__qualname__}"
        return {_CLASS_KEY: name} | {
            field.name: _to_json_value(getattr(value, field.name)) for field in fields(value)
        }
    raise ValueError(f"{type(value).__name__} is nothing that a profile holds")


def _from_json_value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple([_from_json_value(item) for item in value])
    if not isinstance(value, dict):
        return value
    built = {key: _from_json_value(item) for key, item in value.items() if key != _CLASS_KEY}
    if _CLASS_KEY not in value:
        return built
    module, _, name = str(value[_CLASS_KEY]).partition(":")
    kind = getattr(import_module(_PACKAGE_PREFIX + module), name)
    if not isinstance(kind, type) or not is_dataclass(kind):
        raise ValueError(f"{name} is no class of nouns")
    return kind(**built)

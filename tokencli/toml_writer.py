"""Write TOML: values, key paths and tables, in printable characters only.

tomlkit edits existing TOML (`config.toml_edit`); importing it takes about 35 ms, so new TOML is
written here.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

KeyPath = tuple[str, ...]
"""A key path, one item per part: the name of a profile may itself contain dots."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_INVISIBLE_CHARACTERS = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that a terminal may interpret or not show; written as escapes."""


def format_toml_value(value: Any) -> str:
    """Return a value as TOML on one line, a table as an inline table."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        members = [f"{_format_key(key)} = {format_toml_value(item)}" for key, item in value.items()]
        return f"{{ {', '.join(members)} }}" if members else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_toml_value, value))}]"
    return _format_string(value) if isinstance(value, str) else str(value)


def format_key_path(path: KeyPath) -> str:
    """Return a key path as TOML, e.g. `profiles."a b".host`."""
    return ".".join(map(_format_key, path))


def format_toml_table(table: Mapping[str, Any]) -> str:
    """Return the keys of a table, one line each, tables inside it inline."""
    return "".join(
        f"{_format_key(key)} = {format_toml_value(value)}\n" for key, value in table.items()
    )


def _format_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _format_string(key)


def _format_string(text: str) -> str:
    quoted = json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False)
    return _INVISIBLE_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)

"""Write TOML values, and change an inline table without writing it anew."""

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from tokencli.problems import KeyPath


def render_table(table: Mapping[str, Any]) -> str:
    """Write keys as TOML, tables inside them inline: a statement a line."""
    import tomlkit

    document = tomlkit.document()
    for key, value in table.items():
        document.add(key, _to_inline_item(value))
    return tomlkit.dumps(document)


def render_value(value: object) -> str:
    """Write a value alone."""
    return render_table({"v": value}).removeprefix("v = ").removesuffix("\n")


def render_key_path(path: KeyPath) -> str:
    """Write a key path."""
    import tomlkit

    return ".".join(tomlkit.key(part).as_string() for part in path)


def set_in_value(path: KeyPath, value: object, old: str) -> str:
    """Set what stands at `path` inside the written value `old`; itself, where the path is empty."""
    if not path:
        return old if repr(_parse_value(old)) == repr(value) else render_value(value)

    def put(table: Any, item: Callable[[Any], Any]) -> None:
        for key in path[:-1]:
            if key not in table:
                table[key] = item({})
            table = table[key]
        table[path[-1]] = item(value)

    return _edit_value(old, put)


def delete_from_value(path: KeyPath, old: str) -> str:
    """Take what stands at `path` out of the written inline table `old`."""

    def take(table: Any, _: object) -> None:
        for key in path[:-1]:
            table = table.get(key, {})
        if path[-1] in table:
            del table[path[-1]]

    return re.sub(r"\s{2,}}$", " }", _edit_value(old, take))


def _edit_value(old: str, change: Callable[[Any, Callable[[Any], Any]], None]) -> str:
    """Change an inline table in its own writing, or write it anew where that goes wrong."""
    import tomlkit

    wanted = _parse_value(old)
    change(wanted, lambda value: value)
    try:
        document = tomlkit.parse(f"v = {old}")
        change(document["v"], _to_inline_item)
        new = tomlkit.dumps(document).removeprefix("v = ")
        if repr(_parse_value(new)) == repr(wanted):
            return new
    except Exception:  # noqa: BLE001, S110  # whatever tomlkit can't do, it is done below
        pass
    return render_value(wanted)


def _parse_value(value: str) -> Any:
    return tomllib.loads(f"v = {value}")["v"]


def _to_inline_item(value: Any) -> Any:
    import tomlkit

    if not isinstance(value, Mapping):
        return value
    inline = tomlkit.inline_table()
    for key, inner in value.items():
        inline.add(key, _to_inline_item(inner))
    return inline

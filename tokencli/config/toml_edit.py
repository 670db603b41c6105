"""Change single statements of a TOML text and leave every other byte as it is.

tomlkit alone would do for most files; but it counts the comment above a table as part of the
table before, so that removing one would take its neighbour's comment along.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tokencli.config.toml_positions import Statement, find_value_span, iter_statements, split_lines
from tokencli.problems import KeyPath


def set_key(text: str, path: KeyPath, value: object) -> str:
    """Set the key at `path` where it stands, or else behind the other keys of its table."""
    found = list(iter_statements(text))
    for one in found:
        if not one.is_header and path[: len(one.key_path)] == one.key_path:
            return _replace_value(
                text, one, partial(set_in_value, path[len(one.key_path) :], value)
            )
    if any(one.key_path[: len(path)] == path for one in found):
        return _update_table(text, path, value)
    return _insert_key(text, found, path, value)


def delete_key(text: str, path: KeyPath) -> str:
    """Take out everything at and below `path`: of a table the comments inside, of a key its line."""
    for one in iter_statements(text):
        around = len(one.key_path) < len(path) and path[: len(one.key_path)] == one.key_path
        if around and not one.is_header:
            return _replace_value(text, one, partial(delete_from_value, path[len(one.key_path) :]))
    lines = split_lines(text)
    for first, after in reversed(_find_sections(text, path, lines)):
        while first > 0 and after < len(lines) and not lines[first - 1].strip():
            if lines[after].strip():
                break
            after += 1  # of the blank lines before and after, keep the ones before
        lines[first:after] = []
    return "".join(lines)


def append_table(text: str, path: KeyPath, table: Mapping[str, Any]) -> str:
    """Add a table at the end."""
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + _match_line_endings(
        split_lines(text), f"{gap}[{render_key_path(path)}]\n{render_table(table)}"
    )


def _replace_value(text: str, statement: Statement, change: Callable[[str], str]) -> str:
    """Change the value of one statement and keep all that stands around it."""
    lines = split_lines(text)
    old = "".join(lines[statement.first_line : statement.end_line])
    start, end = find_value_span(old)
    new = old[:start] + change(old[start:end]) + old[end:]
    return "".join([*lines[: statement.first_line], new, *lines[statement.end_line :]])


def _update_table(text: str, path: KeyPath, value: object) -> str:
    """Set a table that is written as one or more statements: what stays the same stays there."""
    now: Any = tomllib.loads(text)
    for part in path:
        now = now[part] if isinstance(now, dict) else None
    if not isinstance(now, dict) or not isinstance(value, Mapping) or not value:
        return set_key(delete_key(text, path), path, value)
    for key, inner in value.items():
        if key not in now or repr(now[key]) != repr(inner):  # 1 is not true here
            text = set_key(text, (*path, key), inner)
    for key in now:
        if key not in value:
            text = delete_key(text, (*path, key))
    return text


def _insert_key(text: str, found: list[Statement], path: KeyPath, value: object) -> str:
    """Write a new key behind the last of its table, in the way in which the others are written."""
    table = path[:-1]
    last, around = _find_insertion_point(found, table)
    lines = split_lines(text)
    if last is None and table:
        if len(table) > 2 and not any(one.key_path[: len(table)] == table for one in found):
            return set_key(text, table, {path[-1]: value})
        return append_table(text, table, {path[-1]: value})  # only tables inside it have a header
    at = last.end_line if last else _line_after_preamble(lines)
    above = lines[last.first_line] if last else ""
    indent = above[: len(above) - len(above.lstrip())]
    line = f"{indent}{render_key_path(path[len(around) :])} = {render_value(value)}\n"
    if not table and last is None and at < len(lines) and lines[at].strip():
        line += "\n"
    if at > 0 and not lines[at - 1].endswith("\n"):
        line = "\n" + line
    return "".join([*lines[:at], _match_line_endings(lines, line), *lines[at:]])


def _find_insertion_point(
    found: list[Statement], table: KeyPath
) -> tuple[Statement | None, KeyPath]:
    """Return the statement that a new key of `table` comes behind, and the table that is around it."""
    section: KeyPath = ()
    own, below = None, None
    for one in found:
        if one.is_header:
            section = one.key_path
        if section == table:
            own = one
        elif one.key_path[: len(table)] == table and section == table[: len(section)]:
            below = one, section
    return (own, table) if own or below is None else below


def _match_line_endings(lines: list[str], new: str) -> str:
    """Give new lines the ends that the others have."""
    windows = bool(lines) and lines[0].endswith("\r\n")
    return new.replace("\r\n", "\n").replace("\n", "\r\n") if windows else new


def _line_after_preamble(lines: list[str]) -> int:
    """Return the line after a comment that stands alone at the top, or 0."""
    at = next((n for n, line in enumerate(lines) if not line.lstrip().startswith("#")), 0)
    return at + 1 if 0 < at < len(lines) and not lines[at].strip() else 0


def _find_sections(text: str, path: KeyPath, lines: list[str]) -> list[tuple[int, int]]:
    """Return the runs of lines that belong to `path`: whole tables, and single keys."""
    runs: list[tuple[int, int]] = []
    whole = False
    for one in iter_statements(text):
        inside = one.key_path[: len(path)] == path
        joined = whole and inside
        whole = inside and (whole or one.is_header)
        if inside:
            first = runs.pop()[0] if joined else one.first_line
            runs.append(
                (first, _include_trailing_comments(lines, one.end_line) if whole else one.end_line)
            )
    return runs


def _include_trailing_comments(lines: list[str], after: int) -> int:
    """Count comments right below as belonging above, unless they stand on something themselves."""
    end = after
    while end < len(lines) and lines[end].lstrip().startswith("#"):
        end += 1
    return end if end == len(lines) or not lines[end].strip() else after


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

"""Edit a TOML text statement by statement; every other byte stays as it is.

Only values are edited with tomlkit. A whole document is not, for two reasons: tomlkit counts the
comment above a table as part of the previous table, so removing or extending one moves its
neighbor's comment; and in a file of 1,000 profiles it sets a key in 390 ms, this module in 85 ms.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from tokencli.config.toml_positions import Statement, find_value_span, iter_statements, split_lines
from tokencli.toml_writer import KeyPath, format_key_path, format_toml_table, format_toml_value


def set_key(text: str, path: KeyPath, value: object) -> str:
    """Set the key at `path` where it is written, else after the last key of its table."""
    statements = list(iter_statements(text))
    for statement in statements:
        depth = len(statement.key_path)
        if not statement.is_header and path[:depth] == statement.key_path:
            return _replace_value(text, statement, partial(_set_in_value, path[depth:], value))
    if any(statement.key_path[: len(path)] == path for statement in statements):
        return _update_table(text, path, value)
    return _insert_key(text, statements, path, value)


def delete_key(text: str, path: KeyPath) -> str:
    """Delete everything at and below `path`: a key's lines, or a table with the comments inside."""
    for statement in iter_statements(text):
        depth = len(statement.key_path)
        if not statement.is_header and depth < len(path) and path[:depth] == statement.key_path:
            return _replace_value(text, statement, partial(_delete_from_value, path[depth:]))
    lines = split_lines(text)
    for first, end in reversed(_find_sections(text, path, lines)):
        while first > 0 and end < len(lines) and not lines[first - 1].strip():
            if lines[end].strip():
                break
            end += 1  # of the blank lines before and after, keep those before
        lines[first:end] = []
    return "".join(lines)


def rename_key(text: str, path: KeyPath, name: str) -> str:
    """Give the key or table at `path` another name, wherever it is written."""
    new_path = (*path[:-1], name)
    lines = split_lines(text)
    section: KeyPath = ()
    for statement in iter_statements(text):
        key, depth = statement.key_path, len(path)
        first, end = statement.first_line, statement.end_line
        written = "".join(lines[first:end])
        if statement.is_header:
            section = key
            if key[:depth] == path:
                lines[first:end] = [_replace_header(written, (*new_path, *key[depth:]))]
        elif key[:depth] == path and len(section) < depth:
            renamed = format_key_path((*new_path, *key[depth:])[len(section) :])
            lines[first:end] = [_replace_key(written, renamed)]
        elif len(key) < depth and path[: len(key)] == key:
            start, stop = find_value_span(written)
            value = _rename_in_value(written[start:stop], path[len(key) :], name)
            lines[first:end] = [written[:start] + value + written[stop:]]
        else:
            continue
        lines[first + 1 : first + 1] = [""] * (end - first - 1)  # so that line numbers stay right
    return "".join(lines)


def _replace_header(written: str, path: KeyPath) -> str:
    """Replace the key path of a `[table]` or `[[table]]` header."""
    indent = written[: len(written) - len(written.lstrip())]
    brackets = "[[" if written.lstrip().startswith("[[") else "["
    for end in (at + 1 for at, character in enumerate(written) if character == "]"):
        with suppress(ValueError):
            tomllib.loads(written[:end])
            closing = "]" * len(brackets)
            return f"{indent}{brackets}{format_key_path(path)}{closing}{written[end:]}"
    return written


def _replace_key(written: str, key: str) -> str:
    """Replace the key of a `key = value`."""
    start = find_value_span(written)[0]
    before = written[:start]
    old = before.rstrip()[:-1]  # without the equals sign
    indent = old[: len(old) - len(old.lstrip())]
    space = old[len(old.rstrip()) :]
    return f"{indent}{key}{space}{before[len(old) :]}{written[start:]}"


def _rename_in_value(old: str, path: KeyPath, name: str) -> str:
    """Rename a key inside an inline table, at its place."""
    value = _parse_value(old)
    table = value
    for part in path[:-1]:
        table = table[part] if isinstance(table, dict) and part in table else {}
    if not isinstance(table, dict) or path[-1] not in table:
        return old
    items = [(name if key == path[-1] else key, inner) for key, inner in table.items()]
    table.clear()
    table.update(items)
    return format_toml_value(value)


def copy_table(text: str, path: KeyPath, name: str) -> str:
    """Add a copy of the table at `path`, with the comments inside it, at the end."""
    return append_text(text, rename_key(extract_table(text, path), path, name))


def extract_table(text: str, path: KeyPath, *, comments_above: bool = False) -> str:
    """Return the lines that belong to the table at `path`, with the comments inside it."""
    lines = split_lines(text)
    parts = []
    for first, end in _find_sections(text, path, lines):
        start = first
        while comments_above and start > 0 and lines[start - 1].lstrip().startswith("#"):
            start -= 1
        parts.append("".join(lines[start:end]))
    return "\n".join(part.strip("\r\n") + "\n" for part in parts)


def nest_tables(text: str, path: KeyPath) -> str:
    """Return a whole file as the table at `path` of another one, with all of its comments."""
    lines = split_lines(text)
    for statement in iter_statements(text):
        if statement.is_header:
            written = "".join(lines[statement.first_line : statement.end_line])
            lines[statement.first_line] = _replace_header(written, (*path, *statement.key_path))
    return f"[{format_key_path(path)}]\n{''.join(lines).strip()}\n"


def append_text(text: str, section: str) -> str:
    """Add a section at the end, after a blank line and with the line endings of the file."""
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + _match_line_endings(split_lines(text), gap + section.replace("\r\n", "\n"))


def append_table(text: str, path: KeyPath, table: Mapping[str, Any]) -> str:
    """Add a table at the end."""
    return append_text(text, f"[{format_key_path(path)}]\n{format_toml_table(table)}")


def _replace_value(text: str, statement: Statement, change: Callable[[str], str]) -> str:
    """Change the value of a statement and keep everything around it."""
    lines = split_lines(text)
    old = "".join(lines[statement.first_line : statement.end_line])
    start, end = find_value_span(old)
    new = old[:start] + change(old[start:end]) + old[end:]
    return "".join([*lines[: statement.first_line], new, *lines[statement.end_line :]])


def _update_table(text: str, path: KeyPath, value: object) -> str:
    """Set a table that is written as one or more statements; unchanged keys stay as they are."""
    current: Any = tomllib.loads(text)
    for part in path:
        current = current[part] if isinstance(current, dict) else None
    if not isinstance(current, dict) or not isinstance(value, Mapping) or not value:
        return set_key(delete_key(text, path), path, value)
    for key, inner in value.items():
        if key not in current or repr(current[key]) != repr(inner):  # 1 == True, but not in TOML
            text = set_key(text, (*path, key), inner)
    for key in current:
        if key not in value:
            text = delete_key(text, (*path, key))
    return text


def _insert_key(text: str, statements: list[Statement], path: KeyPath, value: object) -> str:
    """Insert a new key after the last one of its table, in the style of that one."""
    table = path[:-1]
    previous, section = _find_insertion_point(statements, table)
    lines = split_lines(text)
    if previous is None and table:
        exists = any(statement.key_path[: len(table)] == table for statement in statements)
        if len(table) > 2 and not exists:
            return set_key(text, table, {path[-1]: value})
        return append_table(text, table, {path[-1]: value})  # only its subtables have headers
    at = previous.end_line if previous else _line_after_preamble(lines)
    line_above = lines[previous.first_line] if previous else ""
    indent = line_above[: len(line_above) - len(line_above.lstrip())]
    line = f"{indent}{format_key_path(path[len(section) :])} = {format_toml_value(value)}\n"
    if not table and previous is None and at < len(lines) and lines[at].strip():
        line += "\n"
    if at > 0 and not lines[at - 1].endswith("\n"):
        line = "\n" + line
    return "".join([*lines[:at], _match_line_endings(lines, line), *lines[at:]])


def _find_insertion_point(
    statements: list[Statement], table: KeyPath
) -> tuple[Statement | None, KeyPath]:
    """Return the statement after which a new key of `table` goes, and the table it is written in."""
    section: KeyPath = ()
    in_table, below = None, None
    for statement in statements:
        if statement.is_header:
            section = statement.key_path
        if section == table:
            in_table = statement
        elif statement.key_path[: len(table)] == table and section == table[: len(section)]:
            below = statement, section
    return (in_table, table) if in_table or below is None else below


def _match_line_endings(lines: list[str], new: str) -> str:
    """Give new lines the line endings of the file."""
    is_crlf = bool(lines) and lines[0].endswith("\r\n")
    return new.replace("\n", "\r\n") if is_crlf else new


def _line_after_preamble(lines: list[str]) -> int:
    """Return the line after the comment block at the top and its blank line, or 0."""
    at = next((n for n, line in enumerate(lines) if not line.lstrip().startswith("#")), 0)
    return at + 1 if 0 < at < len(lines) and not lines[at].strip() else 0


def _find_sections(text: str, path: KeyPath, lines: list[str]) -> list[tuple[int, int]]:
    """Return the line ranges that belong to `path`: whole tables, and single keys."""
    ranges: list[tuple[int, int]] = []
    in_table = False
    for statement in iter_statements(text):
        belongs = statement.key_path[: len(path)] == path
        continues = in_table and belongs
        in_table = belongs and (in_table or statement.is_header)
        if belongs:
            first = ranges.pop()[0] if continues else statement.first_line
            end = statement.end_line
            ranges.append((first, _include_trailing_comments(lines, end) if in_table else end))
    return ranges


def _include_trailing_comments(lines: list[str], end: int) -> int:
    """Include comments directly below, unless they are directly above something else."""
    after = end
    while after < len(lines) and lines[after].lstrip().startswith("#"):
        after += 1
    return after if after == len(lines) or not lines[after].strip() else end


def _set_in_value(path: KeyPath, value: object, old: str) -> str:
    """Set `path` inside the inline table `old`; with an empty path, replace the value itself."""
    if not path:
        return old if repr(_parse_value(old)) == repr(value) else format_toml_value(value)

    def put(table: Any, convert: Callable[[Any], Any]) -> None:
        for key in path[:-1]:
            if key not in table:
                table[key] = convert({})
            table = table[key]
        table[path[-1]] = convert(value)

    return _edit_value(old, put)


def _delete_from_value(path: KeyPath, old: str) -> str:
    """Delete `path` from the inline table `old`."""

    def take(table: Any, _: object) -> None:
        for key in path[:-1]:
            table = table.get(key, {})
        if path[-1] in table:
            del table[path[-1]]

    return re.sub(r"\s{2,}}$", " }", _edit_value(old, take))


def _edit_value(old: str, change: Callable[[Any, Callable[[Any], Any]], None]) -> str:
    """Change an inline table as it is written, or rewrite it if tomlkit gets it wrong."""
    import tomlkit

    wanted = _parse_value(old)
    change(wanted, lambda value: value)
    try:
        document = tomlkit.parse(f"v = {old}")
        change(document["v"], lambda value: tomlkit.value(format_toml_value(value)))
        new = tomlkit.dumps(document).removeprefix("v = ")
        if repr(_parse_value(new)) == repr(wanted):
            return new
    except Exception:  # noqa: BLE001, S110  # whatever tomlkit raises, the value is rewritten below
        pass
    return format_toml_value(wanted)


def _parse_value(value: str) -> Any:
    return tomllib.loads(f"v = {value}")["v"]

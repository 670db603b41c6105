"""Change single statements of a TOML text and leave every other byte as it is.

tomlkit alone would do for most files; but it counts the comment above a table as part of the
table before, so that removing one would take its neighbour's comment along.
"""

import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tokencli.config.findings import Path
from tokencli.config.inline import dotted, put_inside, render, take_out, written
from tokencli.config.locate import Statement, split, statements, value_of


def put(text: str, path: Path, value: object) -> str:
    """Set the key at `path` where it stands, or else behind the other keys of its table."""
    found = list(statements(text))
    for one in found:
        if not one.is_header and path[: len(one.key)] == one.key:
            return _changed(text, one, partial(put_inside, path[len(one.key) :], value))
    if any(one.key[: len(path)] == path for one in found):
        return _put_table(text, path, value)
    return _added(text, found, path, value)


def drop(text: str, path: Path) -> str:
    """Take out everything at and below `path`: of a table the comments inside, of a key its line."""
    for one in statements(text):
        around = len(one.key) < len(path) and path[: len(one.key)] == one.key
        if around and not one.is_header:
            return _changed(text, one, partial(take_out, path[len(one.key) :]))
    lines = split(text)
    for first, after in reversed(_sections(text, path, lines)):
        while first > 0 and after < len(lines) and not lines[first - 1].strip():
            if lines[after].strip():
                break
            after += 1  # of the blank lines before and after, keep the ones before
        lines[first:after] = []
    return "".join(lines)


def append(text: str, path: Path, table: Mapping[str, Any]) -> str:
    """Add a table at the end."""
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + _ends(split(text), f"{gap}[{dotted(path)}]\n{render(table)}")


def _changed(text: str, statement: Statement, change: Callable[[str], str]) -> str:
    """Change the value of one statement and keep all that stands around it."""
    lines = split(text)
    old = "".join(lines[statement.first : statement.after])
    start, end = value_of(old)
    new = old[:start] + change(old[start:end]) + old[end:]
    return "".join([*lines[: statement.first], new, *lines[statement.after :]])


def _put_table(text: str, path: Path, value: object) -> str:
    """Set a table that is written as one or more statements: what stays the same stays there."""
    now: Any = tomllib.loads(text)
    for part in path:
        now = now[part] if isinstance(now, dict) else None
    if not isinstance(now, dict) or not isinstance(value, Mapping) or not value:
        return put(drop(text, path), path, value)
    for key, inner in value.items():
        if key not in now or repr(now[key]) != repr(inner):  # 1 is not true here
            text = put(text, (*path, key), inner)
    for key in now:
        if key not in value:
            text = drop(text, (*path, key))
    return text


def _added(text: str, found: list[Statement], path: Path, value: object) -> str:
    """Write a new key behind the last of its table, in the way in which the others are written."""
    table = path[:-1]
    last, around = _last_of(found, table)
    lines = split(text)
    if last is None and table:
        if len(table) > 2 and not any(one.key[: len(table)] == table for one in found):
            return put(text, table, {path[-1]: value})
        return append(text, table, {path[-1]: value})  # only tables inside it have a header
    at = last.after if last else _after_preamble(lines)
    above = lines[last.first] if last else ""
    indent = above[: len(above) - len(above.lstrip())]
    line = f"{indent}{dotted(path[len(around) :])} = {written(value)}\n"
    if not table and last is None and at < len(lines) and lines[at].strip():
        line += "\n"
    if at > 0 and not lines[at - 1].endswith("\n"):
        line = "\n" + line
    return "".join([*lines[:at], _ends(lines, line), *lines[at:]])


def _last_of(found: list[Statement], table: Path) -> tuple[Statement | None, Path]:
    """Return the statement that a new key of `table` comes behind, and the table that is around it."""
    section: Path = ()
    own, below = None, None
    for one in found:
        if one.is_header:
            section = one.key
        if section == table:
            own = one
        elif one.key[: len(table)] == table and section == table[: len(section)]:
            below = one, section
    return (own, table) if own or below is None else below


def _ends(lines: list[str], new: str) -> str:
    """Give new lines the ends that the others have."""
    windows = bool(lines) and lines[0].endswith("\r\n")
    return new.replace("\r\n", "\n").replace("\n", "\r\n") if windows else new


def _after_preamble(lines: list[str]) -> int:
    """Return the line after a comment that stands alone at the top, or 0."""
    at = next((n for n, line in enumerate(lines) if not line.lstrip().startswith("#")), 0)
    return at + 1 if 0 < at < len(lines) and not lines[at].strip() else 0


def _sections(text: str, path: Path, lines: list[str]) -> list[tuple[int, int]]:
    """Return the runs of lines that belong to `path`: whole tables, and single keys."""
    runs: list[tuple[int, int]] = []
    whole = False
    for one in statements(text):
        inside = one.key[: len(path)] == path
        joined = whole and inside
        whole = inside and (whole or one.is_header)
        if inside:
            first = runs.pop()[0] if joined else one.first
            runs.append((first, _with_own_comments(lines, one.after) if whole else one.after))
    return runs


def _with_own_comments(lines: list[str], after: int) -> int:
    """Count comments right below as belonging above, unless they stand on something themselves."""
    end = after
    while end < len(lines) and lines[end].lstrip().startswith("#"):
        end += 1
    return end if end == len(lines) or not lines[end].strip() else after

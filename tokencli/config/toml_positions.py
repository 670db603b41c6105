"""Find the statements of a TOML file and the line of each key, which tomllib doesn't report."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from tokencli.problems import KeyPath

_CLOSING_TOKENS = ("]", "}", '"""', "'''")
"""The last line of a multi-line statement contains one of these."""
_KEY_PART = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*([.=])""")
"""One part of a key, with the `.` or `=` after it."""
_BARE = r"[ \t]*[A-Za-z0-9_-]+[ \t]*"
_TEXT = r"""(?:"[^"\\\r\n]*"|'[^'\r\n]*')"""
_LINE_END = r"[ \t]*(?:#[^\n]*)?\r?\n?"
_USUAL_HEADER = rf"[ \t]*\[({_BARE}(?:\.{_BARE})*)\]{_LINE_END}"
_USUAL_SETTING = rf"({_BARE})=[ \t]*(?:{_TEXT}|true|false|[1-9][0-9]*|\{{({_BARE})=[ \t]*{_TEXT}[ \t]*\}}){_LINE_END}"
"""Lines as nearly all are: `[a.b]`, `key = "text"` and `key = { key = "text" }`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A `[table]` header or a `key = value`, with its lines."""

    first_line: int
    """0-based index of its first line."""
    end_line: int
    """0-based index of the line after its last."""
    value_path: KeyPath
    """The whole key path; includes the key inside an inline table if there is only one."""
    is_header: bool
    key_path: KeyPath
    """The key path left of the `=`, including its table; the same as `value_path` for a header."""


def split_lines(text: str) -> list[str]:
    """Split at line feeds, as TOML does (str.splitlines knows more separators); keep the endings."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def iter_statements(text: str) -> Iterator[Statement]:
    """Yield the statements of valid TOML in order."""
    table: KeyPath = ()
    for first, end, path, key_length in _split_statements(split_lines(text)):
        if key_length == 0:
            table = path
            yield Statement(first, end, path, True, path)
        else:
            yield Statement(first, end, (*table, *path), False, (*table, *path[:key_length]))


def map_key_lines(text: str) -> dict[KeyPath, int]:
    """Map every key path of valid TOML to the 1-based line where it first appears.

    Items of arrays have their index as key, e.g. `list.0.name`.
    """
    key_lines: dict[KeyPath, int] = {}
    array_indexes: dict[KeyPath, int] = {}
    lines = split_lines(text)
    for statement in iter_statements(text):
        line = statement.first_line + 1
        value_path = statement.value_path
        if statement.is_header and lines[statement.first_line].lstrip().startswith("[["):
            index = array_indexes.get(value_path, -1) + 1
            array_indexes = {
                path: index
                for path, index in array_indexes.items()
                if path[: len(value_path)] != value_path
            }
            array_indexes[value_path] = index
        for path in (value_path, _with_array_indexes(value_path, array_indexes)):
            for length in range(1, len(path) + 1):
                key_lines.setdefault(path[:length], line)
        if statement.end_line > line and not statement.is_header:
            whole = "".join(lines[statement.first_line : statement.end_line])
            key = _with_array_indexes(statement.key_path, array_indexes)
            for inside, offset in _iter_inner_lines(whole, _scan_key(whole)[1]):
                key_lines.setdefault((*key, *inside), line + offset)
    return key_lines


def _with_array_indexes(path: KeyPath, array_indexes: dict[KeyPath, int]) -> KeyPath:
    """Insert the current index after the name of each `[[array]]` in a path."""
    if not array_indexes:
        return path
    parts: list[str] = []
    for length, part in enumerate(path, 1):
        index = array_indexes.get(path[:length])
        parts += [part] if index is None else [part, str(index)]
    return tuple(parts)


def find_line(key_lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of `path`, or of the innermost table around it that is in the file."""
    prefixes = (path[:length] for length in range(len(path), 0, -1))
    return next((key_lines[prefix] for prefix in prefixes if prefix in key_lines), None)


def _split_statements(lines: Iterable[str]) -> Iterator[tuple[int, int, KeyPath, int]]:
    """Yield the first line, the end line, the path and the key's length of each statement.

    The path goes on inside the value if there is only one key; the length is 0 for a header.
    """
    pending: list[str] = []
    for number, line in enumerate(lines):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not pending and (usual := _parse_usual_line(line)):
            yield number, number + 1, *usual
            continue
        pending.append(line)
        if len(pending) > 1 and not any(closer in line for closer in _CLOSING_TOKENS):
            continue
        statement = "".join(pending)
        try:
            path = _single_key_path(tomllib.loads(statement))
        except (ValueError, RecursionError):
            continue
        key_length = 0 if statement.lstrip().startswith("[") else _scan_key(statement)[0]
        yield number + 1 - len(pending), number + 1, path, key_length
        pending = []


def _parse_usual_line(line: str) -> tuple[KeyPath, int] | None:
    """Return the path and the key's length of a line in one of the usual forms, without tomllib's help."""
    if header := re.fullmatch(_USUAL_HEADER, line):
        return tuple(part.strip(" \t") for part in header[1].split(".")), 0
    if setting := re.fullmatch(_USUAL_SETTING, line):
        return tuple(part.strip(" \t") for part in setting.groups() if part is not None), 1
    return None


def find_value_span(statement: str) -> tuple[int, int]:
    """Return where the value of a `key = value` begins and ends, without a trailing comment."""
    start = _scan_key(statement)[1]
    start += len(statement[start:]) - len(statement[start:].lstrip())
    hashes = (at for at, character in enumerate(statement) if character == "#" and at > start)
    for at in hashes:  # the comment starts at the first one with a complete value before it
        with suppress(ValueError, RecursionError):
            tomllib.loads(statement[:at])
            return start, len(statement[:at].rstrip())
    return start, len(statement.rstrip())


def _scan_key(statement: str) -> tuple[int, int]:
    """Return the number of parts of a key, and where its `=` ends: `a.b = 1` has two parts."""
    count, at = 0, 0
    while match := _KEY_PART.match(statement, at):
        count, at = count + 1, match.end()
        if match[1] == "=":
            break
    return count, at


def _single_key_path(data: object) -> KeyPath:
    """Return the path of single keys, from the top level down."""
    path: list[str] = []
    while True:
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        if not isinstance(data, dict) or len(data) != 1:
            return tuple(path)
        key, data = next(iter(data.items()))
        path.append(key)


_TOML_TOKEN = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|"(?:[^"\\\n]|\\.)*"'''
    r"""|'''(?:[^']|'(?!''))*'{3,5}|'[^'\n]*'"""
    r"""|\#[^\n]*|[\[\]{},=]|[^\s"'\#\[\]{},=]+""",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(slots=True)
class _OpenContainer:
    """An array or an inline table that is not closed yet."""

    path: KeyPath
    is_array: bool
    next_index: int = 0
    current_path: KeyPath | None = None
    """The item being read, or None between two items."""
    key_tokens: list[str] = field(default_factory=list)


def _iter_inner_lines(statement: str, start: int) -> Iterator[tuple[KeyPath, int]]:
    """Yield each key and array item in the value at `start`, with its line offset in the statement.

    The paths are relative to the value.
    """
    containers: list[_OpenContainer] = []
    line, at = 0, 0
    for token in _TOML_TOKEN.finditer(statement, start):
        line, at = line + statement.count("\n", at, token.start()), token.start()
        word, container = token[0], containers[-1] if containers else None
        if word[0] == "#":
            continue
        if word in ("]", "}"):
            containers.pop()
        elif container is None:
            if word in ("[", "{"):
                containers.append(_OpenContainer((), word == "["))
        elif word == ",":
            container.current_path = None
        elif word == "=":
            container.current_path = (*container.path, *_parse_key("".join(container.key_tokens)))
            container.key_tokens.clear()
            yield container.current_path, line
        elif container.is_array and container.current_path is None:
            container.current_path = (*container.path, str(container.next_index))
            container.next_index += 1
            yield container.current_path, line
        elif container.current_path is None:
            container.key_tokens.append(word)
        if word in ("[", "{") and container is not None:
            containers.append(_OpenContainer(container.current_path or container.path, word == "["))


def _parse_key(written: str) -> KeyPath:
    """Return the parts of a key."""
    if _BARE_KEY.fullmatch(written):
        return (written,)
    data: object = tomllib.loads(f"{written} = 0")
    parts: list[str] = []
    while isinstance(data, dict):
        name, data = next(iter(data.items()))
        parts.append(name)
    return tuple(parts)

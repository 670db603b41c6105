"""Find the statements of a TOML file, and the line on which each key stands."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from tokencli.problems import KeyPath

_CLOSING_TOKENS = ("]", "}", '"""', "'''")
"""What the last line of a statement over several lines contains."""
_KEY_PART = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*([.=])""")
"""One part of a key, with what ends it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A `[table]` header or a `key = value`, with the lines that it takes."""

    first_line: int
    """0-based index of its first line."""
    end_line: int
    """0-based index of the line after its last."""
    value_path: KeyPath
    """The whole key path; of an inline table with a single key, that key too."""
    is_header: bool
    key_path: KeyPath
    """What stands left of the `=`, below the table around it; of a header the same as `path`."""


def split_lines(text: str) -> list[str]:
    """Cut a text into the lines that TOML knows, each with its end."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def iter_statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a valid TOML file in order."""
    table: KeyPath = ()
    for first, after, statement in _split_statements(split_lines(text)):
        path = _single_key_path(tomllib.loads(statement))
        is_header = statement.lstrip().startswith("[")
        table = path if is_header else table
        if is_header:
            yield Statement(first, after, path, is_header, path)
        else:
            key = path[: _scan_key(statement)[0]]
            yield Statement(first, after, (*table, *path), is_header, (*table, *key))


def map_key_lines(text: str) -> dict[KeyPath, int]:
    """Map every key path of a valid TOML file to the 1-based line where it is first written.

    What stands in an array has its number for a key, as in `list.0.name`.
    """
    found: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    written = split_lines(text)
    for statement in iter_statements(text):
        line = statement.first_line + 1
        if statement.is_header and written[statement.first_line].lstrip().startswith("[["):
            number = arrays.get(statement.value_path, -1) + 1
            for inside in [
                one for one in arrays if one[: len(statement.value_path)] == statement.value_path
            ]:
                del arrays[inside]
            arrays[statement.value_path] = number
        for path in (statement.value_path, _with_array_indexes(statement.value_path, arrays)):
            for length in range(1, len(path) + 1):
                found.setdefault(path[:length], line)
        if statement.end_line > line and not statement.is_header:
            whole = "".join(written[statement.first_line : statement.end_line])
            key = _with_array_indexes(statement.key_path, arrays)
            for inside, below in iter_inner_lines(whole, _scan_key(whole)[1]):
                found.setdefault((*key, *inside), line + below)
    return found


def _with_array_indexes(path: KeyPath, arrays: dict[KeyPath, int]) -> KeyPath:
    """Put behind the name of each `[[array]]` in a path the number of its member."""
    if not arrays:
        return path
    found: list[str] = []
    for length, part in enumerate(path, 1):
        number = arrays.get(path[:length])
        found += [part] if number is None else [part, str(number)]
    return tuple(found)


def find_line(found: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of `path`, or of the nearest table that is written around it."""
    lengths = range(len(path), 0, -1)
    return next((found[path[:length]] for length in lengths if path[:length] in found), None)


def _split_statements(text: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the first line, the line after, and the text of each statement."""
    pending: list[str] = []
    for number, line in enumerate(text):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        pending.append(line)
        if len(pending) > 1 and not any(closer in line for closer in _CLOSING_TOKENS):
            continue
        statement = "".join(pending)
        try:
            tomllib.loads(statement)
        except (ValueError, RecursionError):
            continue
        yield number + 1 - len(pending), number + 1, statement
        pending = []


def find_value_span(statement: str) -> tuple[int, int]:
    """Return where the value of a `key = value` begins and ends, without a comment behind it."""
    start = _scan_key(statement)[1]
    start += len(statement[start:]) - len(statement[start:].lstrip())
    hashes = (at for at, letter in enumerate(statement) if letter == "#" and at > start)
    for at in hashes:  # the first that leaves a whole value before it begins the comment
        with suppress(ValueError, RecursionError):
            tomllib.loads(statement[:at])
            return start, len(statement[:at].rstrip())
    return start, len(statement.rstrip())


def _scan_key(statement: str) -> tuple[int, int]:
    """Count the parts of a key, and say where its `=` ends: `a.b = 1` has two, `a = { b = 1 }` one."""
    count, at = 0, 0
    while found := _KEY_PART.match(statement, at):
        count, at = count + 1, found.end()
        if found[1] == "=":
            break
    return count, at


def _single_key_path(data: object) -> KeyPath:
    """Follow the single key of each level."""
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
    """The member that is being read, None between two of them."""
    key_tokens: list[str] = field(default_factory=list)


def iter_inner_lines(statement: str, start: int) -> Iterator[tuple[KeyPath, int]]:
    """Yield each key and member in the value that begins at `start`, and how many lines below it is.

    The paths begin below the value; the statement is valid TOML.
    """
    around: list[_OpenContainer] = []
    line, at = 0, 0
    for token in _TOML_TOKEN.finditer(statement, start):
        line, at = line + statement.count("\n", at, token.start()), token.start()
        word, last = token[0], around[-1] if around else None
        if word[0] == "#":
            continue
        if word in ("]", "}"):
            around.pop()
        elif last is None:
            if word in ("[", "{"):
                around.append(_OpenContainer((), word == "["))
        elif word == ",":
            last.current_path = None
        elif word == "=":
            last.current_path = (*last.path, *_parse_key("".join(last.key_tokens)))
            last.key_tokens.clear()
            yield last.current_path, line
        elif last.is_array and last.current_path is None:
            last.current_path = (*last.path, str(last.next_index))
            last.next_index += 1
            yield last.current_path, line
        elif last.current_path is None:
            last.key_tokens.append(word)
        if word in ("[", "{") and last is not None:
            around.append(_OpenContainer(last.current_path or last.path, word == "["))


def _parse_key(written: str) -> KeyPath:
    """Return the parts of a key as it is written."""
    if _BARE_KEY.fullmatch(written):
        return (written,)
    data: object = tomllib.loads(f"{written} = 0")
    parts: list[str] = []
    while isinstance(data, dict):
        name, data = next(iter(data.items()))
        parts.append(name)
    return tuple(parts)

"""Find the statements of a TOML file, and the line on which each key stands."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tokencli.config.findings import Path
from tokencli.config.lines_inside import inner

_CLOSERS = ("]", "}", '"""', "'''")
"""What the last line of a statement over several lines contains."""
_PART = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*([.=])""")
"""One part of a key, with what ends it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A `[table]` header or a `key = value`, with the lines that it takes."""

    first: int
    """0-based index of its first line."""
    after: int
    """0-based index of the line after its last."""
    path: Path
    """The whole key path; of an inline table with a single key, that key too."""
    is_header: bool
    key: Path
    """What stands left of the `=`, below the table around it; of a header the same as `path`."""


def split(text: str) -> list[str]:
    """Cut a text into the lines that TOML knows, each with its end."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a valid TOML file in order."""
    table: Path = ()
    for first, after, statement in _cut(split(text)):
        path = _path(tomllib.loads(statement))
        is_header = statement.lstrip().startswith("[")
        table = path if is_header else table
        if is_header:
            yield Statement(first, after, path, is_header, path)
        else:
            key = path[: _left(statement)[0]]
            yield Statement(first, after, (*table, *path), is_header, (*table, *key))


def lines(text: str) -> dict[Path, int]:
    """Map every key path of a valid TOML file to the 1-based line where it is first written.

    What stands in an array has its number for a key, as in `list.0.name`.
    """
    found: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    written = split(text)
    for statement in statements(text):
        line = statement.first + 1
        if statement.is_header and written[statement.first].lstrip().startswith("[["):
            number = arrays.get(statement.path, -1) + 1
            for inside in [one for one in arrays if one[: len(statement.path)] == statement.path]:
                del arrays[inside]
            arrays[statement.path] = number
        for path in (statement.path, _numbered(statement.path, arrays)):
            for length in range(1, len(path) + 1):
                found.setdefault(path[:length], line)
        if statement.after > line and not statement.is_header:
            whole = "".join(written[statement.first : statement.after])
            key = _numbered(statement.key, arrays)
            for inside, below in inner(whole, _left(whole)[1]):
                found.setdefault((*key, *inside), line + below)
    return found


def _numbered(path: Path, arrays: dict[Path, int]) -> Path:
    """Put behind the name of each `[[array]]` in a path the number of its member."""
    if not arrays:
        return path
    found: list[str] = []
    for length, part in enumerate(path, 1):
        number = arrays.get(path[:length])
        found += [part] if number is None else [part, str(number)]
    return tuple(found)


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """Return the line of `path`, or of the nearest table that is written around it."""
    lengths = range(len(path), 0, -1)
    return next((found[path[:length]] for length in lengths if path[:length] in found), None)


def _cut(text: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the first line, the line after, and the text of each statement."""
    pending: list[str] = []
    for number, line in enumerate(text):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        pending.append(line)
        if len(pending) > 1 and not any(closer in line for closer in _CLOSERS):
            continue
        statement = "".join(pending)
        try:
            tomllib.loads(statement)
        except (ValueError, RecursionError):
            continue
        yield number + 1 - len(pending), number + 1, statement
        pending = []


def value_of(statement: str) -> tuple[int, int]:
    """Return where the value of a `key = value` begins and ends, without a comment behind it."""
    start = _left(statement)[1]
    start += len(statement[start:]) - len(statement[start:].lstrip())
    hashes = (at for at, letter in enumerate(statement) if letter == "#" and at > start)
    for at in hashes:  # the first that leaves a whole value before it begins the comment
        with suppress(ValueError, RecursionError):
            tomllib.loads(statement[:at])
            return start, len(statement[:at].rstrip())
    return start, len(statement.rstrip())


def _left(statement: str) -> tuple[int, int]:
    """Count the parts of a key, and say where its `=` ends: `a.b = 1` has two, `a = { b = 1 }` one."""
    count, at = 0, 0
    while found := _PART.match(statement, at):
        count, at = count + 1, found.end()
        if found[1] == "=":
            break
    return count, at


def _path(data: object) -> Path:
    """Follow the single key of each level."""
    path: list[str] = []
    while True:
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        if not isinstance(data, dict) or len(data) != 1:
            return tuple(path)
        key, data = next(iter(data.items()))
        path.append(key)

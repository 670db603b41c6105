"""Find the statements of a TOML file, and the line on which each key stands."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tokencli.config.findings import Path

_CLOSERS = ("]", "}", '"""', "'''")
"""What the last line of a statement over several lines contains."""


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
        yield Statement(first, after, path if is_header else (*table, *path), is_header)


def lines(text: str) -> dict[Path, int]:
    """Map every key path of a valid TOML file to the 1-based line where it is first written."""
    found: dict[Path, int] = {}
    for statement in statements(text):
        for length in range(1, len(statement.path) + 1):
            found.setdefault(statement.path[:length], statement.first + 1)
    return found


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """Return the line of `path`, or of the nearest table that is written around it."""
    for length in range(len(path), 1, -1):
        if path[:length] in found:
            return found[path[:length]]
    return found.get(path) if len(path) == 1 else None


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

"""Find the keys and members inside a value of TOML that goes over several lines."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

from tokencli.config.findings import Path

_TOKEN = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|"(?:[^"\\\n]|\\.)*"'''
    r"""|'''(?:[^']|'(?!''))*'{3,5}|'[^'\n]*'"""
    r"""|\#[^\n]*|[\[\]{},=]|[^\s"'\#\[\]{},=]+""",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(slots=True)
class _Open:
    """An array or an inline table that is not closed yet."""

    path: Path
    is_array: bool
    number: int = 0
    here: Path | None = None
    """The member that is being read, None between two of them."""
    parts: list[str] = field(default_factory=list)


def inner(statement: str, start: int) -> Iterator[tuple[Path, int]]:
    """Yield each key and member in the value that begins at `start`, and how many lines below it is.

    The paths begin below the value; the statement is valid TOML.
    """
    around: list[_Open] = []
    line, at = 0, 0
    for token in _TOKEN.finditer(statement, start):
        line, at = line + statement.count("\n", at, token.start()), token.start()
        word, last = token[0], around[-1] if around else None
        if word[0] == "#":
            continue
        if word in ("]", "}"):
            around.pop()
        elif last is None:
            if word in ("[", "{"):
                around.append(_Open((), word == "["))
        elif word == ",":
            last.here = None
        elif word == "=":
            last.here = (*last.path, *_key("".join(last.parts)))
            last.parts.clear()
            yield last.here, line
        elif last.is_array and last.here is None:
            last.here = (*last.path, str(last.number))
            last.number += 1
            yield last.here, line
        elif last.here is None:
            last.parts.append(word)
        if word in ("[", "{") and last is not None:
            around.append(_Open(last.here or last.path, word == "["))


def _key(written: str) -> Path:
    """Return the parts of a key as it is written."""
    if _BARE.fullmatch(written):
        return (written,)
    data: object = tomllib.loads(f"{written} = 0")
    parts: list[str] = []
    while isinstance(data, dict):
        name, data = next(iter(data.items()))
        parts.append(name)
    return tuple(parts)

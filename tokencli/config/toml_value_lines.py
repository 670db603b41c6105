"""Find the keys and members inside a value of TOML that goes over several lines."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

from tokencli.problems import KeyPath

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

"""Cut a .bru file into its blocks: dictionaries, texts and lists.

A block begins at the margin with its name and a brace, and ends with a brace at the margin.
"""

import re
from dataclasses import dataclass, field

_BEGIN = re.compile(r"([a-z][\w-]*(?::[\w:-]+)?)[ \t]*([{\[])[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:(.*)')
_LONG = "'''"
_TEXTS = re.compile(
    r"body(:(json|text|xml|sparql|graphql|graphql:vars))?|script(:.*)?|tests|docs|example"
)
METHODS = ("get", "post", "put", "patch", "delete", "options", "head", "connect", "trace")
MARK = re.compile(
    rf"(?m)^(?:{'|'.join(METHODS)}|meta|headers|auth|auth:[\w-]+|vars|vars:[\w-]+|body:[\w:-]+)[ \t]*\{{[ \t]*\r?$"
)
"""By what a .bru file is known."""
Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Bru:
    """The blocks of one file by name."""

    texts: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, Pairs] = field(default_factory=dict)

    def table(self, name: str) -> dict[str, str]:
        """Return a dictionary block; of a key that is there twice the last one counts."""
        return dict(self.pairs.get(name, ()))

    @property
    def method(self) -> str:
        """The block that holds the request, empty where the file is none."""
        return next((name for name in METHODS if name in self.pairs), "")


def blocks(text: str) -> Bru:
    """Return the blocks of a .bru file; what is none is skipped."""
    found = Bru()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        begin = _BEGIN.fullmatch(lines[at])
        at += 1
        if begin is None:
            continue
        end = "}" if begin[2] == "{" else "]"
        start, name = at, begin[1]
        is_text = _TEXTS.fullmatch(name) is not None
        inside = False
        while at < len(lines) and (inside or lines[at].rstrip() != end):
            inside ^= not is_text and lines[at].count(_LONG) % 2 == 1
            at += 1
        inner = lines[start:at]
        at += 1
        if is_text:
            found.texts[name] = "\n".join(line.removeprefix("  ") for line in inner)
        elif end == "}":
            found.pairs[name] = found.pairs.get(name, []) + _pairs(inner)
    return found


def _pairs(lines: list[str]) -> Pairs:
    """Return the pairs of a dictionary that are not disabled."""
    found: Pairs = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        off = line.startswith("~")
        quoted = _QUOTED.fullmatch(line.removeprefix("~"))
        name, colon, value = (
            (re.sub(r"\\(.)", r"\1", quoted[1]), ":", quoted[2])
            if quoted
            else line.removeprefix("~").partition(":")
        )
        if not colon or not name.strip() or line.startswith("@"):
            continue
        value = value.strip()
        if value.startswith(_LONG):
            parts = [value[3:]]
            while _LONG not in parts[-1] and at < len(lines):
                parts.append(lines[at].strip())
                at += 1
            value = "\n".join(parts).partition(_LONG)[0].strip()
        if not off and not name.startswith("~"):
            found.append((name.strip(), value))
    return found

"""Cut a .bru file into its blocks: dictionaries, texts and lists.

A block begins at the margin with its name and a brace, and ends with a brace at the margin.
"""

import re
from dataclasses import dataclass, field

_BLOCK_START = re.compile(r"([a-z][\w-]*(?::[\w:-]+)?)[ \t]*([{\[])[ \t]*")
_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:(.*)')
_TRIPLE_QUOTE = "'''"
_TEXT_BLOCK_NAME = re.compile(
    r"body(:(json|text|xml|sparql|graphql|graphql:vars))?|script(:.*)?|tests|docs|example"
)
HTTP_METHODS = ("get", "post", "put", "patch", "delete", "options", "head", "connect", "trace")
BRU_BLOCK_PATTERN = re.compile(
    rf"(?m)^(?:{'|'.join(HTTP_METHODS)}|meta|headers|auth|auth:[\w-]+|vars|vars:[\w-]+|body:[\w:-]+)[ \t]*\{{[ \t]*\r?$"
)
"""By what a .bru file is known."""
Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class BruFile:
    """The blocks of one file by name."""

    text_blocks: dict[str, str] = field(default_factory=dict)
    pair_blocks: dict[str, Pairs] = field(default_factory=dict)

    def get_block_dict(self, name: str) -> dict[str, str]:
        """Return a dictionary block; of a key that is there twice the last one counts."""
        return dict(self.pair_blocks.get(name, ()))

    @property
    def method(self) -> str:
        """The block that holds the request, empty where the file is none."""
        return next((name for name in HTTP_METHODS if name in self.pair_blocks), "")


def parse_bru(text: str) -> BruFile:
    """Return the blocks of a .bru file; what is none is skipped."""
    found = BruFile()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        begin = _BLOCK_START.fullmatch(lines[at])
        at += 1
        if begin is None:
            continue
        end = "}" if begin[2] == "{" else "]"
        start, name = at, begin[1]
        is_text = _TEXT_BLOCK_NAME.fullmatch(name) is not None
        inside = False
        while at < len(lines) and (inside or lines[at].rstrip() != end):
            inside ^= not is_text and lines[at].count(_TRIPLE_QUOTE) % 2 == 1
            at += 1
        inner = lines[start:at]
        at += 1
        if is_text:
            found.text_blocks[name] = "\n".join(line.removeprefix("  ") for line in inner)
        elif end == "}":
            found.pair_blocks[name] = found.pair_blocks.get(name, []) + _parse_pairs(inner)
    return found


def _parse_pairs(lines: list[str]) -> Pairs:
    """Return the pairs of a dictionary that are not disabled."""
    found: Pairs = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        off = line.startswith("~")
        quoted = _QUOTED_KEY.fullmatch(line.removeprefix("~"))
        name, colon, value = (
            (re.sub(r"\\(.)", r"\1", quoted[1]), ":", quoted[2])
            if quoted
            else line.removeprefix("~").partition(":")
        )
        if not colon or not name.strip() or line.startswith("@"):
            continue
        value = value.strip()
        if value.startswith(_TRIPLE_QUOTE):
            parts = [value[3:]]
            while _TRIPLE_QUOTE not in parts[-1] and at < len(lines):
                parts.append(lines[at].strip())
                at += 1
            value = "\n".join(parts).partition(_TRIPLE_QUOTE)[0].strip()
        if not off and not name.startswith("~"):
            found.append((name.strip(), value))
    return found

"""Read the manual's architecture page, which tests compare with the code."""

import re
from pathlib import Path

import tokencli

PACKAGE = Path(tokencli.__file__).parent
PAGE = PACKAGE / "manual" / "architecture.md"
NOT_IN_PACKAGE = {"config.toml", "pyproject.toml", "tokencli/"}
_CODE = re.compile(r"`([^`]+)`")


def read_section(title: str) -> str:
    """Return the text of a section, without its heading."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return sections[title]


def read_layers() -> list[set[str]]:
    """Return the layers of "Import directions", top first: each may import those below it."""
    block = re.search(r"^```text\n(.*?)^```$", read_section("Import directions"), re.DOTALL | re.M)
    assert block
    return [set(line.split(", ")) for line in block[1].splitlines()]


def read_table(title: str) -> dict[str, list[str]]:
    """Return a section's first table: the first cell -> the code words in its other cells."""
    table = re.search(r"(?:^\|.*\n)+", read_section(title), re.MULTILINE)
    assert table
    rows = [line.strip("| ").split(" | ") for line in table[0].splitlines()]
    return {row[0]: _CODE.findall(" ".join(row[1:])) for row in rows[2:]}


def list_paths() -> set[str]:
    """Return the paths that the page names: below the package, or below `tests/`."""
    text = re.sub(r"^```.*?^```$", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    words = _CODE.findall(text)
    drawn = re.findall(r"^ +([a-z_0-9]+/)", read_section("Layout"), re.MULTILINE)
    named = {
        word for word in words if re.fullmatch(r"[a-z_0-9/-]+(?:/|\.(?:py|toml|md|bash))", word)
    }
    return {word for word in named if word not in NOT_IN_PACKAGE} | set(drawn)

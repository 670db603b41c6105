"""Change single statements of a TOML text and leave every other byte as it is.

tomlkit alone would do for most files; but it counts the comment above a table as part of the
table before, so that removing one would take its neighbour's comment along.
"""

from collections.abc import Mapping
from typing import Any

from tokencli.config.findings import Path
from tokencli.config.locate import Statement, split, statements


def put(text: str, path: Path, value: object) -> str:
    """Set the key at `path`, in a table or at the top."""
    inside = [found for found in statements(text) if found.path[: len(path)] == path]
    if len(inside) == 1 and not inside[0].is_header:
        lines = split(text)
        old = "".join(lines[inside[0].first : inside[0].after])
        return _joined(lines, inside[0].first, inside[0].after, _replaced(old, path, value))
    text = drop(text, path) if inside else text
    lines = split(text)
    at = _end_of_keys(text, path[:-1])
    if at is None:  # a table that only its own tables make: it gets a header now
        return append(text, path[:-1], {path[-1]: value})
    line = render({path[-1]: value})
    if not path[:-1] and at == 0:
        line += "\n" if lines else ""
    return _joined(lines, at, at, line)


def drop(text: str, path: Path) -> str:
    """Take out everything at and below `path`, with the comments inside, not those around."""
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
    import tomlkit

    header = ".".join(tomlkit.key(part).as_string() for part in path)
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + _ends(split(text), f"{gap}[{header}]\n{render(table)}")


def render(table: Mapping[str, Any]) -> str:
    """Write keys as TOML, tables inside them inline: a statement a line."""
    import tomlkit

    document = tomlkit.document()
    for key, value in table.items():
        document.add(key, _item(value))
    return tomlkit.dumps(document)


def _item(value: Any) -> Any:
    import tomlkit

    if not isinstance(value, Mapping):
        return value
    inline = tomlkit.inline_table()
    for key, inner in value.items():
        inline.add(key, _item(inner))
    return inline


def _replaced(statement: str, path: Path, value: object) -> str:
    """Change the value of a single statement and keep the comment behind it."""
    import tomlkit

    document = tomlkit.parse(statement)
    key = next(iter(document))
    if key != path[-1]:  # a dotted key, or an inline table around it: written anew
        return render({path[-1]: value})
    document[key] = _item(value)
    return tomlkit.dumps(document)


def _joined(lines: list[str], first: int, after: int, new: str) -> str:
    if first > 0 and not lines[first - 1].endswith("\n"):
        new = "\n" + new
    return "".join([*lines[:first], _ends(lines, new), *lines[after:]])


def _ends(lines: list[str], new: str) -> str:
    """Give new lines the ends that the others have."""
    windows = bool(lines) and lines[0].endswith("\r\n")
    return new.replace("\r\n", "\n").replace("\n", "\r\n") if windows else new


def _end_of_keys(text: str, table: Path) -> int | None:
    """Return the line after the last key that stands directly in `table`; None without its header."""
    at = None if table else _after_preamble(text)
    inside = table == ()
    for found in statements(text):
        if found.is_header:
            inside = found.path == table
        if inside:
            at = found.after
    return at


def _after_preamble(text: str) -> int:
    """Return the line after a comment that stands alone at the top, or 0."""
    lines = split(text)
    at = next((n for n, line in enumerate(lines) if not line.lstrip().startswith("#")), 0)
    return at + 1 if 0 < at < len(lines) and not lines[at].strip() else 0


def _sections(text: str, path: Path, lines: list[str]) -> list[tuple[int, int]]:
    """Return the runs of lines that belong to `path`."""
    runs: list[tuple[int, int]] = []
    previous: Statement | None = None
    for found in statements(text):
        if found.path[: len(path)] == path:
            joined = previous is not None and previous.path[: len(path)] == path
            first = runs.pop()[0] if joined else found.first
            runs.append((first, found.after))
        previous = found
    return [(first, _with_own_comments(lines, after)) for first, after in runs]


def _with_own_comments(lines: list[str], after: int) -> int:
    """Count comments right below as belonging above, unless they stand on something themselves."""
    end = after
    while end < len(lines) and lines[end].lstrip().startswith("#"):
        end += 1
    return end if end == len(lines) or not lines[end].strip() else after

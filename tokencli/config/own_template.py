"""Check the templates of a provider: the values that they name, and what is done to these."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tokencli.config import rules
from tokencli.config.findings import Finding, Path, Wrong, did_you_mean
from tokencli.errors import ConfigError
from tokencli.providers import filters
from tokencli.providers.template import Hole, pieces_of

_DIGESTS = frozenset(("md5", "sha1", "sha256", "sha512", *filters.KEYED))
"""Filters that give bytes, and take any."""
_WRITE_BYTES = frozenset(("hex", "base64", "base64url", "url"))
"""Filters that make text of any bytes."""
_PLUS = re.compile(r"[+-]?[0-9]{1,15}")


def template(text: str, known: set[str], path: Path) -> Iterator[Finding]:
    """Yield what is wrong with a template that may name these values."""
    try:
        holes = [piece for piece in pieces_of(text) if isinstance(piece, Hole)]
    except ConfigError as error:
        yield Finding(path, error.message, error.hint)
        return
    for hole in holes:
        yield from _filters(hole, path)
    for name in dict.fromkeys(name for hole in holes for name in hole.names if name):
        if name not in known:
            right = f"{did_you_mean(name, sorted(known))} Else describe it under [fields.{name}]"
            yield Finding(path, f"names {name}, which can't stand here or is no field", right)


def templates(tree: Any, known: set[str], path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the templates in a tree, each at its own place."""
    if isinstance(tree, str):
        yield from template(tree, known, path)
    elif isinstance(tree, Mapping | list | tuple):
        for key, branch in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
            yield from templates(branch, known, (*path, str(key)))


def header(text: str, known: set[str], path: Path) -> Iterator[Finding]:
    """Do as `template` for the value of a header."""
    wrong = list(template(text, known, path))
    if not wrong:
        # Whether a value fits is known with the value; here, what stands around it.
        constant = "".join("x" if isinstance(one, Hole) else one for one in pieces_of(text))
        if not rules.is_header_value(constant):
            what = "is empty, or holds what no header can carry"
            right = "write ASCII, without line breaks and without spaces around it"
            wrong.append(Finding(path, what, right))
    yield from wrong


def asking(check: Callable[[Any], object], value: object, path: Path) -> Iterator[Finding]:
    """Yield what a rule has against a value."""
    try:
        check(value)
    except Wrong as wrong:
        yield Finding(path, wrong.what, wrong.right)
    except ConfigError as error:
        yield Finding(path, error.message, error.hint)


def _filters(hole: Hole, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the filters of a placeholder, by themselves and in this order."""
    are_bytes = False
    for name, argument in hole.steps:
        wrong = _argument(name, argument)
        if wrong is not None:
            yield Finding(path, f"{{{hole.name}}}: |{name} {wrong[0]}", wrong[1])
        if are_bytes and name not in (*_DIGESTS, *_WRITE_BYTES):
            break
        are_bytes = name in _DIGESTS
    if are_bytes:
        what = f"{{{hole.name}}}: a digest is bytes, which are no text"
        yield Finding(path, what, "let |hex or |base64 follow it")


def _argument(name: str, argument: str) -> tuple[str, str] | None:
    """Return what is wrong with a filter's argument, and what would be right."""
    if name in filters.KEYED:
        return None if argument else ("names no key", f"such as |{name}:client_secret")
    if name == "plus":
        fits = _PLUS.fullmatch(argument)
        return None if fits else ("takes a whole number", "such as |plus:3600")
    if name == "date":
        return None if _is_format(argument) else ("takes a format", "such as |date:%Y-%m-%d")
    return ("takes no argument", f"write |{name}") if argument else None


def _is_format(text: str) -> bool:
    try:
        return "%" in text and bool(datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC).strftime(text))
    except ValueError:
        return False

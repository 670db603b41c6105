"""Fill `{placeholders}` with values that can't break out of the place they land in.

A placeholder is a name and any filters: `{client_id}`, `{pair|base64}`. There is nothing else, so
no template can run anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tokencli.errors import ConfigError
from tokencli.frozen import dataclass
from tokencli.providers import filters
from tokencli.secret import Secret

_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)((?:\|[a-z0-9_]+(?::[^|{}]*)?)*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder: the value's name, and the filters that it goes through."""

    name: str
    steps: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Name every value that is read here, the keys of HMACs among them."""
        return (self.name, *(argument for step, argument in self.steps if step in filters.KEYED))


_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
"""cookie-octets (RFC 6265 section 4.1.1)."""
LARGEST = 1 << 20
"""Characters; what a template makes of its values is never more."""

Piece = str | Hole
"""Literal text, or a placeholder."""


class Mask(str):
    """Stands for a secret where a request is shown: no filter and no escaping touches it."""

    __slots__ = ()


MASK = Mask("***")


def names(template: str) -> tuple[str, ...]:
    """List the placeholders of `template` in order; `{{` and `}}` are literal braces.

    Raises:
        ConfigError: a brace stands alone, or there is no such filter.
    """
    holes = (piece for piece in pieces_of(template) if isinstance(piece, Hole))
    return tuple(dict.fromkeys(name for hole in holes for name in hole.names))


def fill(
    template: str, values: Mapping[str, str], escape: Callable[[str], str] | None = None
) -> str | None:
    """Put `values` into `template`, as they are or by `escape`; None where one of them is absent."""
    pieces = list(pieces_of(template))
    if lacks(pieces, values):
        return None
    filled = ""
    for piece in pieces:
        if isinstance(piece, str):
            filled += piece
        else:
            value = value_of(piece, values)
            filled += value if escape is None or isinstance(value, Mask) else escape(value)
        if len(filled) > LARGEST:
            raise ConfigError("a template of the provider makes more than a megabyte of its values")
    return filled


def fill_secret(template: str, values: Mapping[str, str | Secret]) -> str | Secret | None:
    """Do as `fill` with values some of which are secret: what is made of a secret is one."""
    used = {name: values[name] for name in names(template) if name in values}
    hidden = [value for value in used.values() if isinstance(value, Secret)]
    plain = {n: value.reveal() if isinstance(value, Secret) else value for n, value in used.items()}
    found = fill(template, plain)
    return Secret(found) if hidden and found is not None else found


def secret_parts(template: str, values: Mapping[str, str | Secret]) -> list[str]:
    """Return what the placeholders that take a secret are filled with, after their filters."""
    plain = {
        n: value.reveal() if isinstance(value, Secret) else value for n, value in values.items()
    }
    masked = {n: MASK if isinstance(values[n], Secret) else text for n, text in plain.items()}
    open_to_all = _parts(template, masked)
    return [part for part in _parts(template, plain) if part and part not in open_to_all]


def _parts(template: str, values: Mapping[str, str]) -> list[str]:
    """Return what the placeholders are filled with, but for what is masked."""
    found: list[str] = []

    def note(part: str) -> str:
        found.append(part)
        return part

    fill(template, values, note)
    return found


def fill_cookies(template: str, values: Mapping[str, str]) -> str | None:
    """Do as `fill` for a Cookie header: what follows a `=` is one cookie's value (RFC 6265 section 4).

    Raises:
        ConfigError: such a value holds what would end it.
    """
    filled, before = fill(template, values), ""
    for piece in pieces_of(template) if filled is not None else ():
        if isinstance(piece, Hole) and before.endswith("="):
            value = value_of(piece, values)
            if not isinstance(value, Mask) and not _COOKIE.fullmatch(value):
                raise ConfigError(
                    f"{piece.name} goes into a cookie, and holds a character that would end it"
                )
        before = piece if isinstance(piece, str) else ""
    return filled


def fill_typed(template: str, values: Mapping[str, str]) -> object:
    """Do as `fill`; a placeholder that stands alone may give a JSON number, boolean or array."""
    pieces = list(pieces_of(template))
    filled = fill(template, values)
    if filled is None or len(pieces) != 1 or not isinstance(pieces[0], Hole):
        return filled
    wanted = [step for step, _ in pieces[0].steps if step in filters.TYPED]
    if not wanted or isinstance(value_of(pieces[0], values), Mask):
        return filled
    return filters.typed(filled, wanted[-1])


def fill_tree(tree: Any, values: Mapping[str, str]) -> Any:
    """Do as `fill_typed` in the leaves of a tree; what names an absent value is cut off, as None is."""
    if isinstance(tree, Mapping):
        grown = {name: fill_tree(branch, values) for name, branch in tree.items()}
        return {name: branch for name, branch in grown.items() if branch is not None}
    if isinstance(tree, tuple | list):
        return [twig for branch in tree if (twig := fill_tree(branch, values)) is not None]
    return fill_typed(tree, values) if isinstance(tree, str) else tree


def leaves(tree: Any) -> Iterator[str]:
    """Yield the texts of a tree."""
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for branch in tree:
            yield from leaves(branch)
    elif isinstance(tree, str):
        yield tree


def lacks(pieces: list[Piece], values: Mapping[str, str]) -> bool:
    """Tell whether a value is absent."""
    return any(
        name not in values for piece in pieces if isinstance(piece, Hole) for name in piece.names
    )


def value_of(hole: Hole, values: Mapping[str, str]) -> str:
    """Return the value of a placeholder after its filters."""
    masked = next((values[n] for n in hole.names if isinstance(values[n], Mask)), None)
    if masked is not None:
        return masked
    value = values[hole.name]
    return filters.apply(value, hole.steps, values) if hole.steps else value


def pieces_of(template: str) -> Iterator[Piece]:
    """Cut a template into literal text and placeholders."""
    start = 0
    for match in _TOKEN.finditer(template):
        if match.start() > start:
            yield template[start : match.start()]
        start = match.end()
        brace = match.group()
        if match.group(1):
            yield Hole(match.group(1), _steps(match.group(2)))
        elif len(brace) == 2:
            yield brace[0]
        else:
            raise ConfigError(
                f"a {brace} stands alone in the template {template[:200]!r}",
                hint="write {name} for a value, {{ or }} for a brace itself",
            )
    if start < len(template):
        yield template[start:]


def _steps(written: str) -> tuple[tuple[str, str], ...]:
    steps = []
    for step in written.split("|")[1:]:
        name, _, argument = step.partition(":")
        if name not in filters.NAMES:
            raise filters.unknown(name)
        steps.append((name, argument))
    return tuple(steps)

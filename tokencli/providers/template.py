"""Fill `{placeholders}` with values that can't break out of the place they land in.

A placeholder is a name and any filters: `{client_id}`, `{pair|base64}`. There is nothing else, so
no template can run anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from tokencli.errors import ConfigError
from tokencli.frozen import dataclass
from tokencli.providers import filters
from tokencli.providers.address import endpoint, host_port
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
    holes = (piece for piece in _pieces(template) if isinstance(piece, Hole))
    return tuple(dict.fromkeys(name for hole in holes for name in hole.names))


def fill(
    template: str, values: Mapping[str, str], escape: Callable[[str], str] | None = None
) -> str | None:
    """Put `values` into `template`, as they are or by `escape`; None where one of them is absent."""
    pieces = list(_pieces(template))
    if _lacks(pieces, values):
        return None
    filled = ""
    for piece in pieces:
        if isinstance(piece, str):
            filled += piece
        else:
            value = _value(piece, values)
            filled += value if escape is None or isinstance(value, Mask) else escape(value)
    return filled


def fill_secret(template: str, values: Mapping[str, str | Secret]) -> str | Secret | None:
    """Do as `fill` with values some of which are secret: what is made of a secret is one."""
    used = {name: values[name] for name in names(template) if name in values}
    hidden = [value for value in used.values() if isinstance(value, Secret)]
    plain = {n: value.reveal() if isinstance(value, Secret) else value for n, value in used.items()}
    found = fill(template, plain)
    return Secret(found) if hidden and found is not None else found


def fill_typed(template: str, values: Mapping[str, str]) -> object:
    """Do as `fill`; a placeholder that stands alone may give a JSON number, boolean or array."""
    pieces = list(_pieces(template))
    filled = fill(template, values)
    if filled is None or len(pieces) != 1 or not isinstance(pieces[0], Hole):
        return filled
    wanted = [step for step, _ in pieces[0].steps if step in filters.TYPED]
    if not wanted or isinstance(_value(pieces[0], values), Mask):
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


def fill_url(template: str, values: Mapping[str, str]) -> str | None:
    """Put `values` into a URL template, each escaped for its place; None where one is absent.

    A value that starts the template is an https base URL (or http to a loopback literal); in the
    authority it may be `host[:port]` only; elsewhere it is percent-encoded, as one path segment or
    one query value.

    Raises:
        ConfigError: a value does not fit its place, or the whole is no endpoint URL.
    """
    pieces = list(_pieces(template))
    if _lacks(pieces, values):
        return None
    url = ""
    for position, piece in enumerate(pieces):
        if isinstance(piece, str):
            joined = url.endswith("/") and position == 1 and piece.startswith("/")
            url += piece[1:] if joined else piece
        elif not url:
            url = endpoint(_value(piece, values), query=len(pieces) == 1)
        else:
            url += _escaped(piece.name, _value(piece, values), _place(url))
    _check_segments(url, pieces)
    return endpoint(url)


def _lacks(pieces: list[Piece], values: Mapping[str, str]) -> bool:
    """Tell whether a value is absent."""
    return any(
        name not in values for piece in pieces if isinstance(piece, Hole) for name in piece.names
    )


def _value(hole: Hole, values: Mapping[str, str]) -> str:
    """Return the value of a placeholder after its filters."""
    masked = next((values[n] for n in hole.names if isinstance(values[n], Mask)), None)
    if masked is not None:
        return masked
    value = values[hole.name]
    return filters.apply(value, hole.steps, values) if hole.steps else value


def _pieces(template: str) -> Iterator[Piece]:
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


def _place(url: str) -> str:
    """Name the part of a URL that comes next after `url`."""
    if "#" in url:
        return "fragment"
    if "?" in url:
        return "query"
    _, _, rest = url.partition("://")
    return "path" if "/" in rest else "authority"


def _escaped(name: str, value: str, place: str) -> str:
    if isinstance(value, Mask):
        return value
    if not value:
        raise ConfigError(f"{name} is empty, and the endpoint's URL needs it")
    match place:
        case "authority":
            return host_port(value)
        case "path":
            return quote(value, safe="")
        case "query":
            return quote_plus(value)
        case _:
            raise ConfigError("an endpoint's URL has no fragment (RFC 6749 section 3.2)")


def _check_segments(url: str, pieces: list[Piece]) -> None:
    """Refuse `.` and `..` as path segments: no percent-encoding keeps them in their place."""
    path = url.partition("?")[0]
    if len(pieces) > 1 and any(part in {".", ".."} for part in path.split("/")):
        raise ConfigError(
            "a value would turn the endpoint's path around: . and .. can't stand in it"
        )

"""Fill `{placeholders}` with values that can't break out of the place they land in.

A placeholder is a name and any filters: `{client_id}`, `{pair|base64}`. There is nothing else, so
no template can run anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.providers import template_filters
from tokencli.secret import Secret

_PLACEHOLDER_OR_BRACE = re.compile(
    r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)((?:\|[a-z0-9_]+(?::[^|{}]*)?)*)\}|[{}]"
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder: the value's name, and the filters that it goes through."""

    name: str
    filter_steps: tuple[tuple[str, str], ...] = ()

    @property
    def value_names(self) -> tuple[str, ...]:
        """Name every value that is read here, the keys of HMACs among them."""
        return (
            self.name,
            *(
                argument
                for step, argument in self.filter_steps
                if step in template_filters.HMAC_FILTERS
            ),
        )


_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
"""cookie-octets (RFC 6265 section 4.1.1)."""
MAX_FILLED_LENGTH = 1 << 20
"""Characters; what a template makes of its values is never more."""

TemplatePart = str | Placeholder
"""Literal text, or a placeholder."""


class MaskedSecret(str):
    """Stands for a secret where a request is shown: no filter and no escaping touches it."""

    __slots__ = ()


MASK = MaskedSecret("***")


def list_value_names(template: str) -> tuple[str, ...]:
    """List the placeholders of `template` in order; `{{` and `}}` are literal braces.

    Raises:
        ConfigError: a brace stands alone, or there is no such filter.
    """
    holes = (piece for piece in parse_template(template) if isinstance(piece, Placeholder))
    return tuple(dict.fromkeys(name for hole in holes for name in hole.value_names))


def fill_template(
    template: str, values: Mapping[str, str], escape: Callable[[str], str] | None = None
) -> str | None:
    """Put `values` into `template`, as they are or by `escape`; None where one of them is absent."""
    pieces = list(parse_template(template))
    if is_missing_value(pieces, values):
        return None
    filled = ""
    for piece in pieces:
        if isinstance(piece, str):
            filled += piece
        else:
            value = get_filtered_value(piece, values)
            filled += value if escape is None or isinstance(value, MaskedSecret) else escape(value)
        if len(filled) > MAX_FILLED_LENGTH:
            raise ConfigError("a template of the provider makes more than a megabyte of its values")
    return filled


def fill_with_secrets(template: str, values: Mapping[str, str | Secret]) -> str | Secret | None:
    """Do as `fill` with values some of which are secret: what is made of a secret is one."""
    used = {name: values[name] for name in list_value_names(template) if name in values}
    hidden = [value for value in used.values() if isinstance(value, Secret)]
    plain = {n: value.reveal() if isinstance(value, Secret) else value for n, value in used.items()}
    found = fill_template(template, plain)
    return Secret(found) if hidden and found is not None else found


def list_secret_parts(template: str, values: Mapping[str, str | Secret]) -> list[str]:
    """Return what the placeholders that take a secret are filled with, after their filters."""
    plain = {
        n: value.reveal() if isinstance(value, Secret) else value for n, value in values.items()
    }
    masked = {n: MASK if isinstance(values[n], Secret) else text for n, text in plain.items()}
    open_to_all = _list_filled_parts(template, masked)
    return [
        part for part in _list_filled_parts(template, plain) if part and part not in open_to_all
    ]


def _list_filled_parts(template: str, values: Mapping[str, str]) -> list[str]:
    """Return what the placeholders are filled with, but for what is masked."""
    found: list[str] = []

    def note(part: str) -> str:
        found.append(part)
        return part

    fill_template(template, values, note)
    return found


def fill_cookie_header(template: str, values: Mapping[str, str]) -> str | None:
    """Do as `fill` for a Cookie header: what follows a `=` is one cookie's value (RFC 6265 section 4).

    Raises:
        ConfigError: such a value holds what would end it.
    """
    filled, before = fill_template(template, values), ""
    for piece in parse_template(template) if filled is not None else ():
        if isinstance(piece, Placeholder) and before.endswith("="):
            value = get_filtered_value(piece, values)
            if not isinstance(value, MaskedSecret) and not _COOKIE_VALUE.fullmatch(value):
                raise ConfigError(
                    f"{piece.name} goes into a cookie, and holds a character that would end it"
                )
        before = piece if isinstance(piece, str) else ""
    return filled


def fill_typed(template: str, values: Mapping[str, str]) -> object:
    """Do as `fill`; a placeholder that stands alone may give a JSON number, boolean or array."""
    pieces = list(parse_template(template))
    filled = fill_template(template, values)
    if filled is None or len(pieces) != 1 or not isinstance(pieces[0], Placeholder):
        return filled
    wanted = [step for step, _ in pieces[0].filter_steps if step in template_filters.TYPE_FILTERS]
    if not wanted or isinstance(get_filtered_value(pieces[0], values), MaskedSecret):
        return filled
    return template_filters.convert_type(filled, wanted[-1])


def fill_tree(tree: Any, values: Mapping[str, str]) -> Any:
    """Do as `fill_typed` in the leaves of a tree; what names an absent value is cut off, as None is."""
    if isinstance(tree, Mapping):
        grown = {name: fill_tree(branch, values) for name, branch in tree.items()}
        return {name: branch for name, branch in grown.items() if branch is not None}
    if isinstance(tree, tuple | list):
        return [twig for branch in tree if (twig := fill_tree(branch, values)) is not None]
    return fill_typed(tree, values) if isinstance(tree, str) else tree


def iter_tree_texts(tree: Any) -> Iterator[str]:
    """Yield the texts of a tree."""
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for branch in tree:
            yield from iter_tree_texts(branch)
    elif isinstance(tree, str):
        yield tree


def is_missing_value(pieces: list[TemplatePart], values: Mapping[str, str]) -> bool:
    """Tell whether a value is absent."""
    return any(
        name not in values
        for piece in pieces
        if isinstance(piece, Placeholder)
        for name in piece.value_names
    )


def get_filtered_value(hole: Placeholder, values: Mapping[str, str]) -> str:
    """Return the value of a placeholder after its filters."""
    masked = next(
        (values[n] for n in hole.value_names if isinstance(values[n], MaskedSecret)), None
    )
    if masked is not None:
        return masked
    value = values[hole.name]
    return (
        template_filters.apply_filters(value, hole.filter_steps, values)
        if hole.filter_steps
        else value
    )


def parse_template(template: str) -> Iterator[TemplatePart]:
    """Cut a template into literal text and placeholders."""
    start = 0
    for match in _PLACEHOLDER_OR_BRACE.finditer(template):
        if match.start() > start:
            yield template[start : match.start()]
        start = match.end()
        brace = match.group()
        if match.group(1):
            yield Placeholder(match.group(1), _parse_filter_steps(match.group(2)))
        elif len(brace) == 2:
            yield brace[0]
        else:
            raise ConfigError(
                f"a {brace} stands alone in the template {template[:200]!r}",
                fix="write {name} for a value, {{ or }} for a brace itself",
            )
    if start < len(template):
        yield template[start:]


def _parse_filter_steps(written: str) -> tuple[tuple[str, str], ...]:
    steps = []
    for step in written.split("|")[1:]:
        name, _, argument = step.partition(":")
        if name not in template_filters.FILTER_NAMES:
            raise template_filters.unknown_filter_error(name)
        steps.append((name, argument))
    return tuple(steps)

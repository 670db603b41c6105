"""Fill `{placeholders}` so that no value can break out of the place it goes into.

A placeholder is a name and optional filters: `{client_id}`, `{pair|base64}`. Templates have no other
syntax, so none can run code. A filter maps bytes to bytes, so a digest can be followed by `base64` or
`hex`.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Secret
from tokencli.providers.endpoint_urls import check_endpoint_url, check_host_port

MAX_OUTPUT_LENGTH = 1 << 20
"""The most characters of a filled template, and bytes of a filter's result."""
_PLACEHOLDER_OR_BRACE = re.compile(
    r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)((?:\|[a-z0-9_]+(?::[^|{}]*)?)*)\}|[{}]"
)
_COOKIE_VALUE = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
"""cookie-octets (RFC 6265 section 4.1.1)."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder: the value's name, and the filters applied to the value."""

    name: str
    filter_steps: tuple[tuple[str, str], ...] = ()

    @property
    def value_names(self) -> tuple[str, ...]:
        """The names of every value read here, including the keys of HMACs."""
        keys = (argument for step, argument in self.filter_steps if step in HMAC_FILTERS)
        return (self.name, *keys)


TemplatePart = str | Placeholder
"""Literal text, or a placeholder."""


class MaskedSecret(str):
    """Replaces a secret in a request that is shown. No filter and no escaping changes it."""

    __slots__ = ()


MASK = MaskedSecret("***")


@lru_cache(1024)
def parse_template(template: str) -> tuple[TemplatePart, ...]:
    """Split a template into literal text and placeholders; `{{` and `}}` are literal braces.

    A provider's templates are parsed for each of its profiles, so the results are cached.

    Raises:
        ConfigError: a brace is unpaired, or a filter does not exist.
    """
    parts: list[TemplatePart] = []
    start = 0
    for match in _PLACEHOLDER_OR_BRACE.finditer(template):
        if match.start() > start:
            parts.append(template[start : match.start()])
        start = match.end()
        brace = match.group()
        if match.group(1):
            parts.append(Placeholder(match.group(1), _parse_filter_steps(match.group(2))))
        elif len(brace) == 2:
            parts.append(brace[0])
        else:
            raise ConfigError(
                f"unpaired {brace} in the template {template[:200]!r}",
                fix="write {name} for a value, and {{ or }} for a literal brace",
            )
    if start < len(template):
        parts.append(template[start:])
    return tuple(parts)


def _parse_filter_steps(text: str) -> tuple[tuple[str, str], ...]:
    steps = []
    for step in text.split("|")[1:]:
        name, _, argument = step.partition(":")
        if name not in FILTER_NAMES:
            raise unknown_filter_error(name)
        steps.append((name, argument))
    return tuple(steps)


@lru_cache(1024)
def list_value_names(template: str) -> tuple[str, ...]:
    """List the values that a template names, each once and in order; raises ConfigError."""
    placeholders = (part for part in parse_template(template) if isinstance(part, Placeholder))
    return tuple(dict.fromkeys(name for part in placeholders for name in part.value_names))


def iter_tree_texts(tree: Any) -> Iterator[str]:
    """Yield the texts of a tree of tables and arrays."""
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for branch in tree:
            yield from iter_tree_texts(branch)
    elif isinstance(tree, str):
        yield tree


def fill_template(
    template: str, values: Mapping[str, str], escape: Callable[[str], str] | None = None
) -> str | None:
    """Fill a template, escaping each value with `escape`; return None if a value is absent."""
    parts = parse_template(template)
    if _is_value_missing(parts, values):
        return None
    filled = ""
    for part in parts:
        if isinstance(part, str):
            filled += part
        else:
            value = _get_filtered_value(part, values)
            filled += value if escape is None or isinstance(value, MaskedSecret) else escape(value)
        if len(filled) > MAX_OUTPUT_LENGTH:
            raise ConfigError("a template of the provider produces more than a megabyte of text")
    return filled


def fill_with_secrets(template: str, values: Mapping[str, str | Secret]) -> str | Secret | None:
    """Fill a template from values that may be secret. A text made from a secret is a Secret."""
    used = {name: values[name] for name in list_value_names(template) if name in values}
    filled = fill_template(template, reveal_values(used))
    has_secret = any(isinstance(value, Secret) for value in used.values())
    return Secret(filled) if has_secret and filled is not None else filled


def reveal_values(values: Mapping[str, str | Secret]) -> dict[str, str]:
    """Return the values as plain text."""
    return {
        n: value.reveal() if isinstance(value, Secret) else value for n, value in values.items()
    }


def list_secret_parts(template: str, values: Mapping[str, str | Secret]) -> list[str]:
    """Return the texts that fill those placeholders which read a secret, after their filters."""
    plain = reveal_values(values)
    masked = {n: MASK if isinstance(values[n], Secret) else text for n, text in plain.items()}
    public = _list_filled_parts(template, masked)
    return [part for part in _list_filled_parts(template, plain) if part and part not in public]


def _list_filled_parts(template: str, values: Mapping[str, str]) -> list[str]:
    """Return the texts that fill the placeholders, without masked ones."""
    parts: list[str] = []

    def record(part: str) -> str:
        parts.append(part)
        return part

    fill_template(template, values, record)
    return parts


def fill_cookie_header(template: str, values: Mapping[str, str]) -> str | None:
    """Fill a Cookie header, in which a placeholder after `=` is one cookie's value (RFC 6265 section 4).

    Raises:
        ConfigError: a cookie's value contains a character that would end it.
    """
    filled, before = fill_template(template, values), ""
    for part in parse_template(template) if filled is not None else ():
        if isinstance(part, Placeholder) and before.endswith("="):
            value = _get_filtered_value(part, values)
            if not isinstance(value, MaskedSecret) and not re.fullmatch(_COOKIE_VALUE, value):
                raise ConfigError(
                    f"{part.name} goes into a cookie and contains a character that would end it"
                )
        before = part if isinstance(part, str) else ""
    return filled


def fill_typed(template: str, values: Mapping[str, str]) -> object:
    """Fill a template. A placeholder that stands alone may become a JSON number, boolean or array."""
    parts = parse_template(template)
    filled = fill_template(template, values)
    if filled is None or len(parts) != 1 or not isinstance(parts[0], Placeholder):
        return filled
    types = [step for step, _ in parts[0].filter_steps if step in TYPE_FILTERS]
    if not types or isinstance(_get_filtered_value(parts[0], values), MaskedSecret):
        return filled
    return convert_type(filled, types[-1])


def fill_tree(tree: Any, values: Mapping[str, str]) -> Any:
    """Fill every text of a tree with `fill_typed`, and drop what names an absent value."""
    if isinstance(tree, Mapping):
        branches = {name: fill_tree(branch, values) for name, branch in tree.items()}
        return {name: branch for name, branch in branches.items() if branch is not None}
    if isinstance(tree, tuple | list):
        return [item for branch in tree if (item := fill_tree(branch, values)) is not None]
    return fill_typed(tree, values) if isinstance(tree, str) else tree


def iter_constants(tree: Any) -> Iterator[tuple[str, str]]:
    """Yield the name and the value, as JSON, of each member that is text, a number or a boolean."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if isinstance(value, str | int | float):
                yield name, json.dumps(value)
            else:
                yield from iter_constants(value)
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from iter_constants(item)


def replace_constants(tree: Any, spelled: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the tree with other constants: member name -> value as JSON -> new value."""
    if isinstance(tree, Mapping):
        return {
            name: spelled[name].get(json.dumps(value), value)
            if name in spelled and isinstance(value, str | int | float)
            else replace_constants(value, spelled)
            for name, value in tree.items()
        }
    if isinstance(tree, tuple | list):
        return tuple(replace_constants(item, spelled) for item in tree)
    return tree


def fill_url(template: str, values: Mapping[str, str]) -> str | None:
    """Fill a URL template, escaping each value for its part of the URL; return None if one is absent.

    A value at the start is an https base URL (or http to a loopback literal). In the authority it is
    `host[:port]`. Elsewhere it is percent-encoded, as one path segment or one query value.

    Raises:
        ConfigError: a value does not fit its place, or the result is not an endpoint URL.
    """
    parts = parse_template(template)
    if _is_value_missing(parts, values):
        return None
    url = ""
    for position, part in enumerate(parts):
        if isinstance(part, str):
            has_slash = url.endswith("/") and position == 1 and part.startswith("/")
            url += part[1:] if has_slash else part
        elif not url:
            url = check_endpoint_url(_get_filtered_value(part, values), query=len(parts) == 1)
        else:
            url += _escape_for_url(
                part.name, _get_filtered_value(part, values), _get_next_url_part(url)
            )
    _check_dot_segments(url, parts)
    return check_endpoint_url(url)


def _get_next_url_part(url: str) -> str:
    """Name the part of a URL that text appended to `url` belongs to."""
    if "#" in url:
        return "fragment"
    if "?" in url:
        return "query"
    return "path" if "/" in url.partition("://")[2] else "authority"


def _escape_for_url(name: str, value: str, url_part: str) -> str:
    if isinstance(value, MaskedSecret):
        return value
    if not value:
        raise ConfigError(f"{name} is empty, and the endpoint's URL needs it")
    match url_part:
        case "authority":
            return check_host_port(value)
        case "path":
            return quote(value, safe="")
        case "query":
            return quote_plus(value)
        case _:
            raise ConfigError("an endpoint URL has no fragment (RFC 6749 section 3.2)")


def _check_dot_segments(url: str, parts: Sequence[TemplatePart]) -> None:
    """Refuse `.` and `..` as path segments, which percent-encoding does not neutralise."""
    path = url.partition("?")[0]
    if len(parts) > 1 and any(segment in {".", ".."} for segment in path.split("/")):
        raise ConfigError("a value would change the endpoint's path: it is . or ..")


def _is_value_missing(parts: Sequence[TemplatePart], values: Mapping[str, str]) -> bool:
    return any(
        name not in values
        for part in parts
        if isinstance(part, Placeholder)
        for name in part.value_names
    )


def _get_filtered_value(placeholder: Placeholder, values: Mapping[str, str]) -> str:
    for name in placeholder.value_names:
        value = values[name]
        if isinstance(value, MaskedSecret):
            return value
    value = values[placeholder.name]
    if not placeholder.filter_steps:
        return value
    return apply_filters(value, placeholder.filter_steps, values)


Filter = Callable[[bytes], bytes]

_XML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_JSON_NUMBER = r"-?(?:0|[1-9][0-9]{0,307})(?:\.[0-9]{1,100})?"
"""A JSON number without an exponent."""
_INVALID_XML_CHARACTERS = "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"


def escape_xml(text: str) -> str:
    """Escape text for an element or an attribute (XML 1.0 section 2.4); raises ConfigError."""
    if re.search(_INVALID_XML_CHARACTERS, text):
        raise ConfigError("a value contains a character that XML can't carry")
    return "".join(_XML_ESCAPES.get(char, char) for char in text)


SIMPLE_FILTERS: dict[str, Filter] = {
    "base64": base64.b64encode,
    "base64url": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "hex": lambda data: data.hex().encode(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
    "upper": lambda data: data.decode().upper().encode(),
    "lower": lambda data: data.decode().lower().encode(),
    "url": lambda data: quote(data, safe="").encode(),
    "xml": lambda data: escape_xml(data.decode()).encode(),
}
"""Filters without an argument. A digest is raw bytes: `hex` or `base64` must follow it."""

HMAC_FILTERS: dict[str, str] = {"hmac_md5": "md5", "hmac_sha1": "sha1", "hmac_sha256": "sha256",
                         "hmac_sha512": "sha512"}  # fmt: skip
"""`{text|hmac_sha256:key}`, an HMAC keyed with the value named `key` -> its digest."""

TYPE_FILTERS = ("int", "number", "bool", "list")
"""Filters that give a placeholder standing alone in a JSON body another type than text."""

FILTER_NAMES = (*SIMPLE_FILTERS, *HMAC_FILTERS, "date", "plus", *TYPE_FILTERS)


def apply_filters(value: str, steps: tuple[tuple[str, str], ...], values: Mapping[str, str]) -> str:
    """Return `value` after these filters, each a name and an argument (empty if it has none).

    Raises:
        ConfigError: a filter is unknown, or the result is not text.
    """
    data = value.encode(errors="surrogatepass")
    try:
        for name, argument in steps:
            if name in SIMPLE_FILTERS:
                data = SIMPLE_FILTERS[name](data)
            elif name in HMAC_FILTERS:
                key = values.get(argument, "").encode(errors="surrogatepass")
                data = hmac.new(key, data, HMAC_FILTERS[name]).digest()
            elif name == "plus":
                data = str(int(data) + int(argument)).encode()
            elif name == "date":
                data = datetime.fromtimestamp(float(data), UTC).strftime(argument).encode()
            elif name not in TYPE_FILTERS:
                raise unknown_filter_error(name)
            if len(data) > MAX_OUTPUT_LENGTH:
                raise ConfigError("the filters of a template produce more than a megabyte")
        return data.decode()
    except (UnicodeDecodeError, OverflowError, OSError):
        raise ConfigError(
            "a filter of a template produces bytes that are not text",
            fix="add |base64 or |hex after the digest",
        ) from None
    except ValueError:
        raise ConfigError("a filter of a template can't handle the value it is given") from None


def convert_type(text: str, step: str) -> object:
    """Return `text` as the JSON value of a type filter; raises ConfigError."""
    try:
        match step:
            case "int" if re.fullmatch(_JSON_NUMBER, text) and "." not in text:
                return int(text)
            case "number" if re.fullmatch(_JSON_NUMBER, text):
                return float(text) if "." in text else int(text)
            case "bool":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case "list":
                return text.split()
            case _:
                raise ValueError(step)
    except (ValueError, KeyError):
        raise ConfigError(f"a value can't be converted by the filter |{step}") from None


def unknown_filter_error(name: str) -> ConfigError:
    """Return the error for a filter that does not exist."""
    return ConfigError(f"unknown filter {name[:40]!r}", fix="tokencli providers reference")

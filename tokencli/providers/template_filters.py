"""The filters of `{name|filter}`: pure functions on one value.

A filter maps bytes to bytes, so a digest can be followed by `base64` or `hex`.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from tokencli.errors import ConfigError

Filter = Callable[[bytes], bytes]

_XML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,307})(?:\.[0-9]{1,100})?")
"""A JSON number without an exponent."""
_INVALID_XML_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape_xml(text: str) -> str:
    """Escape text for an element or an attribute (XML 1.0 section 2.4); raises ConfigError."""
    if _INVALID_XML_CHARACTERS.search(text):
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

MAX_OUTPUT_BYTES = 1 << 20
"""The most bytes that filters may produce from a value."""

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
            if len(data) > MAX_OUTPUT_BYTES:
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
            case "int" if _JSON_NUMBER.fullmatch(text) and "." not in text:
                return int(text)
            case "number" if _JSON_NUMBER.fullmatch(text):
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

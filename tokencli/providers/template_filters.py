"""What may be done to a value inside a template, as `{name|filter}`: pure functions, no code to run.

A filter takes bytes and gives bytes, so that a digest can be followed by `base64` or `hex`.
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
"""A number as JSON has it, without an exponent."""
_INVALID_XML_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape_xml(text: str) -> str:
    """Escape text for an element or an attribute (XML 1.0 section 2.4); raises ConfigError."""
    if _INVALID_XML_CHARACTERS.search(text):
        raise ConfigError("a value holds a character that XML can't carry")
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
"""Filters without an argument; a digest is raw bytes, to be followed by `hex` or `base64`."""

HMAC_FILTERS: dict[str, str] = {"hmac_md5": "md5", "hmac_sha1": "sha1", "hmac_sha256": "sha256",
                         "hmac_sha512": "sha512"}  # fmt: skip
"""`{text|hmac_sha256:key}`: an HMAC under the value of that name -> the digest."""

TYPE_FILTERS = ("int", "number", "bool", "list")
"""Filters that give a placeholder standing alone in a JSON body another type than text."""

MAX_OUTPUT_BYTES = 1 << 20
"""Bytes; what filters make of a value is never more."""

FILTER_NAMES = (*SIMPLE_FILTERS, *HMAC_FILTERS, "date", "plus", *TYPE_FILTERS)


def apply_filters(value: str, steps: tuple[tuple[str, str], ...], values: Mapping[str, str]) -> str:
    """Return `value` after these filters, each a name and an argument (empty where there is none).

    Raises:
        ConfigError: a filter is unknown, or what comes out is no text.
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
                raise ConfigError("the filters of a template make more than a megabyte of a value")
        return data.decode()
    except (UnicodeDecodeError, OverflowError, OSError):
        raise ConfigError(
            "a filter of a template gives bytes that are no text",
            fix="let |base64 or |hex follow it",
        ) from None
    except ValueError:
        raise ConfigError("a filter of a template can't take the value it is given") from None


def convert_type(text: str, step: str) -> object:
    """Return the JSON value that a typed filter makes of `text`; raises ConfigError."""
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
        raise ConfigError(f"a value that has to become JSON by |{step} does not fit it") from None


def unknown_filter_error(name: str) -> ConfigError:
    """Say that there is no such filter."""
    return ConfigError(
        f"there is no filter {name[:40]!r}", fix=f"there is: {', '.join(FILTER_NAMES)}"
    )

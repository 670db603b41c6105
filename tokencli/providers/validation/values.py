"""Rules for single values, shared by provider tables and profiles.

Each function returns the value it accepts and raises InvalidValueError otherwise.
"""

import re
from collections.abc import Callable
from typing import Any

from tokencli.errors import ConfigError
from tokencli.problems import InvalidValueError
from tokencli.providers.endpoint_urls import check_endpoint_url, check_host_port

PROFILE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
FIELD_NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
MAX_TEXT_LENGTH = 4096
_HEADER_NAME_PATTERN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_RESERVED_HEADERS = frozenset(
    ("authorization", "host", "content-length", "transfer-encoding", "connection",
     "cookie", "proxy-authorization", "expect", "te", "trailer", "upgrade", "accept-encoding")
)  # fmt: skip
"""Headers that tokencli or its HTTP library sets."""


def validate_text(value: str) -> str:
    """Accept one line of text that can be sent: not empty, no control characters."""
    if not value:
        raise InvalidValueError("is empty", "give a value, or remove the line")
    if len(value) > MAX_TEXT_LENGTH:
        raise InvalidValueError(f"is longer than {MAX_TEXT_LENGTH} characters")
    if _UNPRINTABLE.search(value):
        raise InvalidValueError("contains a control character or a line break", "remove it")
    if value != value.strip():
        raise InvalidValueError("begins or ends with a space", "remove the space")
    return value


def validate_header_name(value: str) -> str:
    """Accept the name of a request header that a provider may set."""
    if not _HEADER_NAME_PATTERN.fullmatch(value):
        raise InvalidValueError("is not a header name (RFC 9110 section 5.1)")
    if value.casefold() in _RESERVED_HEADERS:
        raise InvalidValueError("is a header that tokencli sets itself", "remove it")
    return value


def is_header_value(value: str) -> bool:
    """Tell whether a header can carry the text: visible ASCII, with spaces and tabs inside."""
    return re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?", value) is not None


def host_validator(port: int | None) -> Callable[[str], str]:
    """Return a validator of `host[:port]` that adds `port` if the value has none."""
    return lambda value: convert_config_error(check_host_port, value, port)


def url_validator(*, query: bool) -> Callable[[str], str]:
    """Return a validator of endpoint URLs. Whether plain http is allowed is checked later."""
    return lambda value: convert_config_error(
        lambda text: check_endpoint_url(text, query=query), value
    )


def convert_config_error(check: Callable[..., str], *args: Any) -> str:
    """Call `check`, turning its ConfigError into an InvalidValueError."""
    try:
        return check(*args)
    except ConfigError as error:
        raise InvalidValueError(error.message, error.fix, clause=True) from None

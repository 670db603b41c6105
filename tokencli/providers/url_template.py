"""Fill a URL template: each value is escaped for the part of the address that it lands in."""

from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from tokencli.errors import ConfigError
from tokencli.providers.endpoint_urls import check_endpoint_url, check_host_port
from tokencli.providers.template import (
    MaskedSecret,
    TemplatePart,
    get_filtered_value,
    is_missing_value,
    parse_template,
)


def fill_url(template: str, values: Mapping[str, str]) -> str | None:
    """Put `values` into a URL template, each escaped for its place; None where one is absent.

    A value that starts the template is an https base URL (or http to a loopback literal); in the
    authority it may be `host[:port]` only; elsewhere it is percent-encoded, as one path segment or
    one query value.

    Raises:
        ConfigError: a value does not fit its place, or the whole is no endpoint URL.
    """
    pieces = list(parse_template(template))
    if is_missing_value(pieces, values):
        return None
    url = ""
    for position, piece in enumerate(pieces):
        if isinstance(piece, str):
            joined = url.endswith("/") and position == 1 and piece.startswith("/")
            url += piece[1:] if joined else piece
        elif not url:
            url = check_endpoint_url(get_filtered_value(piece, values), query=len(pieces) == 1)
        else:
            url += _escape_for_part(
                piece.name, get_filtered_value(piece, values), _get_next_url_part(url)
            )
    _check_dot_segments(url, pieces)
    return check_endpoint_url(url)


def _get_next_url_part(url: str) -> str:
    """Name the part of a URL that comes next after `url`."""
    if "#" in url:
        return "fragment"
    if "?" in url:
        return "query"
    _, _, rest = url.partition("://")
    return "path" if "/" in rest else "authority"


def _escape_for_part(name: str, value: str, place: str) -> str:
    if isinstance(value, MaskedSecret):
        return value
    if not value:
        raise ConfigError(f"{name} is empty, and the endpoint's URL needs it")
    match place:
        case "authority":
            return check_host_port(value)
        case "path":
            return quote(value, safe="")
        case "query":
            return quote_plus(value)
        case _:
            raise ConfigError("an endpoint's URL has no fragment (RFC 6749 section 3.2)")


def _check_dot_segments(url: str, pieces: list[TemplatePart]) -> None:
    """Refuse `.` and `..` as path segments: no percent-encoding keeps them in their place."""
    path = url.partition("?")[0]
    if len(pieces) > 1 and any(part in {".", ".."} for part in path.split("/")):
        raise ConfigError(
            "a value would turn the endpoint's path around: . and .. can't stand in it"
        )

"""What is let out: the last check of a request before anything is sent."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from tokencli import __version__
from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.models import HttpRequest
from tokencli.providers.endpoint_urls import check_endpoint_url

_HEADER_NAME_RE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 section 5.6.2)."""
_HEADER_VALUE_RE = re.compile(r"(?:[\x21-\x7e](?:[ \t\x21-\x7e]*[\x21-\x7e])?)?")
"""Visible ASCII with space and tab inside (RFC 9110 section 5.5, without its obsolete text)."""
FRAMING_HEADERS = (
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
)
"""Headers that say where a message goes and where it ends, which is the transport's alone."""


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """The server that a request goes to."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host, and the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"
        )

    @property
    def is_loopback(self) -> bool:
        """Whether the request never leaves this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_target(url: str) -> RequestTarget:
    """Return where `url` leads.

    Raises:
        ConfigError: it is no https URL (http to a loopback literal may pass), or carries more than
            an endpoint's URL may.
    """
    try:
        parts = urlsplit(check_endpoint_url(url))
        return RequestTarget(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or {"https": 443, "http": 80}[parts.scheme],
            path=parts.path or "/",
        )
    except ConfigError as error:
        raise ConfigError(
            f"nothing was sent, because the endpoint's address can't be used: {error.message}",
            fix=error.fix,
        ) from None


def build_headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers to send; messages name a bad one and never quote its value.

    Raises:
        ConfigError: a name or value would not arrive as it stands, or would break the framing.
    """
    given: dict[str, str] = {}
    for name, value in request.headers.items():
        if not _HEADER_NAME_RE.fullmatch(name):
            raise ConfigError(
                f"nothing was sent, because {name[:60]!r} can't be the name of a header",
                fix="check [providers.NAME.request.headers]: tokencli profiles show",
            )
        if name.lower() in FRAMING_HEADERS:
            raise ConfigError(
                f"nothing was sent, because the header {name} is not for a provider to set",
                fix="take it out of [providers.NAME.request.headers]",
            )
        if not _HEADER_VALUE_RE.fullmatch(value):
            raise ConfigError(
                f"nothing was sent, because the value of the header {name} holds a character other "
                "than visible ASCII, or begins or ends with a space",
                fix="look for a line end or an accented letter in the value or secret behind it",
            )
        given[name] = value
    defaults = {
        "User-Agent": f"tokencli/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    known = {name.lower() for name in given}
    kept = {name: value for name, value in defaults.items() if name.lower() not in known}
    return {**kept, **given, "Connection": "close"}

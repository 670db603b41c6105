"""The last check of a request before anything is sent: its URL and its headers."""

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
_DEFAULT_PORTS = {"https": 443, "http": 80}
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
"""Headers that only the transport may set: where a message goes and where it ends."""


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """The server that a request goes to."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host, with the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_target(url: str) -> RequestTarget:
    """Return the server and path of `url`.

    Raises:
        ConfigError: it is not an https URL (or http to a loopback literal), or has parts that an
            endpoint's URL must not have.
    """
    try:
        parts = urlsplit(check_endpoint_url(url))
        return RequestTarget(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _DEFAULT_PORTS[parts.scheme],
            path=parts.path or "/",
        )
    except ConfigError as error:
        raise ConfigError(
            f"can't use the endpoint's URL: {error.message}; nothing was sent",
            cause=error.cause,
            fix=error.fix,
        ) from None


def build_headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers to send.

    Raises:
        ConfigError: a name or value would not arrive unchanged, or would break the framing. The
            message names the header and doesn't quote its value.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if not _HEADER_NAME_RE.fullmatch(name):
            raise ConfigError(
                f"{name[:60]!r} is not a valid header name; nothing was sent",
                fix="correct it in [providers.NAME.request.headers]",
            )
        if name.lower() in FRAMING_HEADERS:
            raise ConfigError(
                f"a provider can't set the header {name}; nothing was sent",
                fix="remove it from [providers.NAME.request.headers]",
            )
        if not _HEADER_VALUE_RE.fullmatch(value):
            raise ConfigError(
                f"the value of the header {name} contains a character other than visible ASCII, or"
                " begins or ends with a space; nothing was sent",
                cause="probably a line break or an accented letter in the value or in a secret in it",
                fix="correct it in [providers.NAME.request.headers], or store the secret again",
            )
        headers[name] = value
    defaults = {
        "User-Agent": f"tokencli/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    names = {name.lower() for name in headers}
    missing = {name: value for name, value in defaults.items() if name.lower() not in names}
    return {**missing, **headers, "Connection": "close"}

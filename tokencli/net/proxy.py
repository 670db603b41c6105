"""Which proxy a request goes through, if any."""

from base64 import b64encode
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Connection, Secret
from tokencli.net.request_guard import RequestTarget

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""Looked at in this order, as curl does; HTTP_PROXY is not, since only loopback is spoken to in http."""
DEFAULT_PROXY_PORTS = {
    "http": 80,
    "https": 443,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is asked to CONNECT, so that it sees no more than the host's name."""

    url: Secret
    """The whole URL, with user name and password if there are any."""
    authority: str
    """Host and port: all of it that may be seen."""
    configured_by: str
    """The variable or key that named it."""

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS rather than HTTP."""
        return self.url.reveal().startswith("socks")

    def proxy_authorization_header(self) -> str | None:
        """Return the value of Proxy-Authorization (RFC 7617, UTF-8), where the URL names a user."""
        parts = urlsplit(self.url.reveal())
        if not parts.username:
            return None
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {b64encode(pair.encode()).decode()}"


def select_proxy(
    target: RequestTarget, connection: Connection, environ: Mapping[str, str]
) -> Proxy | None:
    """Return the profile's proxy, else the environment's, else None.

    Neither loopback nor what else may be http, a cloud's metadata service, is ever proxied.

    Raises:
        ConfigError: what names the proxy can't be used; the value is not quoted.
    """
    if target.is_loopback or target.scheme == "http" or connection.proxy == "none":
        return None
    if connection.proxy:
        return _parse_proxy(connection.proxy, "proxy of the profile")
    if _is_excluded_by_no_proxy(target, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    for name in PROXY_VARIABLES:
        if value := environ.get(name, "").strip():
            return _parse_proxy(value, name)
    return None


def _parse_proxy(value: str, origin: str) -> Proxy:
    fix = f'set {origin} to a URL such as "http://proxy.example.com:3128"; for none, proxy = "none"'
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigError(f"{origin} does not hold the URL of a proxy", fix=fix)
    if parts.scheme not in DEFAULT_PROXY_PORTS:
        raise ConfigError(
            f"{origin} names a kind of proxy that is not known: {parts.scheme[:40]!r}", fix=fix
        )
    if parts.scheme.startswith("socks") and find_spec("socks") is None:
        raise ConfigError(
            f"{origin} names a SOCKS proxy, for which PySocks has to be installed beside tokencli",
            fix="pip install PySocks",
        )
    authority = f"[{host}]" if ":" in host else host
    return Proxy(Secret(url), f"{authority}:{port or DEFAULT_PROXY_PORTS[parts.scheme]}", origin)


def _is_excluded_by_no_proxy(target: RequestTarget, listed: str) -> bool:
    """Tell whether NO_PROXY lists the target: `*`, a domain and what is below it, an address, a network, each with :port or not."""
    return any(_matches_no_proxy_entry(target, entry) for entry in listed.replace(",", " ").split())


def _matches_no_proxy_entry(target: RequestTarget, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(target.host) in ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit():
        if int(port) != target.port:
            return False
        entry = name.strip("[]")
    entry = entry.lower().removeprefix("*").lstrip(".").rstrip(".")
    host = target.host.lower().rstrip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))

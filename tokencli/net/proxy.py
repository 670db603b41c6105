"""Which proxy a request goes through, if any."""

import re
from base64 import b64encode
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from urllib.parse import quote, unquote, urlsplit

from tokencli import platforms
from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Connection, Secret
from tokencli.net.request_guard import RequestTarget
from tokencli.platforms.platform import ProxySettings
from tokencli.sanitize import sanitize_text
from tokencli.shell_words import user_shell

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""In order of precedence, as in curl. HTTP_PROXY doesn't count: http is used only with loopback."""
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
    """A proxy that is used with CONNECT, so that it sees no more than the server's name."""

    url: Secret
    """The whole URL, which may contain a user name and password."""
    authority: str
    """Host and port: the part that may be shown."""
    configured_by: str
    """The environment variable, `proxy of the profile`, or `the proxy setting of Windows`."""

    @property
    def is_from_environment(self) -> bool:
        """Whether an environment variable names it."""
        return self.configured_by in PROXY_VARIABLES

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS rather than HTTP."""
        return self.url.reveal().startswith("socks")

    def proxy_authorization_header(self) -> str | None:
        """Return the value of Proxy-Authorization (RFC 7617, UTF-8), or None if the URL has no user."""
        parts = urlsplit(self.url.reveal())
        if not parts.username:
            return None
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {b64encode(pair.encode()).decode()}"


def select_proxy(
    target: RequestTarget, connection: Connection, environ: Mapping[str, str]
) -> Proxy | None:
    """Return the profile's proxy, else the environment's, else the system's (Windows, macOS), else None.

    Variables that name a proxy, or except the server from one, replace the system's setting.

    Requests to loopback and over http (a cloud's metadata service) never go through a proxy.

    Raises:
        ConfigError: the proxy's URL can't be used; it is not quoted, as it may contain a password.
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
    settings = platforms.current().read_proxy_settings()
    if not settings.url or is_excluded_by_system(target, settings):
        return None
    return _parse_proxy(settings.url, f"the proxy setting of {platforms.current().name}")


def describe_proxy_script() -> str | None:
    """Return a sentence, without a full stop, about the system's proxy script, if it has one.

    User name, password and query of its URL are left out.
    """
    platform = platforms.current()
    script = platform.find_proxy_script()
    if script is None:
        return None
    parts = urlsplit(script)
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return (
        f"{platform.name} chooses proxies by the script {sanitize_text(url)[:200]}, which tokencli"
        " doesn't run: set HTTPS_PROXY if this server needs a proxy"
    )


def is_excluded_by_system(target: RequestTarget, settings: ProxySettings) -> bool:
    """Tell whether the system's proxy setting excepts the target."""
    if settings.excludes_plain_names and not {".", ":"} & set(target.host):
        return True
    return any(_matches_system_exception(target, entry) for entry in settings.exceptions)


def _matches_system_exception(target: RequestTarget, entry: str) -> bool:
    """Tell whether an entry matches: `*.example.com`, `10.*`, `169.254/16`, also with scheme or port."""
    scheme, separator, rest = entry.lower().rpartition("://")
    if separator and scheme != target.scheme:
        return False
    if with_port := re.fullmatch(r"(\[.*\]|[^:]*):(\d+)", rest):
        if int(with_port[2]) != target.port:
            return False
        rest = with_port[1]
    address, slash, bits = rest.partition("/")
    if slash:
        padded = address + ".0" * (3 - address.count(".")) if ":" not in address else address
        try:
            return ip_address(target.host) in ip_network(f"{padded}/{bits}", strict=False)
        except ValueError:
            return False
    pattern = re.escape(rest.strip("[]").rstrip(".")).replace(r"\*", ".*")
    return re.fullmatch(pattern, target.host.lower().rstrip(".")) is not None


def _parse_proxy(value: str, origin: str) -> Proxy:
    url = value if "://" in value else f"http://{value}"
    _check_user_info(url, origin)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigError(
            f"{origin} is not the URL of a proxy",
            cause="such a URL looks like http://proxy.example.com:3128",
        )
    if parts.scheme not in DEFAULT_PROXY_PORTS:
        raise ConfigError(
            f"{origin} names an unknown kind of proxy: {parts.scheme[:40]!r}",
            cause=f"the known kinds are {', '.join(DEFAULT_PROXY_PORTS)}",
        )
    if parts.scheme.startswith("socks") and find_spec("socks") is None:
        from tokencli.system.optional_packages import build_package_command  # start-up cost

        raise ConfigError(
            f"{origin} names a SOCKS proxy, which requires the package PySocks",
            fix=build_package_command("PySocks"),
        )
    authority = f"[{host}]" if ":" in host else host
    return Proxy(Secret(url), f"{authority}:{port or DEFAULT_PROXY_PORTS[parts.scheme]}", origin)


def _check_user_info(url: str, origin: str) -> None:
    """Refuse characters in user name and password that end the part of a URL in which they are.

    Else what follows them would be taken for the path, and what is before them for the host, which is
    shown.
    """
    user_info = url.partition("://")[2].rpartition("@")[0]
    found = [char for char in "#?[] /\\" if char in user_info]
    if not found:
        return
    encoded = [f"{char!r} as {quote(char, safe='')}" for char in found]
    fix = None
    if origin in PROXY_VARIABLES and not {"/", "\\"} & set(found):
        fix = user_shell().replace_in_variable(
            origin, {char: quote(char, safe="") for char in found}
        )
    raise ConfigError(
        f"{origin} is not the URL of a proxy: its user name or password contains special characters",
        cause=f"they must be percent-encoded: {', '.join(encoded)}",
        fix=fix,
    )


def _is_excluded_by_no_proxy(target: RequestTarget, listed: str) -> bool:
    """Tell whether NO_PROXY lists the target.

    Entries are `*`, a domain (with its subdomains), an address or a network, each with or without a
    port.
    """
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

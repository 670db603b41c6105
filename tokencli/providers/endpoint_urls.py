"""Check that hosts and endpoint URLs may be sent credentials."""

import ipaddress
import re
from dataclasses import fields
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from tokencli.errors import ConfigError
from tokencli.provider_schema import Endpoints

if TYPE_CHECKING:
    from tokencli.models import Profile

_DNS_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST_NAME = rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*\.?"
_IPV6_LITERAL = r"\[[0-9A-Fa-f:.]+\]"
_URI_CHARACTERS = r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
"""The characters of a URI (RFC 3986 section 2)."""
_NON_PRINTABLE_ASCII = r"[^\x21-\x7e]"
_DEFAULT_PORTS = {"https": 443, "http": 80}
_KEYS_WITH_OTHER_NAMES = {"issuer": "issuer", "pushed_authorization_request": "par_url"}
KEY_BY_ENDPOINT: dict[str, str] = {
    field.name: _KEYS_WITH_OTHER_NAMES.get(field.name, f"{field.name}_url")
    for field in fields(Endpoints)
}
"""Logical name of an endpoint, or of the issuer -> the key of a profile that sets it."""
METADATA_SERVICE_HOSTS = frozenset(("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254",
                      "fd00:ec2::23", "fd20:ce::254"))  # fmt: skip
"""Addresses of cloud metadata services, which run on the machine's host and support only http."""


def check_host_port(value: str, port: int | None = None) -> str:
    """Return `host` or `host:port`, with `port` added if it has none.

    Raises:
        ConfigError: it is something else, e.g. a whole URL. The fix says what to write.
    """
    if "://" in value or "/" in value:
        host_port = _extract_host_port(value)
        raise ConfigError(
            "a host is only a name and a port, not a URL",
            fix=f'write "{host_port}"' if host_port else None,
        )
    name, number = _split_host_port(value)
    if not _is_host_name(name) or (number is not None and not _is_port_number(number)):
        raise ConfigError(
            "this is not a host name with an optional port from 1 to 65535",
            fix='write it as "server.example.com:4443", in ASCII (xn--… for international names)',
        )
    if number is None and port is not None:
        return f"{name}:{port}"
    return value


def check_endpoint_url(url: str, *, query: bool = True) -> str:
    """Check an endpoint URL (RFC 6749 section 3.2) and return it.

    It must be https, or http to a loopback literal or to a cloud metadata service. It must have a
    host, no user name, no password and no fragment, and with `query=False` no query. The message never
    quotes the URL.

    Raises:
        ConfigError: the URL is not allowed. The fix says what to write.
    """
    parts = _try_urlsplit(url)
    if parts is not None and re.search(r"[^\W\x00-\x7f]", parts.netloc):
        raise ConfigError(
            "the host name of the URL contains a non-ASCII letter",
            fix="write the host name in ASCII (xn--… for international names)",
        )
    if re.search(_NON_PRINTABLE_ASCII, url) or "\\" in url:
        raise ConfigError(
            "the URL contains a space, a backslash, a control character or a non-ASCII letter",
            fix="remove or percent-encode it",
        )
    if parts is None or parts.scheme not in {"https", "http"} or not parts.netloc:
        raise ConfigError(
            "this is not an https URL", fix='write the whole URL: "https://server.example.com/…"'
        )
    if "@" in parts.netloc:
        raise ConfigError(
            "the URL contains a user name or password",
            fix="remove everything between https:// and @, and use client_id, username and"
            " tokencli login instead",
        )
    check_host_port(parts.netloc)
    if parts.scheme == "http" and not _allows_plain_http(url):
        is_name = parts.hostname == "localhost"
        raise ConfigError(
            "http would send credentials unencrypted",
            fix="write 127.0.0.1 instead of localhost"
            if is_name
            else "write https:// instead of http://",
        )
    if "#" in url:
        raise ConfigError(
            "the URL has a fragment, which RFC 6749 section 3.2 does not allow",
            fix="remove the # and everything after it",
        )
    if "?" in url and not query:
        raise ConfigError(
            "the URL has a query, but a path is appended to this URL",
            fix="remove the ? and everything after it, or set the whole URL as token_url",
        )
    return url


def check_browser_url(url: str) -> str:
    """Check the URL of a page to open in a browser, and return it.

    The rules are those of an endpoint URL, but a fragment is allowed and http only for a loopback
    literal. So nothing is opened that a browser would read as an option or a placeholder.

    Raises:
        ConfigError: the URL is not allowed.
    """
    check_endpoint_url(url.partition("#")[0])
    if is_plain_http(url) and not is_loopback_url(url):
        raise ConfigError("http would be sent unencrypted", fix="write https:// instead of http://")
    if (
        not re.fullmatch(_URI_CHARACTERS, url) or "%action" in url
    ):  # CVE-2026-4519: webbrowser replaces that
        raise ConfigError(
            "the URL contains a character that URLs can't contain",
            fix="report it to the server's administrators",
        )
    return url


def is_loopback_url(url: str) -> bool:
    """Tell whether the URL's host is a loopback address written as a literal."""
    parts = _try_urlsplit(url)
    try:
        return parts is not None and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _allows_plain_http(url: str) -> bool:
    """Tell whether the host is the literal address of this machine or of a metadata service."""
    parts = _try_urlsplit(url)
    return is_loopback_url(url) or (parts is not None and parts.hostname in METADATA_SERVICE_HOSTS)


def is_plain_http(url: str) -> bool:
    """Tell whether the URL is http, so that requests are not encrypted."""
    parts = _try_urlsplit(url)
    return parts is not None and parts.scheme == "http"


def _try_urlsplit(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _extract_host_port(text: str) -> str | None:
    """Return the host and port of a pasted URL, or None."""
    candidate = text.partition("://")[2] or text
    candidate = re.split(r"[/?#]", candidate, maxsplit=1)[0].rpartition("@")[2]
    name, number = _split_host_port(candidate)
    fits = _is_host_name(name) and (number is None or _is_port_number(number))
    return candidate if fits else None


def _split_host_port(value: str) -> tuple[str, str | None]:
    """Split `host:port`. The port is None if no colon follows the host."""
    if value.startswith("["):
        name, bracket, port = value.partition("]")
        return name + bracket, None if not port else port.removeprefix(":") or ""
    name, colon, number = value.partition(":")
    return name, number if colon else None


def _is_host_name(name: str) -> bool:
    if re.fullmatch(_IPV6_LITERAL, name):
        try:
            ipaddress.IPv6Address(name[1:-1])
        except ValueError:
            return False
        return True
    return len(name) <= 253 and re.fullmatch(_HOST_NAME, name) is not None


def _is_port_number(number: str) -> bool:
    return number.isascii() and number.isdigit() and len(number) <= 5 and 0 < int(number) < 65536


def get_url_origin(url: str) -> str:
    """Return the scheme, host and port of `url` in one form: `https://id.example.com:443`.

    Raises:
        ConfigError: the URL has no host, or its port is invalid.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise ConfigError(f"{url[:200]!r} is not the URL of a token endpoint")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def is_other_origin(username: str, server: str) -> bool:
    """Tell whether the user name of a keyring entry is an origin other than `server`."""
    return username.startswith(("https://", "http://")) and username != server


def _get_host_port(url: str) -> str:
    """Return host and port of a URL."""
    return get_url_origin(url).partition("://")[2]


def check_server_is_known(url: str, profile: "Profile") -> None:
    """Check that the URL of a provider's own request is on a server that the profile itself names.

    That is the token endpoint's server, or one in a URL or host that the profile, not the provider,
    sets.

    Raises:
        ConfigError: it is on another server, to which no secret is sent.
    """
    if not _is_server_named(url, profile):
        for name, server in _list_field_servers(profile).items():
            if name not in profile.own_keys and _get_host_port(server) == _get_host_port(url):
                raise _unset_key_error(url, profile, name, profile.values[name])
        raise _unnamed_server_error(
            url,
            profile,
            cause="in the provider's file, make that server a field of kind url, which the profile sets",
        )


def check_endpoint_is_named(profile: "Profile", name: str) -> None:
    """Check an endpoint, or the `issuer`, that a user-defined provider supplies, in the same way.

    Raises:
        ConfigError: it is on another server, and the profile doesn't set the endpoint itself.
    """
    url = profile.issuer if name == "issuer" else profile.endpoints.get(name)
    key = KEY_BY_ENDPOINT[name]
    is_configured = key in profile.value_sources  # otherwise it is from the issuer's metadata
    if url and is_configured and not _is_server_named(url, profile):
        raise _unset_key_error(url, profile, key, url)


def check_api_is_named(profile: "Profile") -> None:
    """Check the `api_url` that a user-defined provider supplies, in the same way."""
    url = profile.api_url
    if url and "api_url" not in profile.own_keys and not _is_server_named(url, profile):
        raise _unset_key_error(url, profile, "api_url", url)


def _is_server_named(url: str, profile: "Profile") -> bool:
    """Tell whether a URL is on the token endpoint's server, or on one that the profile sets."""
    endpoints = {**profile.endpoints, "issuer": profile.issuer or ""}
    named = {KEY_BY_ENDPOINT[name]: endpoint for name, endpoint in endpoints.items()}
    named |= _list_field_servers(profile)
    servers = [profile.token_url, *(named[key] for key in profile.own_keys & named.keys())]
    scheme = urlsplit(profile.token_url).scheme
    if urlsplit(url).scheme in {"https", scheme} and (
        _get_host_port(url) in map(_get_host_port, filter(None, servers))
    ):
        return True
    from tokencli.providers.catalog import BUILTIN_NAMES  # start-up cost

    return profile.provider.name in BUILTIN_NAMES


def _list_field_servers(profile: "Profile") -> dict[str, str]:
    """Return the URLs of the servers in fields of kind url or host, by field."""
    return {
        name: value if "://" in value else f"https://{value}"
        for name, field in profile.provider.fields.items()
        if field.kind in ("url", "host") and (value := profile.values.get(name))
    }


def _unset_key_error(url: str, profile: "Profile", key: str, value: str) -> ConfigError:
    """Return the error for a server that the provider names as the default of a key."""
    from tokencli.shell_words import quote

    return _unnamed_server_error(
        url,
        profile,
        cause=f"if that server may receive these requests, set {key} in the profile",
        fix=f"tokencli profiles edit {profile.name} --set {quote(f'{key}={value}')}",
    )


def _unnamed_server_error(
    url: str, profile: "Profile", *, cause: str, fix: str | None = None
) -> ConfigError:
    return ConfigError(
        f"nothing was sent: provider {profile.provider.name!r} would send requests of profile"
        f" {profile.name!r} to {_get_host_port(url)[:200]}, a server that the profile does not name",
        cause=cause,
        fix=fix,
    )


class EndpointUnknownError(ConfigError):
    """Neither the profile nor the issuer's metadata names an endpoint."""

    endpoint = ""
    """Its logical name."""


def endpoint_unknown_error(profile: "Profile", endpoint: str) -> EndpointUnknownError:
    """Return the error for an endpoint that neither the profile nor its issuer names."""
    error = EndpointUnknownError(
        f"profile {profile.name!r} has no {endpoint.replace('_', ' ')} endpoint",
        cause="neither the profile nor its issuer's metadata names one",
        fix=f"tokencli profiles edit {profile.name} --set {KEY_BY_ENDPOINT[endpoint]}=https://login.example.com/{endpoint}",
    )
    error.endpoint = endpoint
    return error

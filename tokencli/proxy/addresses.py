"""Which requests the proxy accepts, and how its URLs and those of the API are translated."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from tokencli.models import Secret

SECRET_HEADER = "X-Tokencli-Secret"
_URI_CHARACTERS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}#')
"""The characters that a request target may contain; others are percent-encoded."""
_MAX_ENCODINGS = 5
"""How often a path may be percent-encoded."""
_IIS_ENCODED = re.compile(r"%u00(?=[0-9a-fA-F]{2})")
"""The beginning of an ASCII character that Microsoft's servers decode besides those of RFC 3986."""
_SAME_SITE = frozenset(("same-origin", "none"))


class RefusedRequestError(Exception):
    """A request that the proxy doesn't forward: the status of its reply, and what it says."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True, slots=True)
class Api:
    """The part of a server that the proxy forwards to."""

    origin: str
    """For example `https://api.example.com:8443`."""
    prefix: str = ""
    """Path that all forwarded paths begin with, without a slash at its end."""

    @classmethod
    def of_url(cls, url: str) -> "Api":
        """Return the API at an absolute URL without query, which was checked before."""
        parts = urlsplit(url)
        return cls(f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"))

    def find_path(self, url: str) -> str | None:
        """Return what follows the prefix in an absolute URL; None if the URL isn't of this API."""
        own, other = urlsplit(self.origin), urlsplit(url)
        try:
            if _origin_key(own.scheme, own.netloc) != _origin_key(other.scheme, other.netloc):
                return None
        except ValueError:
            return None
        rest = url[len(other.scheme) + 3 + len(other.netloc) :]
        if not rest.startswith(("/", "?", "#")):
            rest = f"/{rest}"
        if not rest.startswith(self.prefix):
            return None
        rest = rest[len(self.prefix) :]
        return rest if not self.prefix or rest[:1] in ("", "/", "?", "#") else None


@dataclass(frozen=True, slots=True)
class Route:
    """Where an accepted request goes."""

    url: str
    """URL at the API, without what carries the token."""
    log_path: str
    """The path for the log, without the secret."""
    base: str
    """What stands before the API's paths in URLs for this client: `http://127.0.0.1:8080/SECRET`."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides whether a request is forwarded, and to which URL."""

    api: Api
    secret: Secret | None
    """None if requests need no secret."""
    authorities: frozenset[str] = frozenset()
    """The values of Host that are the proxy's own, in lower case; empty on a Unix socket."""

    def admit(self, method: str, target: str, headers: Mapping[str, str]) -> Route:
        """Return where a request goes.

        Raises:
            RefusedRequestError: it is not for this proxy, lacks the secret, or leads outside the API.
        """
        host = headers.get("Host", "")
        self._check_sender(host, headers)
        if method in ("CONNECT", "TRACE"):  # a TRACE's reply would contain the token
            raise RefusedRequestError(405, f"the proxy doesn't forward {method}")
        path, mark, query = self._strip_authority(target).partition("?")
        query = query.partition("#")[0]  # what carries the token is appended
        base, path = self._check_secret(path, headers.get(SECRET_HEADER))
        check_path(path)
        encoded = quote(path, safe=_URI_CHARACTERS, errors="surrogateescape")
        rest = mark + quote(query, safe=_URI_CHARACTERS, errors="surrogateescape")
        url = f"{self.api.origin}{self.api.prefix}{encoded}"
        if not self.api.prefix and not encoded:
            url += "/"
        return Route(f"{url}{rest}", encoded or "/", f"http://{host or 'localhost'}{base}")

    def _check_sender(self, host: str, headers: Mapping[str, str]) -> None:
        """Refuse requests of other sites' pages, also by a host name that resolves to this address."""
        if not self.authorities:  # no web page reaches a Unix socket
            return
        if host.lower() not in self.authorities:
            raise RefusedRequestError(421, "the Host header doesn't name this proxy")
        origin = headers.get("Origin")
        if origin is not None and origin.lower().removeprefix("http://") not in self.authorities:
            raise RefusedRequestError(403, "the Origin header names another site")
        if headers.get("Sec-Fetch-Site", "none").lower() not in _SAME_SITE:
            raise RefusedRequestError(403, "the request comes from a page of another site")

    def _strip_authority(self, target: str) -> str:
        """Return a request target in origin-form; the absolute form must name this proxy."""
        if target[:7].lower() == "http://":
            authority, slash, rest = target[7:].partition("/")
            if authority.lower() in self.authorities:
                return slash + rest or "/"
        if not target.startswith("/"):
            raise RefusedRequestError(400, "the request target must be a path of this proxy")
        return target

    def _check_secret(self, path: str, header: str | None) -> tuple[str, str]:
        """Return the path segment that is the secret, if there is one, and the rest of the path."""
        if self.secret is None:
            return "", path
        secret = self.secret.reveal()
        segment, slash, rest = path[1:].partition("/")
        if _is_same(segment, secret):
            return f"/{segment}", slash + rest
        if header is not None and _is_same(header, secret):
            return "", path
        raise RefusedRequestError(
            403,
            "the proxy's secret is missing or wrong: use the base URL that it printed, or send the"
            f" header {SECRET_HEADER}",
        )


def check_path(path: str) -> None:
    """Raise RefusedRequestError if a server might read the path as one outside the API's prefix."""
    decoded = path
    for _ in range(_MAX_ENCODINGS):
        further = unquote(_IIS_ENCODED.sub("%", decoded), errors="surrogateescape")
        if further == decoded:
            break
        decoded = further
    else:
        raise RefusedRequestError(400, "the path is percent-encoded too often")
    if re.search(r"[\x00-\x1f\x7f\\#]", path):
        raise RefusedRequestError(400, "the path contains a character that a URL can't contain")
    # Some servers take a backslash for a slash, and end a segment at these other characters.
    segments = re.split(r"[/\\]", decoded)
    if any(re.split(r"[;?#\0]", segment)[0].strip() == ".." for segment in segments):
        raise RefusedRequestError(400, "the path contains '..'")


def rewrite_location(location: str, url: str, route: Route, api: Api) -> str:
    """Return a Location that leads to the API through the proxy, if it is a URL of the API.

    `url` is that of the request. Others are made absolute, and lead past the proxy.
    """
    try:
        absolute = urljoin(url, location)
        path = api.find_path(absolute)
    except ValueError:
        return location
    return absolute if path is None else f"{route.base}{path}"


def rewrite_cookie(cookie: str, route: Route, api: Api) -> str:
    """Return a Set-Cookie of the API as one that the proxy's client accepts and sends back (RFC 6265).

    A Path in the API becomes the proxy's. Domain and Secure are left out, because the proxy is
    another host and uses http.
    """
    pair, *attributes = cookie.split(";")
    host = urlsplit(api.origin).hostname or ""
    is_prefixed = pair.startswith("__")  # __Host- and __Secure- require their attributes
    kept = [pair]
    for attribute in attributes:
        name, _, value = (part.strip() for part in attribute.partition("="))
        match name.lower(), value.lower():
            case "domain", domain if f".{host}".endswith(f".{domain.removeprefix('.')}"):
                pass
            case _ if is_prefixed:
                kept.append(attribute)
            case "path", _:
                kept.append(f" Path={_find_cookie_path(value, route, api)}")
            case ("secure", _) | ("samesite", "none"):  # SameSite=None requires Secure
                pass
            case _:
                kept.append(attribute)
    return ";".join(kept)


def _find_cookie_path(path: str, route: Route, api: Api) -> str:
    """Return where a client of the proxy finds a path of the API's server; a path elsewhere as it is."""
    base = urlsplit(route.base).path
    if f"{api.prefix}/".startswith(f"{path.rstrip('/')}/"):
        return base or "/"
    return base + path[len(api.prefix) :] if path.startswith(f"{api.prefix}/") else path


def rewrite_reference(value: str, route: Route, api: Api) -> str:
    """Return a URL of the proxy in a request's header (Referer, Origin, Destination) as the API's."""
    own_origin = "/".join(route.base.split("/", 3)[:3])
    if value == own_origin:
        return api.origin
    if value == route.base or value.startswith(f"{route.base}/"):
        return f"{api.origin}{api.prefix}{value[len(route.base) :]}"
    return value


def _is_same(given: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _origin_key(scheme: str, netloc: str) -> tuple[str, str, str]:
    """Return what is the same for equal origins, however they are spelled."""
    host, colon, port = netloc.lower().rpartition(":")
    if not colon or not port.isdigit():
        host, port = netloc.lower().rstrip(":"), ""
    return scheme.lower(), host, port or {"https": "443", "http": "80"}.get(scheme.lower(), "")

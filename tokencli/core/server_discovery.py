"""What a new profile needs to know about its server: the issuer behind a URL, and the CA to trust."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tokencli.errors import ReplyError
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.oauth.issuer_search import AuthorizationServer, IssuerSearch, NoMetadataError
from tokencli.protocols import Context
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import load_builtin
from tokencli.providers.endpoint_urls import get_url_origin
from tokencli.providers.url_matching import recognize_endpoints, recognize_url

SEARCH_TIMEOUT_S = 30.0
"""Seconds that a search may take as a whole; it sends up to twenty requests."""
PROBE_TIMEOUT_S = 10.0
_NO_RESOURCE = ("entra",)
"""Providers that refuse the `resource` parameter (RFC 8707)."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """A provider, and the keys of a profile that a URL stands for."""

    provider: Provider
    keys: dict[str, str]
    description: str
    """What the URL is, for a message."""
    server: AuthorizationServer | None = None
    """What the issuer's metadata says; None if none was fetched."""


def discover_server(
    url: str,
    ctx: Context,
    connection: Connection,
    *,
    may_contact: Callable[[str], bool],
    provider: Provider | None = None,
) -> ServerSettings:
    """Return what an issuer's, a token endpoint's or an API's URL stands for.

    A built-in provider is used if it is certain, or else `oauth2` with the issuer. If there is a
    `provider` already, it is kept. No other host than the URL's is contacted unless
    `may_contact(origin)` allows it.

    Raises:
        ConfigError: the URL can't be used. UnreachableError, TlsError: its server can't be reached.
        NoMetadataError: the server doesn't say where its issuer is.
    """
    recognized = recognize_url(url)
    if recognized is not None and provider in (None, recognized[0]):
        return ServerSettings(*recognized, f"this is {recognized[0].title}")
    deadline = ctx.clock.monotonic() + min(SEARCH_TIMEOUT_S, connection.timeout)

    def send(request: HttpRequest) -> HttpReply:
        remaining = max(deadline - ctx.clock.monotonic(), 0.1)
        return ctx.transport.send(request, replace(connection, timeout=remaining))

    try:
        server = IssuerSearch(send, may_contact).find(url)
    except NoMetadataError:
        if not is_token_url(url):
            raise
        keys = {"token_url": url}
        return ServerSettings(
            provider or load_builtin("oauth2"), keys, f"{url} is used as the token endpoint"
        )
    if server.endpoints:
        found = recognize_endpoints({"issuer": server.issuer, **server.endpoints})
    else:
        found = recognize_url(server.issuer)
    if found is not None and provider in (None, found[0]):
        resolved, keys = found
        description = f"the issuer is {server.issuer}, which is {resolved.title}"
    else:
        resolved, keys = provider or load_builtin("oauth2"), {"issuer": server.issuer}
        description = f"the issuer is {server.issuer}"
        if not server.endpoints:
            description += "; its endpoints are looked up at the first login"
    if server.resource is not None and resolved.name not in _NO_RESOURCE:
        keys = {**keys, "resource": server.resource}
    return ServerSettings(resolved, keys, description, server)


def complete_url(text: str) -> str:
    """Return the text as a URL without its fragment, e.g. of a page; without a scheme it is https."""
    url = text.strip().partition("#")[0]
    return url if "://" in url else f"https://{url}"


def is_token_url(url: str) -> bool:
    """Tell whether the path of a URL ends like that of a token endpoint."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[2].lower() in ("token", "access_token")


def choose_client_auth(provider: Provider, server: AuthorizationServer | None) -> str | None:
    """Return the method for a client secret that the server supports, if it isn't the default."""
    announced = server.auth_methods if server is not None else ()
    supported = [method for method in provider.client_auth if method in announced]
    default = provider.client_auth[0]
    with_secret = [method for method in supported if method.startswith("client_secret_")]
    return with_secret[0] if with_secret and default not in supported else None


def probe_server(url: str, ctx: Context, connection: Connection) -> None:
    """Connect to the server of a URL and verify its certificate; its reply doesn't matter.

    Raises:
        UnreachableError, TlsError: it can't be reached, or its certificate isn't trusted.
        ConfigError: the CA file can't be used.
    """
    connection = replace(connection, timeout=min(connection.timeout, PROBE_TIMEOUT_S))
    origin = get_url_origin(url)
    request = HttpRequest("GET", f"{origin}/", {"Accept": "*/*"}, is_retry_safe=True)
    try:
        ctx.transport.send(request, connection)
    except ReplyError:  # e.g. a redirect
        return

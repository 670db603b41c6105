"""Find the authorization server that a URL belongs to: an issuer, an endpoint, or an API.

Nothing is sent but GET requests without credentials, and nothing to another host than the URL's unless
`may_contact` allows it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from tokencli.errors import ConfigError, ReplyError, TlsError, UnreachableError
from tokencli.models import HttpReply, HttpRequest
from tokencli.oauth.discovery import MAX_QUOTED_CHARS, metadata_urls, read_endpoints
from tokencli.oauth.www_authenticate import parse_challenges
from tokencli.providers import response_body
from tokencli.providers.endpoint_urls import check_endpoint_url, get_url_origin
from tokencli.providers.template import fill_url
from tokencli.providers.url_matching import recognize_url

MAX_PATH_SEGMENTS = 6
"""Segments of a URL's path up to which each beginning of it may be an issuer's path."""
MAX_HOPS = 3
"""How many documents may refer to another issuer, one after the other."""

_METADATA_SUFFIXES = ("openid-configuration", "oauth-authorization-server")
_RESOURCE_SUFFIX = "oauth-protected-resource"
_ENDPOINT_SEGMENTS = ("token", "authorize", "auth", "userinfo", "jwks")
"""Last segments of endpoints, of which an issuer's path is the beginning."""


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """An issuer, and what its metadata says (RFC 8414 section 2)."""

    issuer: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> URL; empty if the issuer is another server, which was not asked."""
    grant_types: tuple[str, ...] = ()
    """`grant_types_supported`; empty if the metadata doesn't say."""
    auth_methods: tuple[str, ...] = ()
    """`token_endpoint_auth_methods_supported`; empty if the metadata doesn't say."""
    resource: str | None = None
    """The API that named the issuer, by its own metadata (RFC 9728 section 2)."""


class NoMetadataError(ReplyError):
    """No metadata was found, although the server responded."""


@dataclass(slots=True)
class IssuerSearch:
    """One search. `may_contact(origin)` decides on every server that the URL doesn't name."""

    send: Callable[[HttpRequest], HttpReply]
    may_contact: Callable[[str], bool]
    failures: list[str] = field(default_factory=list)
    """What was tried in vain."""

    def find(self, url: str) -> AuthorizationServer:
        """Return the authorization server of an issuer's, an endpoint's or an API's URL.

        Raises:
            ConfigError: the URL can't be used. UnreachableError, TlsError: the server can't be reached.
            NoMetadataError: neither the URL nor its server says where the issuer is.
        """
        url = check_endpoint_url(url).partition("?")[0]
        parts = urlsplit(url)
        origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        kind, path = _strip_well_known(path)
        if kind == _RESOURCE_SUFFIX:
            api = iter((self._follow_resource(url, f"{origin}{path}"),))
        else:
            api = self._look_up_api(url, origin, path)
        own = iter((self._fetch_issuer(f"{origin}{path}"),))
        parents = (self._fetch_issuer(f"{origin}{parent}") for parent in _parent_paths(path))
        is_endpoint = path.rpartition("/")[2] in _ENDPOINT_SEGMENTS
        for found in chain(own, parents, api) if is_endpoint else chain(own, api, parents):
            if found is not None:
                return found
        tried = "; ".join(self.failures[:3])
        raise NoMetadataError(
            f"found no OAuth or OpenID Connect metadata at {parts.netloc[:MAX_QUOTED_CHARS]}",
            cause=f"{len(self.failures)} URLs were tried, e.g. {tried}" if tried else None,
        )

    def _look_up_api(
        self, url: str, origin: str, path: str
    ) -> Iterator[AuthorizationServer | None]:
        """Ask the API itself, then look for its metadata where RFC 9728 section 3.1 puts it."""
        yield self._follow_challenge(url)
        for base in dict.fromkeys((path, "")):
            document = f"{origin}/.well-known/{_RESOURCE_SUFFIX}{base}"
            yield self._follow_resource(document, f"{origin}{path}")

    def _fetch_issuer(self, base: str, hops: int = MAX_HOPS) -> AuthorizationServer | None:
        """Return the issuer whose metadata is at one of the well-known URLs of `base`.

        The metadata counts only if its own issuer has it at the same URL (RFC 8414 section 3.3); then
        it differs from `base` at most by a slash. If it names another issuer, that one is asked.
        """
        for url in metadata_urls(base):
            members = self._get_object(url)
            issuer = members.get("issuer") if members else None
            if members is None or not isinstance(issuer, str):
                continue
            try:
                check_endpoint_url(issuer, query=False)
            except ConfigError as error:
                self.failures.append(f"{url}: the issuer is not usable ({error.message})")
                continue
            if url in metadata_urls(issuer):
                endpoints, unfit = read_endpoints(members, issuer)
                if "token" in endpoints:
                    return AuthorizationServer(
                        issuer,
                        endpoints,
                        _texts(members.get("grant_types_supported")),
                        _texts(members.get("token_endpoint_auth_methods_supported")),
                    )
                self.failures.append(f"{url}: {unfit.get('token', 'no token_endpoint')}")
            elif hops > 0 and (found := self._contact_issuer(issuer, base, hops - 1)):
                return found
        return None

    def _contact_issuer(self, issuer: str, named_by: str, hops: int) -> AuthorizationServer | None:
        """Return the issuer that a document names; without its endpoints if it can't be asked.

        Raises:
            TlsError: its certificate isn't trusted.
        """
        origin = get_url_origin(issuer)
        if origin == get_url_origin(named_by):
            return self._fetch_issuer(issuer, hops)
        try:
            may_contact = self.may_contact(origin)
            return self._fetch_issuer(issuer, hops) if may_contact else AuthorizationServer(issuer)
        except TlsError:
            raise
        except UnreachableError as error:
            self.failures.append(f"{issuer}: {error.message}")
            return AuthorizationServer(issuer)

    def _follow_challenge(self, url: str) -> AuthorizationServer | None:
        """Ask the API itself, whose refusal may name its metadata (RFC 9728 section 5.1).

        Microsoft's APIs name an authorization endpoint or a tenant instead, as `authorization_uri` or
        `authorization`.
        """
        reply = self._get(url)
        header = reply.headers.get("www-authenticate", "") if reply is not None else ""
        for challenge in parse_challenges(header):
            document = challenge.params.get("resource_metadata", "")
            if document and self._may_fetch(document, url):
                return self._follow_resource(document, url)
            for name in ("authorization_uri", "authorization"):
                if found := self._follow_endpoint(challenge.params.get(name, ""), url):
                    return found
        return None

    def _follow_endpoint(self, endpoint: str, named_by: str) -> AuthorizationServer | None:
        """Return the issuer to which an endpoint that an API names belongs."""
        if recognized := recognize_url(endpoint):
            provider, values = recognized
            if issuer := fill_url(provider.endpoints.issuer or "{issuer}", values):
                return AuthorizationServer(issuer)
        if not endpoint or not self._may_fetch(endpoint, named_by):
            return None
        parts = urlsplit(endpoint)
        path = parts.path.rstrip("/")
        found = (
            self._fetch_issuer(f"{parts.scheme}://{parts.netloc}{base}")
            for base in (path, *_parent_paths(path))
        )
        return next(filter(None, found), None)

    def _follow_resource(self, document: str, url: str) -> AuthorizationServer | None:
        """Return the issuer in an API's metadata, which must be about that API (RFC 9728 section 3.3)."""
        members = self._get_object(document)
        if members is None:
            return None
        resource = members.get("resource")
        if not isinstance(resource, str) or not _is_part_of(url, resource):
            self.failures.append(f"{document}: it is about another resource")
            return None
        for issuer in _texts(members.get("authorization_servers")):
            try:
                check_endpoint_url(issuer, query=False)
            except ConfigError as error:
                self.failures.append(f"{document}: {error.message}")
                continue
            if found := self._contact_issuer(issuer, url, MAX_HOPS - 1):
                return replace(found, resource=resource)
        return None

    def _may_fetch(self, document: str, named_by: str) -> bool:
        try:
            origin = get_url_origin(check_endpoint_url(document))
        except ConfigError as error:
            self.failures.append(f"{named_by}: it names an unusable URL ({error.message})")
            return False
        return origin == get_url_origin(named_by) or self.may_contact(origin)

    def _get_object(self, url: str) -> Mapping[str, Any] | None:
        reply = self._get(url)
        if reply is None:
            return None
        if reply.status != 200:
            self.failures.append(f"{url}: HTTP {reply.status}")
            return None
        try:
            return response_body.parse_object(reply)
        except (response_body.UnreadableBodyError, ReplyError) as error:
            self.failures.append(f"{url}: {error}")
            return None

    def _get(self, url: str) -> HttpReply | None:
        """Send a GET request; None if the reply is a redirect, which is not followed, or unreadable."""
        try:
            return self.send(
                HttpRequest("GET", url, {"Accept": "application/json"}, is_retry_safe=True)
            )
        except UnreachableError:
            raise
        except ReplyError as error:
            self.failures.append(f"{url}: {error.message}")
            return None


def _strip_well_known(path: str) -> tuple[str, str]:
    """Return which metadata the path is that of, if any, and the path without that part."""
    for suffix in (*_METADATA_SUFFIXES, _RESOURCE_SUFFIX):
        before, found, after = path.partition(f"/.well-known/{suffix}")
        if found:
            return suffix, before + after
    return "", path


def _parent_paths(path: str) -> Iterator[str]:
    """Yield the beginnings of a path, the longest first, down to the empty one."""
    segments = path.split("/")[1:]
    for count in range(min(len(segments), MAX_PATH_SEGMENTS) - 1, -1, -1):
        yield "".join(f"/{segment}" for segment in segments[:count])


def _is_same_origin(url: str, other: str) -> bool:
    try:
        return get_url_origin(check_endpoint_url(url)) == get_url_origin(other)
    except ConfigError:
        return False


def _is_part_of(url: str, resource: str) -> bool:
    """Tell whether the URL is the resource or below it."""
    if not _is_same_origin(resource, url):
        return False
    path, base = urlsplit(url).path.rstrip("/"), urlsplit(resource).path.rstrip("/")
    return path == base or path.startswith(f"{base}/")


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()

"""An issuer is found from its own URL, from an endpoint's, and from an API's that names it."""

import json
from collections.abc import Callable

import pytest

from tokencli.errors import ConfigError, ReplyError, TlsError, UnreachableError
from tokencli.models import HttpReply, HttpRequest
from tokencli.oauth.issuer_search import AuthorizationServer, IssuerSearch, NoMetadataError

HOST = "https://id.example.com"
API = "https://api.example.com"
NOT_FOUND = HttpReply(404, {}, b"")


def document(**members: object) -> HttpReply:
    """Return a JSON document."""
    return HttpReply(200, {"content-type": "application/json"}, json.dumps(members).encode())


def metadata(issuer: str, **more: object) -> HttpReply:
    """Return an issuer's metadata."""
    return document(**{"issuer": issuer, "token_endpoint": f"{issuer.rstrip('/')}/t", **more})


class Servers:
    """Servers that answer by URL, and a record of what they were asked."""

    def __init__(self, replies: dict[str, HttpReply | Exception]) -> None:
        self.replies = replies
        self.asked: list[str] = []

    def send(self, request: HttpRequest) -> HttpReply:
        """Answer a request, which has no credentials."""
        assert (request.method, request.body, set(request.headers)) == ("GET", b"", {"Accept"})
        self.asked.append(request.url)
        reply = self.replies.get(request.url, NOT_FOUND)
        if isinstance(reply, Exception):
            raise reply
        return reply


def search(
    url: str,
    replies: dict[str, HttpReply | Exception],
    may_contact: Callable[[str], bool] = lambda origin: False,
) -> tuple[AuthorizationServer, Servers]:
    """Search from a URL; no other host may be contacted unless the test allows it."""
    servers = Servers(replies)
    return IssuerSearch(servers.send, may_contact).find(url), servers


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/realms/acme",
        f"{HOST}/realms/acme/",
        f"{HOST}/realms/acme/protocol/openid-connect/token?tenant=canary",
        f"{HOST}/realms/acme/.well-known/openid-configuration",
        f"{HOST}/realms/acme/account",
    ],
)
def test_issuer_from_any_of_its_urls(url: str) -> None:
    """Its own URL, that of an endpoint, of a page below it, or of its metadata."""
    issuer = f"{HOST}/realms/acme"
    found, servers = search(url, {f"{issuer}/.well-known/openid-configuration": metadata(issuer)})
    assert (found.issuer, found.endpoints) == (issuer, {"token": f"{issuer}/t"})
    assert not [each for each in servers.asked if "canary" in each]


def test_rfc8414_metadata_and_what_it_supports() -> None:
    """The well-known URL of RFC 8414 works as well, from its own URL too."""
    place = f"{HOST}/.well-known/oauth-authorization-server/t1"
    reply = metadata(
        f"{HOST}/t1",
        grant_types_supported=["password"],
        token_endpoint_auth_methods_supported=["client_secret_post", 7],
    )
    for url in (f"{HOST}/t1", place):
        found, _ = search(url, {place: reply})
        assert (found.issuer, found.grant_types) == (f"{HOST}/t1", ("password",))
        assert found.auth_methods == ("client_secret_post",)


def test_issuer_with_a_slash() -> None:
    """The issuer is taken as the metadata spells it, since tokens name it so."""
    found, _ = search(HOST, {f"{HOST}/.well-known/openid-configuration": metadata(f"{HOST}/")})
    assert found.issuer == f"{HOST}/"


def test_metadata_of_another_issuer_is_not_used() -> None:
    """RFC 8414 section 3.3: the issuer named must have it itself, and is asked only if it may be."""
    elsewhere = "https://other.example.com"
    replies: dict[str, HttpReply | Exception] = {
        f"{HOST}/.well-known/openid-configuration": metadata(elsewhere),
        f"{elsewhere}/.well-known/openid-configuration": metadata(elsewhere),
    }
    found, servers = search(HOST, replies)
    assert (found.issuer, dict(found.endpoints)) == (elsewhere, {})
    assert all(url.startswith(HOST) for url in servers.asked)
    found, _ = search(HOST, replies, lambda origin: origin == f"{elsewhere}:443")
    assert found.endpoints == {"token": f"{elsewhere}/t"}


def test_documents_that_refer_to_each_other_end() -> None:
    """Two issuers that each name the other one are not followed for ever."""
    other = f"{HOST}/b"
    with pytest.raises(NoMetadataError):
        search(
            f"{HOST}/a",
            {
                f"{HOST}/a/.well-known/openid-configuration": metadata(other),
                f"{HOST}/b/.well-known/openid-configuration": metadata(f"{HOST}/a"),
            },
        )


def protected(resource: str = f"{API}/v1", **more: object) -> HttpReply:
    """Return an API's metadata."""
    return document(**{"resource": resource, "authorization_servers": [HOST], **more})


@pytest.mark.parametrize(
    ("challenge", "place"),
    [
        ('Bearer resource_metadata="https://api.example.com/meta"', f"{API}/meta"),
        ('Basic realm="x", Bearer error="invalid_token", resource_metadata="https://api.example.com/meta"', f"{API}/meta"),
        ("", f"{API}/.well-known/oauth-protected-resource/v1/things"),
        ("", f"{API}/.well-known/oauth-protected-resource"),
    ],
)  # fmt: skip
def test_api_names_its_issuer(challenge: str, place: str) -> None:
    """By its WWW-Authenticate header (RFC 9728 section 5.1), or at a well-known URL (section 3.1)."""
    replies: dict[str, HttpReply | Exception] = {
        f"{API}/v1/things": HttpReply(401, {"www-authenticate": challenge}, b""),
        place: protected(resource=API if place.endswith("resource") else f"{API}/v1"),
        f"{HOST}/.well-known/openid-configuration": metadata(HOST),
    }
    found, servers = search(f"{API}/v1/things", replies)
    assert (found.issuer, dict(found.endpoints)) == (HOST, {})
    assert all(url.startswith(API) for url in servers.asked)
    found, _ = search(f"{API}/v1/things", replies, lambda origin: True)
    assert found.endpoints == {"token": f"{HOST}/t"}
    assert found.resource in (API, f"{API}/v1")


@pytest.mark.parametrize(
    ("challenge", "issuer"),
    [
        ('Bearer authorization_uri="https://login.microsoftonline.com/contoso.com/oauth2/authorize"', "contoso.com"),
        ('Bearer authorization_uri="https://login.windows.net/t-1", error="invalid_token"', "t-1"),
        ('Bearer authorization="https://login.windows.net/t-1", resource="https://vault.azure.net"', "t-1"),
    ],
)  # fmt: skip
def test_api_of_microsoft_names_its_tenant(challenge: str, issuer: str) -> None:
    """Its issuer follows from an authorization endpoint or a tenant, without asking Microsoft."""
    replies: dict[str, HttpReply | Exception] = {
        API: HttpReply(401, {"www-authenticate": challenge}, b"")
    }
    found, servers = search(API, replies)
    assert found.issuer == f"https://login.microsoftonline.com/{issuer}/v2.0"
    assert all(url.startswith(API) for url in servers.asked)


def test_api_names_an_endpoint_of_another_server() -> None:
    """The issuer is looked for from the endpoint upwards, if that server may be asked."""
    challenge = f'Bearer authorization_uri="{HOST}/acme/oauth2/authorize"'
    replies: dict[str, HttpReply | Exception] = {
        API: HttpReply(401, {"www-authenticate": challenge}, b""),
        f"{HOST}/acme/.well-known/openid-configuration": metadata(f"{HOST}/acme"),
    }
    origins: list[str] = []
    found, _ = search(API, replies, lambda origin: not origins.append(origin))
    assert (found.issuer, origins) == (f"{HOST}/acme", [f"{HOST}:443"])
    with pytest.raises(NoMetadataError):
        search(API, replies)


def test_issuer_that_is_down_is_looked_up_later() -> None:
    """The API's own word for its issuer counts, but a certificate that isn't trusted ends the search."""
    replies: dict[str, HttpReply | Exception] = {
        f"{API}/.well-known/oauth-protected-resource/v1": protected(),
        f"{HOST}/.well-known/openid-configuration": UnreachableError("down"),
    }
    found, _ = search(f"{API}/v1", replies, lambda origin: True)
    assert (found.issuer, dict(found.endpoints)) == (HOST, {})
    replies[f"{HOST}/.well-known/openid-configuration"] = TlsError("not trusted")
    with pytest.raises(TlsError):
        search(f"{API}/v1", replies, lambda origin: True)


@pytest.mark.parametrize(
    "wrong",
    [
        protected(resource="https://victim.example.com/v1"),
        protected(resource=f"{API}/v10"),
        protected(resource=["x"]),
        protected(authorization_servers="https://id.example.com"),
        protected(authorization_servers=["http://id.example.com", 7, "https://u:canary@x/"]),
        HttpReply(200, {}, b"<html>"),
        ReplyError("redirects"),
    ],
)
def test_unusable_resource_metadata(wrong: HttpReply | Exception) -> None:
    """Metadata about another resource doesn't count (RFC 9728 section 3.3), nor does a bad issuer."""
    replies = {f"{API}/.well-known/oauth-protected-resource/v1": wrong}
    with pytest.raises(NoMetadataError) as caught:
        search(f"{API}/v1", replies)
    assert "api.example.com" in caught.value.message
    assert "canary" not in f"{caught.value.message} {caught.value.cause}"


def test_unreachable_server_ends_the_search_at_once() -> None:
    """The other URLs are on the same server."""
    servers = Servers({})
    servers.replies = {f"{HOST}/.well-known/openid-configuration": UnreachableError("refused")}
    with pytest.raises(UnreachableError):
        IssuerSearch(servers.send, lambda _: True).find(HOST)
    assert len(servers.asked) == 1


def test_unusable_urls_are_not_asked() -> None:
    """http, a user name or no URL at all: nothing is sent."""
    for url in ("http://id.example.com", "https://u:p@id.example.com", "id.example.com"):
        servers = Servers({})
        with pytest.raises(ConfigError):
            IssuerSearch(servers.send, lambda _: True).find(url)
        assert servers.asked == []

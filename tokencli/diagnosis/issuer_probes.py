"""What the issuer says about a token, and the API about itself: metadata, keys, introspection, UserInfo.

Reading them is free. A token is sent only to the server that issued it, as far as that is known.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urlsplit

from tokencli.core.secret_resolver import SecretResolver, source_interaction
from tokencli.core.token_checks import introspect_token
from tokencli.core.token_verification import fetch_jwks
from tokencli.core.userinfo import fetch_userinfo
from tokencli.diagnosis.evidence import IssuerFacts, ResourceFacts, TokenFacts
from tokencli.errors import ConfigError, RefusedError, ReplyError, TokencliError
from tokencli.jwt.decode import decode_token, strings_of_claim
from tokencli.jwt.verify import (
    UnknownKeyError,
    UnverifiableError,
    VerificationError,
    check_issuer,
    verify_signature,
)
from tokencli.models import Connection, HttpReply, HttpRequest, Profile, Secret, TokenSet
from tokencli.oauth import client_authentication
from tokencli.oauth.discovery import IssuerMetadata, fetch_metadata, matches_issuer
from tokencli.protocols import Context, Transport
from tokencli.providers import response_body
from tokencli.providers.endpoint_urls import (
    EndpointUnknownError,
    check_endpoint_is_named,
    check_endpoint_url,
    get_url_origin,
)

LEAST_TIMEOUT_S = 0.1


class ProbeContext:
    """The context of one probe: its requests end with the deadline, and the server's time is noted."""

    def __init__(self, ctx: Context, deadline: float) -> None:
        self._ctx = ctx
        self._deadline = deadline
        self.last_reply: HttpReply | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    @property
    def transport(self) -> Transport:
        """Return the transport, which is this object."""
        return self

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send a request within the time that is left."""
        left = max(self._deadline - self._ctx.clock.monotonic(), LEAST_TIMEOUT_S)
        limited = replace(connection, timeout=min(connection.timeout, left))
        reply = self._ctx.transport.send(request, limited)
        if reply.server_time is not None:
            self.last_reply = reply
        return reply

    def as_context(self) -> Context:
        """Return it as what it stands in for."""
        return cast("Context", self)


def ask_metadata(profile: Profile, ctx: Context) -> tuple[IssuerFacts, IssuerMetadata | None]:
    """Fetch the metadata of the profile's issuer anew."""
    try:
        check_endpoint_is_named(profile, "issuer")
        metadata = fetch_metadata(profile, ctx)
    except TokencliError as error:
        return IssuerFacts(metadata_error=error), None
    return IssuerFacts(issuer=metadata.issuer), metadata


def read_resource_metadata(
    url: str, named: Iterable[str], ctx: Context, connection: Connection
) -> ResourceFacts | None:
    """Return an API's metadata (RFC 9728); None if it is on none of the servers that are `named`."""
    try:
        if get_url_origin(check_endpoint_url(url)) not in {get_url_origin(each) for each in named}:
            return None
        request = HttpRequest("GET", url, {"Accept": "application/json"})
        reply = ctx.transport.send(request, connection)
        if reply.status != 200:
            raise ReplyError(f"{urlsplit(url).netloc} replied with HTTP {reply.status}")
        members = response_body.parse_object(reply)
    except response_body.UnreadableBodyError as error:
        return ResourceFacts(url, error=ReplyError(f"{urlsplit(url).netloc} sent {error}"))
    except TokencliError as error:
        return ResourceFacts(url, error=error)
    resource = members.get("resource")
    return ResourceFacts(
        url,
        resource if isinstance(resource, str) else None,
        strings_of_claim(members.get("authorization_servers")),
        strings_of_claim(members.get("scopes_supported")),
        strings_of_claim(members.get("bearer_methods_supported")),
        members.get("dpop_bound_access_tokens_required") is True,
    )


def ask_keys(
    profile: Profile, metadata: IssuerMetadata | None, ctx: Context
) -> tuple[IssuerFacts, Mapping[str, Any] | None]:
    """Fetch the JWK Set; the facts have nothing if no address of it is known."""
    url = profile.endpoints.get("jwks")
    if url is None and metadata is not None:
        url = metadata.endpoints.get("jwks")
    if url is None:
        return IssuerFacts(), None
    try:
        keys = fetch_jwks(replace(profile, token_url=url), ctx)
    except TokencliError as error:
        return IssuerFacts(jwks_url=url, jwks_error=error), None
    kids = [key.get("kid") for key in keys["keys"] if isinstance(key, dict)]
    return IssuerFacts(
        jwks_url=url, key_ids=tuple(kid for kid in kids if isinstance(kid, str))
    ), keys


def check_signature(
    token: Secret, facts: TokenFacts, profile: Profile, keys: Mapping[str, Any] | None
) -> TokenFacts:
    """Return the facts with what the issuer's keys say about the signature; times don't matter here."""
    decoded = decode_token(token.reveal())
    try:
        check_issuer(decoded, facts.issuer or "")  # for anything but its issuer
        if not matches_issuer(profile, {**facts.claims}):
            return replace(facts, signature_problem="the token is not of the profile's issuer")
        if keys is None:
            return facts
        verify_signature(token.reveal(), keys)
    except (UnknownKeyError, UnverifiableError) as error:
        return replace(facts, signature_problem=str(error))
    except VerificationError as error:
        return replace(facts, signature="invalid", signature_problem=str(error))
    return replace(facts, signature="valid")


def may_send_token(profile: Profile, facts: TokenFacts) -> bool:
    """Tell whether the token may go to the profile's own servers: not if it names another issuer."""
    if facts.stored or facts.issuer is None:
        return True
    if profile.issuer is not None:
        return matches_issuer(profile, {**facts.claims})
    with suppress(ConfigError):  # not a URL
        return get_url_origin(facts.issuer) == get_url_origin(profile.token_url)
    return False


@dataclass(frozen=True, slots=True)
class ClientSecrets:
    """The secrets with which the client authenticates."""

    resolver: SecretResolver
    interactive: tuple[str, ...]
    """Those that a prompt or a program supplies."""

    @classmethod
    def of(cls, profile: Profile, ctx: Context) -> "ClientSecrets":
        """Return what the profile's client authentication uses."""
        names = [
            name
            for name in client_authentication.METHOD_SECRETS[profile.client_auth]
            if name in profile.secrets
        ]
        return cls(
            SecretResolver(profile, ctx),
            tuple(
                name for name in names if source_interaction(profile.secrets[name], ctx) != "none"
            ),
        )


def ask_introspection(
    profile: Profile, ctx: Context, secrets: SecretResolver, token: Secret
) -> IssuerFacts | None:
    """Introspect the token (RFC 7662); None if the server offers no introspection.

    Raises:
        TokencliError: the server didn't say.
    """
    try:
        return IssuerFacts(introspection=introspect_token(profile, ctx, secrets, token))
    except EndpointUnknownError:
        return None


def ask_userinfo(
    profile: Profile, ctx: Context, token: TokenSet, *, is_stored: bool
) -> IssuerFacts | None:
    """Ask UserInfo about the token; None if the server has no such endpoint.

    Raises:
        TokencliError: the server neither accepted nor refused the token.
    """
    try:
        claims = fetch_userinfo(profile, ctx, token, is_stored=is_stored)
    except EndpointUnknownError:
        return None
    except RefusedError as error:
        return IssuerFacts(userinfo_status=error.status)
    return IssuerFacts(userinfo=claims, userinfo_status=200)

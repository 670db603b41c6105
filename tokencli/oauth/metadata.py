"""What an issuer's metadata say (RFC 8414, OpenID Connect Discovery), as far as it is of use here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tokencli.errors import ConfigError, ReplyError
from tokencli.models import Profile
from tokencli.providers.endpoint_urls import check_endpoint_url, is_plain_http

MAX_QUOTED_CHARS = 200
"""Characters of a server's text that a message quotes at most."""

ENDPOINT_NAMES: dict[str, str] = {
    "token_endpoint": "token",
    "authorization_endpoint": "authorization",
    "device_authorization_endpoint": "device_authorization",
    "pushed_authorization_request_endpoint": "pushed_authorization_request",
    "revocation_endpoint": "revocation",
    "introspection_endpoint": "introspection",
    "userinfo_endpoint": "userinfo",
    "jwks_uri": "jwks",
}
"""Member of the metadata -> logical name of the endpoint."""


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """What an issuer's metadata say, as far as it is of use here."""

    issuer: str
    endpoints: Mapping[str, str]
    asked_at: float
    """Epoch seconds."""
    wants_par: bool = False
    names_itself: bool = False
    """Whether every redirect carries `iss` (RFC 9207 section 3)."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> why the address that the metadata give is not used."""


def metadata_urls(issuer: str) -> Iterator[str]:
    """Yield where an issuer's metadata may be (OpenID Connect Discovery 4.1, RFC 8414 section 3.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"
    yield f"{base}{path}/.well-known/openid-configuration"
    yield f"{base}/.well-known/oauth-authorization-server{path}"


def parse_metadata(profile: Profile, found: Mapping[str, Any], now: float) -> IssuerMetadata:
    """Take from the metadata what is of use; an address that is not fit is left out.

    Raises:
        ReplyError: they are of another issuer, or their token endpoint is missing or not fit.
    """
    named = found.get("issuer")
    if not isinstance(named, str) or named != profile.issuer:
        raise ReplyError(f"it is the metadata of {str(named)[:MAX_QUOTED_CHARS]!r}, another issuer")
    if profile.client_auth.startswith(("tls_", "self_signed_tls_")):  # RFC 8705 section 5
        aliases = found.get("mtls_endpoint_aliases")
        found = {**found, **(aliases if isinstance(aliases, dict) else {})}
    endpoints, unfit = {}, {}
    for member, name in ENDPOINT_NAMES.items():
        url = found.get(member)
        if url is None:
            continue
        wrong = _endpoint_problem(url, named)
        if wrong is None:
            endpoints[name] = url
        else:
            unfit[name] = f"its {member} {wrong}"
    if "token" not in endpoints:
        raise ReplyError(unfit.get("token", "it names no token_endpoint"))
    return IssuerMetadata(
        named,
        endpoints,
        now,
        wants_par=found.get("require_pushed_authorization_requests") is True,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        unfit=unfit,
    )


def _endpoint_problem(url: object, issuer: str) -> str | None:
    """Return what keeps an endpoint's address from being used, as the end of a clause."""
    try:
        check_endpoint_url(url if isinstance(url, str) else "")
    except ConfigError as error:
        return f"is not fit: {error.message}"
    if is_plain_http(str(url)) and not is_plain_http(issuer):
        return "is http, which sends credentials in the clear"
    return None

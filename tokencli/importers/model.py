"""What importers return: a request, or a description of an OAuth server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ImportedRequest:
    """One recorded or described request, with the body of its reply if known."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    uses_basic_auth: bool = False
    reply_body: str = ""
    body_format: str = ""
    """The body's format: json, form, multipart, xml or text; empty if unknown."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Known values of `{{name}}`. Only URLs and constants are used."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Default values of parts of the URL."""
    optional_members: frozenset[str] = frozenset()
    """Names of members that may be left out."""
    constant_members: frozenset[str] = frozenset()
    """Names of members whose values are constants of the API."""
    token_locator: str = ""
    """The locator of the token in the reply, if known."""
    lifetime: str = ""
    """How long the token is valid: a duration, `never`, or the locator of its lifetime or expiry."""
    lifetime_unit: str = ""
    """The `reply.time_unit` of a located lifetime, or `time` if it is the expiry time; if known."""
    usage: str = ""
    """How requests carry the token, as a line of `use`."""
    error_locator: str = ""
    """The locator of the error code in a refusal, if known."""
    reply_headers: tuple[str, ...] = ()
    refusal_body: str = ""
    """The body of a refusal, if known."""
    time_units: Mapping[str, str] = field(default_factory=dict)
    """Names of members of the reply -> `reply.time_unit` of their values, if it is stated."""
    status: int = 200
    name: str = ""
    """The system's name."""
    has_basic_user: bool = True
    has_basic_password: bool = True
    """False if this half of the credentials for HTTP Basic is empty, e.g. an API key is the other one."""
    notes: tuple[str, ...] = ()
    """What the importer could not determine."""
    follows_redirects: bool = False
    ca_file: str = ""
    """The CA bundle that the command names."""


@dataclass(frozen=True, slots=True)
class OAuthServer:
    """An OAuth server as a tool or an API description configures it."""

    token_url: str = ""
    authorization_url: str = ""
    device_url: str = ""
    issuer: str = ""
    grants: tuple[str, ...] = ()
    scope: str = ""
    client_auth: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    """Additional parameters of the token request."""
    variables: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    notes: tuple[str, ...] = ()


_BODY_FORMATS = (("json", "json"), ("urlencoded", "form"), ("multipart", "multipart"), ("xml", "xml"),
                 ("text/", "text"))  # fmt: skip
Imported: TypeAlias = ImportedRequest | OAuthServer


def has_basic_auth(headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether a header is HTTP Basic authentication."""
    return any(n.lower() == "authorization" and v.lower().startswith("basic") for n, v in headers)


def get_body_format(content_type: str) -> str:
    """Return the format of a body (see `ImportedRequest.body_format`) with this Content-Type."""
    return next((found for word, found in _BODY_FORMATS if word in content_type.lower()), "")

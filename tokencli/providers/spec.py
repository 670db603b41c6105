"""What a provider is: the words of `tokencli/providers/*.toml` and of `[providers.NAME]`.

One definition serves the built-in files, a user's own tables, the JSON Schema and the program.
The classes are plain dataclasses, so that reading a validated provider back needs no pydantic;
`config.schema` validates them with it. The docstring under each key is its reference text.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar, Literal

from tokencli.frozen import dataclass
from tokencli.providers.wording import STRICT
from tokencli.providers.wording import Call as Call
from tokencli.providers.wording import Issuing as Issuing
from tokencli.providers.wording import Many as Many
from tokencli.providers.wording import Places as Places
from tokencli.providers.wording import Reply as Reply
from tokencli.providers.wording import Request as Request


@dataclass(frozen=True, slots=True)
class Field:
    """Describe a value that a profile gives: where it is asked for and what it looks like."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    ask: str = ""
    """What a person is asked, in a few words; without it, the field's name.
    Example: `"Tenant id"`"""
    help: str | None = None
    """Where to find the value. Example: `"in the portal, under API keys"`"""
    example: str | None = None
    """A made-up value of the right form. Example: `"acme-1234"`"""
    default: str | None = None
    """The value where the profile gives none. Example: `"v2"`"""
    kind: Literal["text", "host", "url", "secret"] = "text"
    """`host` is host[:port], `url` an https URL without query, `secret` comes from a secret source."""
    port: int | None = None
    """For a `host` without a port: the port that the system documents. Example: `8443`"""
    optional: bool = False
    """A profile may leave it out; whatever part of a request names it is then left out too."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Describe one grant as this provider takes it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    grant_type: str | None = None
    """The value of `grant_type` on the wire, where it is not the grant's own name.
    Example: `"account_credentials"`"""
    needs: tuple[str, ...] = ()
    """Values and secrets that a profile must give, beside what the grant itself needs.
    Example: `["account_id"]`"""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of names of which a profile gives exactly one. Example: `[["username", "email"]]`"""
    optional: tuple[str, ...] = ()
    """Values that a profile may give. Example: `["tenant"]`"""
    params: Mapping[str, str] = field(default_factory=dict)
    """Further request parameters by wire name, as templates; one whose value is absent is left out.
    Example: `{ account_id = "{account_id}" }`"""
    claims: Mapping[str, str] = field(default_factory=dict)
    """Further claims of an assertion that is signed here, as templates, in the same way."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider's endpoints are, as URL templates over the profile's values."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    token: str
    """The token endpoint (RFC 6749 section 3.2). Example: `"https://{host}/oauth/token"`"""
    authorization: str | None = None
    """The authorization endpoint (RFC 6749 section 3.1)."""
    device_authorization: str | None = None
    """The device authorization endpoint (RFC 8628 section 3.1)."""
    revocation: str | None = None
    """The revocation endpoint (RFC 7009)."""
    pushed_authorization_request: str | None = None
    """The pushed authorization request endpoint (RFC 9126 section 2)."""
    introspection: str | None = None
    """The introspection endpoint (RFC 7662)."""
    userinfo: str | None = None
    """The UserInfo endpoint (OpenID Connect Core section 5.3)."""
    jwks: str | None = None
    """The server's public keys (RFC 7517 section 5)."""
    issuer: str | None = None
    """The server's own name, whose metadata (RFC 8414) name the endpoints that don't stand here."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Explain one status or error code to a person."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    what: str
    """What it means at this provider, as a clause without a full stop.
    Example: `"the API key is wrong"`"""
    whose: Literal["you", "profile", "client", "server", "provider"] = "server"
    """Who can mend it: `you` (the credentials typed), `profile` (the file), `client` (the client's
    registration at the server), `server` (its operators), `provider` (the provider's description)."""
    do: str | None = None
    """What to do next; `{profile}` stands for the profile's name.
    Example: `"tokencli login {profile} --again"`"""


@dataclass(frozen=True, slots=True)
class Errors:
    """Say where a failure keeps its code and text, and what they mean."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    code: Places = ("error",)
    """Where the error code is. Example: `"errors[0].code"`"""
    description: Places = ("error_description",)
    """Where the text for a person is. Example: `["error.message", "message"]`"""
    codes: Mapping[str, Meaning] = field(default_factory=dict)
    """Error code -> meaning. Example: `{ E401 = { what = "the password is wrong", whose = "you" } }`"""
    status: Mapping[str, Meaning] = field(default_factory=dict)
    """HTTP status -> meaning, where no code is known.
    Example: `{ 403 = { what = "the password is wrong", whose = "you" } }`"""


@dataclass(frozen=True, slots=True)
class Provider:
    """Say how one kind of token endpoint speaks."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    title: str
    """The system's name, for people. Example: `"Acme Cloud"`"""
    endpoints: Endpoints
    """Where the endpoints are."""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """The grants it takes by name; the first is the default. Without any: `client_credentials`, or
    `token` where the request is not OAuth's own."""
    name: str = ""
    """The provider's own name; filled in from the file or table name."""
    doc: str | None = None
    """The page that documents the endpoint. Example: `"https://docs.example.com/auth"`"""
    client_auth: tuple[str, ...] = ("client_secret_basic",)
    """The client authentication methods it takes; the first is the default.
    Example: `["client_secret_post"]`"""
    assertion_audience: str | None = None
    """The `aud` of the client's assertions: `issuer`, `token_endpoint`, or a template of the value."""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """The values that a profile gives beside the standard ones.
    Example: `{ host.kind = "host", api_key.kind = "secret", tenant = {} }`"""
    scope: str | None = None
    """The scope asked for where the profile names none. Example: `"openid"`"""
    values: Mapping[str, str] = field(default_factory=dict)
    """Values computed from others, in this order, as templates with filters.
    Example: `{ pair = "{username}:{password|base64}" }`"""
    request: Request = field(default_factory=Request)
    """How the request is written."""
    reply: Reply = field(default_factory=Reply)
    """Where the reply keeps what."""
    then: Call | None = None
    """A second request that makes the token of what the first one brought. Where the first brings a
    refresh token alone and this is missing, `refresh` is the second."""
    refresh: Call | None = None
    """The request that renews a token, where it is not OAuth's own."""
    logout: Call | None = None
    """The request that ends a token at the server, where it is not RFC 7009's."""
    use: Many = ()
    """How a request carries the token: `Header: template` each, or `?name=template` for the query.
    Without it: `Authorization: Bearer {token}`, by the reply's token type.
    Example: `["X-Auth-Token: {token}", "X-Api-Key: {api_key}"]`"""
    issuing: Issuing = field(default_factory=Issuing)
    """By which rules tokens are handed out."""
    errors: Errors = field(default_factory=Errors)
    """Where failures keep what, and what they mean."""

"""What a provider is: the words of `tokencli/providers/*.toml` and of `[providers.NAME]`.

One definition serves the built-in files, a user's own tables, the JSON Schema and the program.
The classes are plain dataclasses, so that reading a validated provider back needs no pydantic;
`config.schema` validates them with it. The docstring under each key is its reference text.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar, Literal

from tokencli.fast_dataclass import dataclass
from tokencli.provider_schema_parts import STRICT_CONFIG
from tokencli.provider_schema_parts import Call as Call
from tokencli.provider_schema_parts import IssuanceRules as IssuanceRules
from tokencli.provider_schema_parts import Locators as Locators
from tokencli.provider_schema_parts import Reply as Reply
from tokencli.provider_schema_parts import Request as Request
from tokencli.provider_schema_parts import Signed as Signed
from tokencli.provider_schema_parts import TextOrList as TextOrList


@dataclass(frozen=True, slots=True)
class Field:
    """Describe a value that a profile gives: where it is asked for and what it looks like."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

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
    """`host` is host[:port], `url` an https URL without query; a `secret` stands in no file: a profile
    says where it comes from. Example: `"secret"`"""
    port: int | None = None
    """For a `host` without a port: the port that the system documents. Example: `8443`"""
    optional: bool = False
    """A profile may leave it out; whatever part of a request names it is then left out too.
    Example: `true`"""


@dataclass(frozen=True, slots=True)
class Grant:
    """Describe one grant as this provider takes it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

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
    """For `jwt_bearer`: further claims of the assertion, as templates, in the same way.
    Example: `{ scope = "{scope}" }`"""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider's endpoints are, as URL templates over the profile's values."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    token: str
    """The token endpoint (RFC 6749 section 3.2). Example: `"https://{host}/oauth/token"`"""
    authorization: str | None = None
    """The authorization endpoint (RFC 6749 section 3.1). Example: `"https://{host}/oauth/authorize"`"""
    device_authorization: str | None = None
    """The device authorization endpoint (RFC 8628 section 3.1).
    Example: `"https://{host}/oauth/device"`"""
    revocation: str | None = None
    """The revocation endpoint (RFC 7009). Example: `"https://{host}/oauth/revoke"`"""
    pushed_authorization_request: str | None = None
    """The pushed authorization request endpoint (RFC 9126 section 2).
    Example: `"https://{host}/oauth/par"`"""
    introspection: str | None = None
    """The introspection endpoint (RFC 7662). Example: `"https://{host}/oauth/introspect"`"""
    userinfo: str | None = None
    """The UserInfo endpoint (OpenID Connect Core section 5.3).
    Example: `"https://{host}/oauth/userinfo"`"""
    jwks: str | None = None
    """The server's public keys (RFC 7517 section 5). Example: `"https://{host}/oauth/jwks"`"""
    issuer: str | None = None
    """The server's own name, whose metadata (RFC 8414) name the endpoints that don't stand here.
    Example: `"https://{host}/realms/{realm}"`"""


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """Explain one status or error code to a person."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    what: str
    """What it means at this provider, as a clause without a full stop.
    Example: `"the API key is wrong"`"""
    whose: Literal["you", "profile", "client", "server", "provider"] = "server"
    """Who can mend it: `you` (the credentials typed), `profile` (the file), `client` (the client's
    registration at the server), `server` (its operators), `provider` (the provider's description).
    Example: `"you"`"""
    do: str | None = None
    """What to do next; `{profile}` stands for the profile's name.
    Example: `"tokencli login {profile} --again"`"""


@dataclass(frozen=True, slots=True)
class Errors:
    """Say where a failure keeps its code and text, and what they mean."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    code: Locators = ("error",)
    """Where the error code is. Example: `"errors[0].code"`"""
    description: Locators = ("error_description",)
    """Where the text for a person is. Example: `["error.message", "message"]`"""
    codes: Mapping[str, ErrorMeaning] = field(default_factory=dict)
    """Error code -> meaning. Example: `{ E401 = { what = "the password is wrong", whose = "you" } }`"""
    status: Mapping[str, ErrorMeaning] = field(default_factory=dict)
    """HTTP status -> meaning, where no code is known.
    Example: `{ 403 = { what = "the password is wrong", whose = "you" } }`"""


@dataclass(frozen=True, slots=True)
class Provider:
    """Say how one kind of token endpoint speaks."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    title: str
    """The system's name, for people. Example: `"Acme Cloud"`"""
    endpoints: Endpoints
    """Where the endpoints are. Example: `{ token = "https://{host}/api/login" }`"""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """The grants it takes by name; the first is the default. OAuth's are `client_credentials`,
    `password`, `authorization_code`, `device_code`, `refresh_token`, `token_exchange` and
    `jwt_bearer`; any other name is sent as `grant_type` with its `params`. Without any:
    `client_credentials`, or `token` where the request is not OAuth's own.
    Example: `{ client_credentials = {}, account_credentials.params = { account_id = "{account_id}" } }`"""
    name: str = ""
    """The provider's own name; filled in from the file or table name."""
    doc: str | None = None
    """The page that documents the endpoint. Example: `"https://docs.example.com/auth"`"""
    client_auth: tuple[str, ...] = ("client_secret_basic",)
    """The client authentication methods it takes; the first is the default: `client_secret_basic`,
    `client_secret_post`, `client_secret_jwt`, `private_key_jwt`, `tls_client_auth`, `none`. For OAuth's
    own request alone.
    Example: `["client_secret_post"]`"""
    assertion_audience: str | None = None
    """The `aud` of the client's assertions: `issuer`, `token_endpoint`, or a template of the value.
    Example: `"https://{host}/"`"""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """The values that a profile gives beside the standard ones.
    Example: `{ host.kind = "host", api_key.kind = "secret", tenant = {} }`"""
    issuer_claims: Mapping[str, str] = field(default_factory=dict)
    """For a server of many tenants: field in `endpoints.issuer` -> the claim by which its tokens name
    their own tenant. Where the profile's value is no GUID, the issuer has that claim's, which must be
    one, in its place; any, if the claim is not there. Example: `{ tenant = "tid" }`"""
    iss_in_redirect: bool = False
    """Whether the server puts `iss` into every redirect (RFC 9207), so that one without it is refused;
    metadata, where they are asked for, say it themselves. Example: `true`"""
    redirect_host: Literal["127.0.0.1", "localhost"] = "127.0.0.1"
    """The host of the redirect URI, for a server that takes no address. Example: `"localhost"`"""
    scope: str | None = None
    """The scope asked for where the profile names none. Example: `"openid"`"""
    values: Mapping[str, str] = field(default_factory=dict)
    """Values computed from others, in this order, as templates with filters.
    Example: `{ pair = "{username}:{password|base64}" }`"""
    signed: Mapping[str, Signed] = field(default_factory=dict)
    """JWTs signed here, as values for the templates of requests and of `use`.
    Example: `{ proof = { claims = { iss = "{client_id}" } } }`"""
    request: Request = field(default_factory=Request)
    """How the request is written. Example: `{ body = "json", send = { apikey = "{api_key}" } }`"""
    reply: Reply = field(default_factory=Reply)
    """Where the reply keeps what. Example: `{ access_token = "data.token", ttl = 3600 }`"""
    then: Call | None = None
    """A second request that makes the token of what the first one brought. Where the first brings a
    refresh token alone and this is missing, `refresh` is the second.
    Example: `{ url = "https://{host}/api/token", send = { code = "{code}" } }`"""
    refresh: Call | None = None
    """The request that renews a token, where it is not OAuth's own.
    Example: `{ url = "https://{host}/api/renew", send = { refresh = "{refresh_token}" } }`"""
    logout: Call | None = None
    """The request that ends a token at the server, where it is not RFC 7009's.
    Example: `{ method = "DELETE", headers = { X-Auth-Token = "{token}" } }`"""
    use: TextOrList = ()
    """How a request carries the token: `Header: template` each, or `?name=template` for the query.
    What names an absent optional value is left out. Without it: `Authorization: Bearer {token}`, by the
    reply's token type.
    Example: `["X-Auth-Token: {token}", "X-Api-Key: {api_key}"]`"""
    issuing: IssuanceRules = field(default_factory=IssuanceRules)
    """By which rules tokens are handed out. Example: `{ exclusive = true }`"""
    errors: Errors = field(default_factory=Errors)
    """Where failures keep what, and what they mean.
    Example: `{ code = "error.code", description = "error.message" }`"""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Name the further outputs of every reply that brings a token."""
        calls = (self.then, self.refresh)
        own = [call.reply for call in calls if call is not None and call.reply is not None]
        return tuple(dict.fromkeys(name for reply in (self.reply, *own) for name in reply.outputs))

"""The provider language: the keys of `tokencli/providers/*.toml` and of `[providers.NAME]` tables.

One definition serves the built-in files, users' own tables, the JSON Schema and the program. The
classes are plain dataclasses, so loading a validated provider needs no pydantic, which
`providers.validation` uses to validate them. The text under each key appears in the provider
reference.

The `repr` of a request, a reply or a grant is hashed into credential keys: renaming a class or a key
would lose stored tokens.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from tokencli.fast_dataclass import dataclass

STRICT_CONFIG: dict[str, Any] = {"extra": "forbid"}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class _TextOrListValidator:
    """Tells pydantic to accept one text instead of an array of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        wrap = {"type": "no-info", "function": lambda v: [v] if isinstance(v, str) else v}
        return {"type": "function-before", "function": wrap, "schema": handler(source)}

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


TextOrList: TypeAlias = Annotated[tuple[str, ...], _TextOrListValidator()]
"""One text, or an array of texts."""
Locators: TypeAlias = Annotated[tuple[str, ...], _TextOrListValidator(), "places"]
"""One locator, or several of which the first that finds a value is used."""


@dataclass(frozen=True, slots=True)
class Request:
    """The token request.

    By default it is the standard OAuth request. If `send`, `basic`, `query`, a `method` other than POST, or a
    `body` of `none`, `text` or `xml` is set, the request consists of exactly what is written here.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The HTTP method. Example: `"GET"`"""
    body: Literal["form", "json", "query", "text", "xml", "none"] | None = None
    """The format of the body; `query` puts the parameters into the URL. Default: `query` for GET,
    otherwise `form`.
    Example: `"json"`"""
    send: Any = None
    """The body as a template: a table or an array, whose numbers, booleans, nesting and constants
    are sent as written, or one text for `text` and `xml`. Members that name an absent optional
    value are left out.
    Example: `{ user = "{username}", password = "{password}", remember = true }`"""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters to add to the URL's query, as templates. Example: `{ f = "json" }`"""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Additional request headers, as templates. They replace tokencli's own, such as Content-Type
    (`text/plain` for text, `application/xml` for xml).
    Example: `{ X-Api-Version = "2" }`"""
    basic: str | None = None
    """The user name and password for HTTP Basic, separated by a colon, without the form-encoding of
    RFC 6749.
    Example: `"{username}:{password}"`"""
    names: Mapping[str, str] = field(default_factory=dict)
    """For the standard OAuth request and the authorization request: logical parameter name -> name on
    the wire.
    Example: `{ client_id = "clientId" }`"""
    scope_separator: Literal[" ", ","] = " "
    """For the standard OAuth request: the separator between scopes. Example: `","`"""

    @property
    def is_custom(self) -> bool:
        """Whether the request consists of exactly what the provider describes."""
        return (
            self.send is not None
            or self.basic is not None
            or bool(self.query)
            or self.method != "POST"
            or self.body in ("text", "xml", "none")
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """Where to find values in the reply.

    A locator is one of these:

    * A JMESPath expression over the JSON or form-encoded body, such as `data.token`,
      `errors[0].code`, `"id-token"`, or `@` for the whole body.
    * `header:NAME` for a header. Repeated headers are joined by commas.
    * `cookie:NAME` for a cookie, or `cookie:*` for all cookies, written as in a Cookie header.
    * `xml:root/child` for an XML element, from the root element on and without namespaces.
      `/@attribute` at the end selects an attribute.
    * `text:` for the whole body.

    ` ~ REGEX` after a locator extracts the one group of a regular expression from the first 65,536
    characters. The expression can't repeat groups, look ahead, look back or refer to a group. In a list of
    locators, the first that finds a value is used.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    access_token: Locators = ("access_token",)
    """Locator of the token. Example: `"auth.client_token"`"""
    token_type: Locators = ("token_type",)
    """Locator of the token type. Example: `"data.type"`"""
    expires_in: Locators = ("expires_in",)
    """Locator of the lifetime, counted from the time of the request.
    Example: `"header:X-Token-Expires"`"""
    expires_at: Locators = ()
    """Locator of the expiry time. It takes precedence over `expires_in`. Example: `"expiresAt"`"""
    issued_at: Locators = ()
    """Locator of the server's time of issue, from which lifetimes are then counted.
    Example: `"now"`"""
    time_unit: Literal["s", "ms", "us", "min", "h"] = "s"
    """The unit of lifetimes given as numbers. For `ms` and `us` it is also the unit of times.
    Example: `"ms"`"""
    time_format: str | None = None
    """The format of times given as text: `http`, `h:m:s` or a strptime format. Default: RFC 3339.
    Example: `"%d/%m/%Y %H:%M"`"""
    time_zone: str | None = None
    """The time zone of times that name none. Example: `"Europe/Berlin"`"""
    ttl: float | Literal["never"] | None = None
    """The lifetime in seconds if the reply gives none, or `"never"` if the token does not expire.
    Example: `1200`"""
    sliding: bool = False
    """Whether the server restarts the lifetime each time the token is used. tokencli restarts it
    each time you get the token.
    Example: `true`"""
    never: TextOrList = ()
    """Values of expires_in or expires_at that mean "does not expire". Example: `["0", "null"]`"""
    refresh_token: Locators = ("refresh_token",)
    """Locator of the refresh token. Use the token's own locator if a token is renewed by presenting
    itself.
    Example: `"refreshToken"`"""
    no_refresh_token: TextOrList = ()
    """Values of refresh_token that mean "none". Example: `"not_supported"`"""
    compose: str | None = None
    """The token as a template over `{token}` and the outputs, if it is put together from several
    values.
    Example: `"nbt_{key}.{token}"`"""
    id_token: Locators = ("id_token",)
    """Locator of the ID token. Example: `"idToken"`"""
    scope: Locators = ("scope",)
    """Locator of the granted scope. Example: `"data.scopes"`"""
    scope_separator: Literal[" ", ","] = " "
    """The separator between granted scopes, in addition to spaces. Example: `","`"""
    outputs: Mapping[str, Locators] = field(default_factory=dict)
    """Additional values to store with the token, for `use` and for later requests: name -> locator.
    Example: `{ csrf = "data.CSRFPreventionToken" }`"""
    success: Locators = ()
    """Locator of a value that only a successful reply has. Null, false and empty values count as
    failure.
    Example: ``"code == `0`"``"""
    status: tuple[int, ...] = ()
    """HTTP statuses other than 2xx that mean success. Example: `[302]`"""


@dataclass(frozen=True, slots=True)
class Call(Request):
    """An additional request: a second step, a renewal or a logout.

    Its templates can also name `{token}`, `{refresh_token}` and the reply's `outputs`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    url: str | None = None
    """The URL, if it is not the token endpoint. Example: `"https://{host}/auth/refresh"`"""
    reply: Reply | None = None
    """The locators for this request's reply, if they differ from [reply].
    Example: `{ access_token = "id_token" }`"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A JWT that is signed for each request. Templates refer to it by NAME, like any other value."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    key: str = "private_key"
    """The secret that signs: the profile's `private_key` (PEM, a JWK, or the JSON key file of a
    service account), or another secret as the shared key for HS256.
    Example: `"client_secret"`"""
    alg: str | None = None
    """The signing algorithm. Default: the profile's `signing_alg`, or the usual algorithm of the
    key.
    Example: `"ES256"`"""
    header: Mapping[str, Any] = field(default_factory=dict)
    """Additional members of the JOSE header; `alg` can't be set here. Default members: `typ` = JWT
    and `kid`, the profile's `key_id` or else the key's own.
    Example: `{ kid = "{key_name}" }`"""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """The claims as a template, like `send`. `iat` and `exp` are added unless set here.
    Example: `{ iss = "{client_id}", sub = "{username}", aud = "https://acme.example", jti = "{uuid}" }`"""
    life: int = 120
    """Seconds from `iat` to `exp`. Example: `300`"""


@dataclass(frozen=True, slots=True)
class IssuanceRules:
    """How the server issues tokens, so that getting a token does not disturb other sessions."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    sticky: float | None = None
    """The server returns the same token until this many seconds before its expiry, so tokencli
    doesn't ask again earlier, except with `get --force`.
    Example: `60`"""
    exclusive: bool = False
    """Whether a new token invalidates the previous one. tokencli then uses each token until it
    expires.
    Example: `true`"""
    max_sessions: int | None = None
    """How many tokens the server allows at the same time. tokencli uses each until it expires, and
    ends a token that it replaces earlier with [logout].
    Example: `5`"""
    cacheable: bool = True
    """Whether a token can be used more than once. If not, it is never stored. Example: `false`"""


@dataclass(frozen=True, slots=True)
class Field:
    """A value that profiles of this provider set under the key NAME."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    ask: str = ""
    """The question shown when tokencli asks for the value. Default: the field's name.
    Example: `"Tenant ID"`"""
    help: str | None = None
    """Where to find the value. Example: `"in the portal, under API keys"`"""
    example: str | None = None
    """A made-up value in the right format. Example: `"acme-1234"`"""
    default: str | None = None
    """The value to use if the profile sets none. Example: `"v2"`"""
    kind: Literal["text", "host", "url", "secret"] = "text"
    """The kind of value: `text`, `host` for host[:port], `url` for an https URL without a query, or
    `secret` for a secret that is stored outside the configuration file.
    Example: `"secret"`"""
    port: int | None = None
    """For a `host` without a port: the port that the system's documentation names.
    Example: `8443`"""
    optional: bool = False
    """Whether a profile can leave the value out. Parts of a request that name it are then left out
    as well.
    Example: `true`"""


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant that the provider supports."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    grant_type: str | None = None
    """The value of `grant_type` on the wire, if it is not the grant's name.
    Example: `"account_credentials"`"""
    needs: tuple[str, ...] = ()
    """Values and secrets that a profile must give, in addition to those of the grant itself.
    Example: `["account_id"]`"""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of keys of which a profile must set exactly one. Example: `[["username", "email"]]`"""
    optional: tuple[str, ...] = ()
    """Values that a profile can give. Example: `["tenant"]`"""
    params: Mapping[str, str] = field(default_factory=dict)
    """Additional request parameters: name on the wire -> template. A parameter whose value is
    absent is left out.
    Example: `{ account_id = "{account_id}" }`"""
    claims: Mapping[str, str] = field(default_factory=dict)
    """For `jwt_bearer`: additional claims of the assertion, as templates. A claim whose value is
    absent is left out.
    Example: `{ scope = "{scope}" }`"""


@dataclass(frozen=True, slots=True)
class Spellings:
    """Alternative spellings of one constant in token requests. An array is short for `values`.

    NAME is a parameter or, at any depth of `send`, a member. If a request sends one of the spellings and is
    refused with a code in `on`, tokencli tries the next one. Each is tried once. The one that the server
    accepts is remembered for the token endpoint and tried first from then on. After a refusal with status
    401, 403, 423 or 429, no other spelling is tried.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    values: tuple[Any, ...]
    """Two or three spellings. The one in the request is tried first, then the others in this order.
    Example: `["Password", "password"]`"""
    on: TextOrList = ()
    """Error codes after which the next spelling is tried. Name only codes of refusals that spend nothing and
    don't count as a failed sign-in. Default for `grant_type`: `unsupported_grant_type`. Required for any
    other constant.
    Example: `"unsupported_version"`"""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        def wrap(given: Any) -> Any:
            return given if isinstance(given, Mapping) else {"values": _as_list(given)}

        function = {"type": "no-info", "function": wrap}
        return {"type": "function-before", "function": function, "schema": handler(source)}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return {"anyOf": [{"type": "array"}, handler(schema)]}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints, as URL templates over the profile's values."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    token: str
    """The token endpoint (RFC 6749 section 3.2). Example: `"https://{host}/oauth/token"`"""
    authorization: str | None = None
    """The authorization endpoint (RFC 6749 section 3.1).
    Example: `"https://{host}/oauth/authorize"`"""
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
    """The URL of the server's public keys (RFC 7517 section 5).
    Example: `"https://{host}/oauth/jwks"`"""
    issuer: str | None = None
    """The issuer. Its metadata (RFC 8414) supplies the endpoints that are not set here.
    Example: `"https://{host}/realms/{realm}"`"""


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """What one HTTP status or error code of this provider means."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    what: str
    """What it means, as a clause without a full stop. Example: `"the API key is wrong"`"""
    whose: Literal[
        "you",
        "profile",
        "client",
        "server",
        "provider",
        "administrator",
        "api_owner",
        "vendor",
        "nobody",
    ] = "server"
    """Whose job it is: `you` (the credentials you entered), `profile` (the configuration file), `client`
    (the client's registration at the server), `server`, `provider` (this provider description),
    `administrator` (of the identity provider), `api_owner` (who runs the API that the token is for),
    `vendor`, or `nobody` (it passes).
    Example: `"you"`"""
    do: str | None = None
    """What to do next: a command, or a sentence that starts with a capital letter. `{profile}` stands for
    the profile's name.
    Example: `"tokencli login {profile} --again"`"""
    setting: str | None = None
    """The profile's key or secret that is probably wrong. If a key was set on the command line, the option
    is named instead of the profile.
    Example: `"scope"`"""
    doc: str | None = None
    """The URL of the page that documents it. Example: `"https://docs.example.com/errors"`"""


@dataclass(frozen=True, slots=True)
class Errors:
    """Where to find error codes and messages in a reply, and what they mean."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    code: Locators = ("error",)
    """Locator of the error code. If it finds none in a refusal, `errorCode`, `code` and the like are
    tried.
    Example: `"errors[0].code"`"""
    description: Locators = ("error_description",)
    """Locator of the error message. If it finds none in a refusal, `detail`, `message`, `errorSummary` and
    the like are tried, on every level, then WWW-Authenticate, and a text or page without members.
    Example: `["error.message", "message"]`"""
    codes: Mapping[str, ErrorMeaning] = field(default_factory=dict)
    """Error code -> meaning. A code with digits is also recognized inside the error message, and one of
    several words is part of the message. `tokencli why --code` explains them as well.
    Example: `{ E401 = { what = "the password is wrong", whose = "you" } }`"""
    status: Mapping[str, ErrorMeaning] = field(default_factory=dict)
    """HTTP status -> meaning, used if the error code is unknown.
    Example: `{ 403 = { what = "the password is wrong", whose = "you" } }`"""


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of token endpoint."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    title: str
    """The system's name. Example: `"Acme Cloud"`"""
    endpoints: Endpoints
    """The URLs of the endpoints. Example: `{ token = "https://{host}/api/login" }`"""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """The supported grants by name; the first is the default. `tokencli help oauth` lists the standard
    ones. Any other name is sent as `grant_type` with its `params`. Default: `client_credentials`,
    or `token` if [request] describes its own request.
    Example: `{ client_credentials = {}, account_credentials.params = { account_id = "{account_id}" } }`"""
    name: str = ""
    """The provider's name, taken from the name of the file or table."""
    doc: str | None = None
    """The URL of the endpoint's documentation. Example: `"https://docs.example.com/auth"`"""
    client_auth: tuple[str, ...] = ("client_secret_basic",)
    """The supported client authentication methods; the first is the default. They apply only to
    the standard OAuth request: `client_secret_basic`, `client_secret_post`, `client_secret_jwt`,
    `private_key_jwt`, `tls_client_auth`, `none`.
    Example: `["client_secret_post"]`"""
    assertion_audience: str | None = None
    """The `aud` claim of client assertions: `issuer`, `token_endpoint`, or a template for the
    value.
    Example: `"https://{host}/"`"""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """The values that a profile gives in addition to the standard ones.
    Example: `{ host.kind = "host", api_key.kind = "secret", tenant = {} }`"""
    issuer_claims: Mapping[str, str] = field(default_factory=dict)
    """For a server with many tenants: field in `endpoints.issuer` -> the claim in which tokens name
    their tenant. If the profile's value is not a GUID, the token's claim, which must be a GUID,
    replaces it in the expected issuer. If the token has no such claim, any tenant is accepted.
    Example: `{ tenant = "tid" }`"""
    iss_in_redirect: bool = False
    """Whether the server puts `iss` into every authorization response (RFC 9207). A response
    without it is then refused. Server metadata, if fetched, takes precedence.
    Example: `true`"""
    redirect_host: Literal["127.0.0.1", "localhost"] = "127.0.0.1"
    """The host in the redirect URI, for servers that accept no IP address.
    Example: `"localhost"`"""
    scope: str | None = None
    """The scope to request if the profile sets none. Example: `"openid"`"""
    values: Mapping[str, str] = field(default_factory=dict)
    """Values computed from other values, as templates with filters, in this order.
    Example: `{ pair = "{username}:{password|base64}" }`"""
    signed: Mapping[str, Signed] = field(default_factory=dict)
    """JWTs to sign for each request. Templates of requests and of `use` can name them.
    Example: `{ proof = { claims = { iss = "{client_id}" } } }`"""
    request: Request = field(default_factory=Request)
    """How to write the token request.
    Example: `{ body = "json", send = { apikey = "{api_key}" } }`"""
    spellings: Mapping[str, Spellings] = field(default_factory=dict)
    """Constants that releases of the system spell differently: name -> spellings.
    Example: `{ grant_type = ["Password", "password"] }`"""
    reply: Reply = field(default_factory=Reply)
    """Where to find values in the reply. Example: `{ access_token = "data.token", ttl = 3600 }`"""
    then: Call | None = None
    """A second request, which gets the token with values from the first reply. If it is missing and
    the first reply has only a refresh token, `refresh` is used instead.
    Example: `{ url = "https://{host}/api/token", send = { code = "{code}" } }`"""
    refresh: Call | None = None
    """The request that renews a token, if it is not the standard OAuth one.
    Example: `{ url = "https://{host}/api/renew", send = { refresh = "{refresh_token}" } }`"""
    logout: Call | None = None
    """The request that revokes a token, if it is not that of RFC 7009.
    Example: `{ method = "DELETE", headers = { X-Auth-Token = "{token}" } }`"""
    api_url: str | None = None
    """The base URL of the API that the token is for, as a template over the profile's values, for
    `tokencli request`.
    Example: `"https://{host}/api/"`"""
    use: TextOrList = ()
    """How requests carry the token: `Header: template`, or `?name=template` for a query parameter.
    Lines that name an absent optional value are left out. Default: `Authorization: Bearer {token}`,
    or the scheme of the reply's token type.
    Example: `["X-Auth-Token: {token}", "X-Api-Key: {api_key}"]`"""
    issuing: IssuanceRules = field(default_factory=IssuanceRules)
    """How the server issues tokens. Example: `{ exclusive = true }`"""
    errors: Errors = field(default_factory=Errors)
    """Where to find error codes and messages, and what they mean.
    Example: `{ code = "error.code", description = "error.message" }`"""

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs of every reply that can bring a token."""
        calls = (self.then, self.refresh)
        own = [call.reply for call in calls if call is not None and call.reply is not None]
        return tuple(dict.fromkeys(name for reply in (self.reply, *own) for name in reply.outputs))

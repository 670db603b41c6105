"""What a provider is: the words of `tokencli/providers/*.toml` and of `[providers.NAME]`.

One definition serves the built-in files, a user's own tables, the JSON Schema and the program.
The classes are plain dataclasses, so that reading a validated provider back needs no pydantic;
`config.schema` validates them with it. The docstring under each key is its reference text.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from tokencli.fast_dataclass import dataclass

STRICT_CONFIG: dict[str, Any] = {"extra": "forbid", "use_attribute_docstrings": True}


class _TextOrListValidator:
    """Tell pydantic, where it is at work, that one text may stand for an array of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        wrap = {"type": "no-info", "function": lambda v: [v] if isinstance(v, str) else v}
        return {"type": "function-before", "function": wrap, "schema": handler(source)}

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


TextOrList: TypeAlias = Annotated[tuple[str, ...], _TextOrListValidator()]
"""One text, or an array of texts."""
Locators: TypeAlias = Annotated[tuple[str, ...], _TextOrListValidator(), "places"]
"""One place in a reply, or several of which the first that holds something is taken."""


@dataclass(frozen=True, slots=True)
class Request:
    """Describe how the token request is written.

    It is OAuth's own unless `send`, `basic`, `query`, another method or a body of none, text or
    xml says that the vendor wants something else: then it is exactly what stands here.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The HTTP method. Example: `"GET"`"""
    body: Literal["form", "json", "query", "text", "xml", "none"] | None = None
    """How the parameters travel: by default `query` with GET, else `form`. Example: `"json"`"""
    send: Any = None
    """The body as a template: a table or an array, whose numbers, booleans, nesting and constants
    stay as they are; or one text, for `text` and `xml`. What names an absent optional value is left
    out. Example: `{ user = "{username}", password = "{password}", remember = true }`"""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters in the URL's query beside the body, as templates. Example: `{ f = "json" }`"""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further request headers, as templates; they replace the program's own, such as the Content-Type
    (`text/plain` for text, `application/xml` for xml). Example: `{ X-Api-Version = "2" }`"""
    basic: str | None = None
    """HTTP Basic of this very text, name and password with a colon between, without the
    form-encoding of RFC 6749. Example: `"{username}:{password}"`"""
    names: Mapping[str, str] = field(default_factory=dict)
    """For OAuth's own request, and that for authorization: logical parameter name -> name on the wire.
    Example: `{ client_id = "clientId" }`"""
    scope_separator: Literal[" ", ","] = " "
    """For OAuth's own request: what stands between two scopes. Example: `","`"""

    @property
    def is_custom(self) -> bool:
        """Whether the request is what stands here, and nothing of OAuth's own."""
        return (
            self.send is not None
            or self.basic is not None
            or bool(self.query)
            or self.method != "POST"
            or self.body in ("text", "xml", "none")
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """Say where the reply keeps what.

    A place is a JMESPath expression over the JSON (or form-encoded) body, such as `data.token`,
    `errors[0].code`, `"id-token"` or `@` for the whole; or `header:NAME` (all of one name, joined by
    commas), `cookie:NAME` (`*`: all, as a Cookie header has them), `xml:root/child` from the root
    element on, whatever the namespaces (`…/@attribute` at its end), or `text:` for the whole body.
    ` ~ REGEX` after any of them takes the one group of a regular expression out of what is there; it
    repeats no group, looks neither ahead nor back, and leaves three choices open at most (`*`, `+`,
    `?`, `{m,n}`, `|`). Of several
    places, the first that holds something is taken.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    access_token: Locators = ("access_token",)
    """Where the token is. Example: `"auth.client_token"`"""
    token_type: Locators = ("token_type",)
    """Where its type is. Example: `"data.type"`"""
    expires_in: Locators = ("expires_in",)
    """Where its life is, counted from now. Example: `"header:X-Token-Expires"`"""
    expires_at: Locators = ()
    """Where the time of its end is; it is taken before `expires_in`. Example: `"expiresAt"`"""
    issued_at: Locators = ()
    """Where the server's own time of issue is: a life is counted from there. Example: `"now"`"""
    time_unit: Literal["s", "ms", "us", "min", "h"] = "s"
    """The unit of lives that are numbers, in text or not, and of times as far as it is not longer
    than a second. Example: `"ms"`"""
    time_format: str | None = None
    """How times that are text are written: `http`, `h:m:s` or a strptime format; else RFC 3339.
    Example: `"%d/%m/%Y %H:%M"`"""
    time_zone: str | None = None
    """The zone of times that name none. Example: `"Europe/Berlin"`"""
    ttl: float | Literal["never"] | None = None
    """The life in seconds where the reply says none, or `"never"` for no end. Example: `1200`"""
    sliding: bool = False
    """Whether the server counts the life, the reply's or `ttl`, from the last use; here, from the last
    time it was got. Example: `true`"""
    never: TextOrList = ()
    """Values of expires_in or expires_at that mean no end. Example: `["0", "null"]`"""
    refresh_token: Locators = ("refresh_token",)
    """Where the refresh token is; the token's own place, where it is renewed by itself.
    Example: `"refreshToken"`"""
    no_refresh_token: TextOrList = ()
    """Values there that mean none. Example: `"not_supported"`"""
    compose: str | None = None
    """The token as a template, where it is made of what was found: `{token}` and the outputs.
    Example: `"nbt_{key}.{token}"`"""
    id_token: Locators = ("id_token",)
    """Where the ID token is. Example: `"idToken"`"""
    scope: Locators = ("scope",)
    """Where the granted scope is. Example: `"data.scopes"`"""
    scope_separator: Literal[" ", ","] = " "
    """What stands between two scopes there, beside spaces. Example: `","`"""
    outputs: Mapping[str, Locators] = field(default_factory=dict)
    """Further values to keep beside the token, for `use` and later requests.
    Example: `{ csrf = "data.CSRFPreventionToken" }`"""
    success: Locators = ()
    """What a success holds here and a failure does not: anything but null, false and emptiness.
    Example: ``"code == `0`"``"""
    status: tuple[int, ...] = ()
    """Statuses other than 2xx that are a success. Example: `[302]`"""


@dataclass(frozen=True, slots=True)
class Call(Request):
    """Describe one more request to the same server: to refresh, to log out, or as a second step.

    Its templates may name `{token}`, `{refresh_token}` and the reply's `outputs`, too.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    url: str | None = None
    """Its URL, where it is not the token endpoint's. Example: `"https://{host}/auth/refresh"`"""
    reply: Reply | None = None
    """Where its reply keeps what, where it differs from the first.
    Example: `{ access_token = "id_token" }`"""


@dataclass(frozen=True, slots=True)
class Signed:
    """Describe a JWT that is signed anew for each request; templates name it as any other value."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    key: str = "private_key"
    """The secret that signs: `private_key` of the profile (PEM, a JWK, or the JSON file of a service
    account), or another secret, for HS256 as the shared one. Example: `"client_secret"`"""
    alg: str | None = None
    """The algorithm, where the profile's `signing_alg` and the key's usual one won't do.
    Example: `"ES256"`"""
    header: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the header. It has `alg`, which is not for here; and, unless they stand here,
    `typ` = JWT and `kid`, the profile's `key_id` or else the key's own.
    Example: `{ kid = "{key_name}" }`"""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """The claims as a template, like `send`; `iat` and `exp` are added where they don't stand here.
    Example: `{ iss = "{client_id}", sub = "{username}", aud = "https://acme.example", jti = "{uuid}" }`"""
    life: int = 120
    """Seconds from `iat` to `exp`. Example: `300`"""


@dataclass(frozen=True, slots=True)
class IssuanceRules:
    """Say by which rules the server hands out tokens, so that nobody gets into trouble."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT_CONFIG

    sticky: float | None = None
    """Asking again gives the same token until this many seconds before its end; so it is not asked
    again any earlier. Example: `60`"""
    exclusive: bool = False
    """A new token ends the old one: the old one is used to its end. Example: `true`"""
    max_sessions: int | None = None
    """The number of tokens that the server lets live side by side: each is used to its end, and one
    that is replaced earlier is ended by [logout]. Example: `5`"""
    cacheable: bool = True
    """Whether a token serves more than once; otherwise it is never stored. Example: `false`"""


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

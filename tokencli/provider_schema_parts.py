"""How a provider's requests are written and its replies read: words of the language in `spec`."""

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

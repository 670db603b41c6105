"""What may stand in a profile: one pydantic model per provider, and the JSON Schema made of them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    create_model,
)

from tokencli import provider_schema
from tokencli.config import validators
from tokencli.duration import MIN_DURATION
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, HMAC_ALGORITHMS
from tokencli.problems import InvalidValueError
from tokencli.providers.template import list_value_names
from tokencli.secret_sources import SECRET_SOURCES
from tokencli.token_store import TOKEN_STORES

if TYPE_CHECKING:
    StoreName: TypeAlias = str
else:
    StoreName = Literal[tuple(TOKEN_STORES)]

TextLine: TypeAlias = Annotated[str, AfterValidator(validators.validate_text)]
MODEL_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class KeyringEntryTable(BaseModel):
    """An entry of the OS keyring."""

    model_config = MODEL_CONFIG

    service: TextLine
    """The entry's service, as other programs see it."""
    username: TextLine
    """The entry's user name."""


_TARGET_TYPES: Mapping[str, Any] = {
    "variable": Annotated[str, AfterValidator(validators.validate_source_variable)],
    "path": TextLine,
    "argv": Annotated[list[TextLine], Field(min_length=1)],
    "flag": Literal[True],
    "keyring_item": KeyringEntryTable,
}
_SOURCE_FIELDS: dict[str, Any] = {
    kind: (_TARGET_TYPES[source.target_type] | None, Field(default=None, description=source.help))
    for kind, source in SECRET_SOURCES.items()
}
_PROFILE_FIELD: Any = (
    TextLine | None,
    Field(
        default=None,
        description="The token of another profile: for subject_token, actor_token and assertion.",
    ),
)

if TYPE_CHECKING:
    SecretSourceTable: TypeAlias = BaseModel
else:
    SecretSourceTable = create_model(
        "SecretSourceTable",
        __config__=ConfigDict(
            **MODEL_CONFIG, json_schema_extra={"minProperties": 1, "maxProperties": 1}
        ),
        __doc__="Where a secret is stored: exactly one of these. Without it: the OS keyring, filled by"
        " tokencli login.",
        **_SOURCE_FIELDS,
        profile=_PROFILE_FIELD,
    )


def _reject_inline_secret(value: object) -> object:
    """Refuse a secret that stands in the file itself, and say where it belongs."""
    if not isinstance(value, dict):
        raise InvalidValueError(
            "is a secret and must not stand in this file",
            "delete the line and store it with tokencli login {profile}; or name where it rests: "
            '{ env = "VAR" }, { file = "path" }, { command = ["pass", "show", "x"] } or '
            "{ prompt = true }",
            quote=False,
        )
    if len(value) > 1:
        raise InvalidValueError(
            "names more than one place", f"keep one of {', '.join(value)}", quote=False
        )
    if not value:
        raise InvalidValueError("names no place", 'such as { env = "VAR" }', quote=False)
    return value


CheckedSecretSource: TypeAlias = Annotated[
    SecretSourceTable, BeforeValidator(_reject_inline_secret)
]


EndpointUrl: TypeAlias = Annotated[str, AfterValidator(validators.url_validator(query=True))]
IssuerUrl: TypeAlias = Annotated[str, AfterValidator(validators.url_validator(query=False))]

ENDPOINT_BY_KEY: dict[str, str] = {
    "authorization_url": "authorization",
    "device_authorization_url": "device_authorization",
    "par_url": "pushed_authorization_request",
    "revocation_url": "revocation",
    "introspection_url": "introspection",
    "userinfo_url": "userinfo",
    "jwks_url": "jwks",
}
"""Key of a profile -> logical name of the endpoint whose URL it gives."""

KEY_BY_ENDPOINT: dict[str, str] = {
    "token": "token_url",
    "issuer": "issuer",
    **{name: key for key, name in ENDPOINT_BY_KEY.items()},
}
"""The other way round, token endpoint and issuer included."""

ENDPOINT_URL_KEYS = frozenset(KEY_BY_ENDPOINT.values()) - {"issuer"}
"""The keys whose value is an endpoint's whole URL, in which a query may stand."""

SIGN_IN_KEYS = ("browser", "interactive", "redirect_port", "par")


class ServerSettings(BaseModel):
    """Where the server's endpoints are, beside the token endpoint, and how a person signs in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    issuer: IssuerUrl | None = None
    """The server's own name; its metadata (RFC 8414, OpenID Connect Discovery) name its endpoints."""
    authorization_url: EndpointUrl | None = None
    """The authorization endpoint, for the grant authorization_code."""
    device_authorization_url: EndpointUrl | None = None
    """The device authorization endpoint, for the grant device_code."""
    par_url: EndpointUrl | None = None
    """The pushed authorization request endpoint (RFC 9126)."""
    revocation_url: EndpointUrl | None = None
    """The revocation endpoint (RFC 7009), for tokencli logout."""
    introspection_url: EndpointUrl | None = None
    """The introspection endpoint (RFC 7662), for tokencli inspect."""
    userinfo_url: EndpointUrl | None = None
    """The UserInfo endpoint (OpenID Connect Core section 5.3), for tokencli inspect."""
    jwks_url: EndpointUrl | None = None
    """The server's public keys, for tokencli inspect."""
    browser: StrictBool = True
    """Open a browser for signing in; without it the address is shown, to be opened anywhere."""
    interactive: StrictBool = False
    """Let get begin a sign-in where one is needed, as login does."""
    redirect_port: int | None = Field(default=None, ge=1, le=65535)
    """The port of the redirect URI http://127.0.0.1:PORT/callback, where the server wants one that is registered."""
    iss_in_redirect: StrictBool = False
    """The server puts iss into every redirect (RFC 9207), so one without it is refused; discovery finds that out by itself."""
    par: StrictBool = False
    """Push the authorization request to the server before the browser is opened (RFC 9126)."""


CLIENT_SECRET_KEYS = ("private_key", "key_passphrase", "subject_token", "actor_token", "assertion")
"""Keys of every profile whose values are places of secrets."""
TOKEN_SECRET_KEYS = ("subject_token", "actor_token", "assertion")
"""Those among them that are tokens, and so may be another profile's."""
TOKEN_TYPE_KEYS = ("subject_token_type", "actor_token_type", "requested_token_type")
"""Keys that go into the profile's values."""

TokenType: TypeAlias = Annotated[
    str,
    AfterValidator(validators.validate_token_type),
    WithJsonSchema({"type": "string", "examples": [*validators.TOKEN_TYPES]}),
]


class ClientSettings(BaseModel):
    """How the client proves who it is without a secret of a few letters, and what it trades."""

    model_config = MODEL_CONFIG

    private_key: CheckedSecretSource | None = None
    """Where the client's private key rests: PEM, a JWK, or the JSON file of a service account."""
    key_passphrase: CheckedSecretSource | None = None
    """Where the passphrase of private_key or client_key rests, if that is encrypted."""
    key_id: TextLine | None = None
    """The kid by which the server knows the private key."""
    signing_alg: Literal[*ASYMMETRIC_ALGORITHMS, *HMAC_ALGORITHMS] | None = None  # type: ignore[valid-type]
    """The algorithm of assertions, where the key's usual one (RS256, ES256, EdDSA, HS256) won't do."""
    assertion_audience: TextLine | None = None
    """The aud of assertions: issuer, token_endpoint, or the value that the server wants."""
    client_cert: TextLine | None = None
    """The client's certificate in PEM form: for TLS with client_key, else for x5t in assertions."""
    client_key: TextLine | None = None
    """The PEM file of the certificate's private key, for TLS client authentication (RFC 8705)."""
    dpop: StrictBool = False
    """Bind tokens to a key of this program's own, so that a stolen one is of no use (RFC 9449)."""
    subject_token: CheckedSecretSource | None = None
    """Where the token to be traded comes from, for the grant token_exchange (RFC 8693)."""
    subject_token_type: TokenType | None = None
    """What the subject token is; an access token where nothing is said."""
    actor_token: CheckedSecretSource | None = None
    """Where the token of the one who acts comes from, where that is somebody else."""
    actor_token_type: TokenType | None = None
    """What the actor token is; an access token where nothing is said."""
    requested_token_type: TokenType | None = None
    """What is wanted in exchange, where it is not an access token."""
    assertion: CheckedSecretSource | None = None
    """Where a ready-made assertion comes from, for the grant jwt_bearer; else private_key signs one."""


VariableName: TypeAlias = Annotated[
    str,
    AfterValidator(validators.validate_variable_name),
    WithJsonSchema(
        {"type": "string", "pattern": validators.VARIABLE_NAME_PATTERN, "examples": ["API_TOKEN"]}
    ),
]
StringOrList: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(validators.validate_strings),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s?)?$"},
        {"type": "number", "minimum": 0},
    ],
    "examples": ["45s", "5m", "1h30m"],
}
Duration: TypeAlias = Annotated[
    float, BeforeValidator(validators.duration_validator(0.0)), WithJsonSchema(_DURATION_SCHEMA)
]
PositiveDuration: TypeAlias = Annotated[
    float,
    BeforeValidator(validators.duration_validator(MIN_DURATION)),
    WithJsonSchema(_DURATION_SCHEMA),
]
RequestParams: TypeAlias = Annotated[
    dict[str, str | tuple[str, ...]],
    BeforeValidator(validators.validate_params),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"not": {"enum": list(validators.RESERVED_PARAMS)}},
            "additionalProperties": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
            },
        }
    ),
]


class ProfileTable(ServerSettings, ClientSettings):
    """Who somebody is to which token endpoint."""

    model_config = MODEL_CONFIG

    provider: str
    """How the endpoint speaks: a built-in provider or one of [providers]."""
    grant: str | None = None
    """The OAuth conversation to have; the provider's first where none is named."""
    token_url: EndpointUrl | None = None
    """The token endpoint, where the provider's own template does not give it."""
    client_id: TextLine | None = None
    """The client's id."""
    username: TextLine | None = None
    """The user's name, for the password grant."""
    password: CheckedSecretSource | None = None
    """Where the user's password rests."""
    client_secret: CheckedSecretSource | None = None
    """Where the client's secret rests."""
    scope: Annotated[TextLine, AfterValidator(validators.validate_scope)] | None = None
    """The scopes to ask for, separated by spaces."""
    audience: TextLine | None = None
    """The API that the token is for, where the server wants it named."""
    resource: Annotated[StringOrList, AfterValidator(validators.validate_resources)] | None = None
    """The resource, or resources, that the token is for (RFC 8707)."""
    client_auth: str | None = None
    """How the client proves who it is; the provider's first where none is named."""
    params: RequestParams | None = None
    """Further request parameters by their names on the wire."""
    grant_type: TextLine | None = None
    """The value of grant_type on the wire, where the server wants another."""
    allow_password_grant: StrictBool = False
    """Allow the password grant, which RFC 9700 section 2.4 forbids where there is any other way."""
    store: StoreName = "auto"
    """Where tokens rest: the OS keyring, the runtime directory, a file on disk, or nowhere."""
    hot_copy: StrictBool = True
    """Keep the access token in the memory-backed runtime directory too, so that get is quick."""
    export: VariableName = "ACCESS_TOKEN"
    """The variable that tokencli export sets."""
    min_ttl: Duration | None = None
    """The life that a stored token must have left."""
    timeout: PositiveDuration = 30.0
    """The longest that one exchange with the server may take."""
    lock_timeout: Duration = 30.0
    """The longest to wait for another process that is fetching the same token."""
    ca_file: TextLine | None = None
    """A CA bundle in PEM form, used instead of every other trust anchor."""
    proxy: Annotated[TextLine, AfterValidator(validators.validate_proxy)] | None = None
    """The proxy's URL, or none; the environment decides where this is absent."""
    insecure: StrictBool = False
    """Accept any certificate. Anybody on the way can then read and change what is sent."""
    allow_insecure_password: StrictBool = False
    """Send a password, or a refresh token, even though insecure is set."""
    allow_http: StrictBool = False
    """Allow http to a loopback address such as 127.0.0.1."""
    basic_encoding: Literal["rfc6749", "raw"] = "rfc6749"
    """How id and secret are written into HTTP Basic: form-encoded (RFC 6749 section 2.3.1) or not."""


COMMON_KEYS: frozenset[str] = frozenset(ProfileTable.model_fields)
REDEFINABLE_KEYS = frozenset(
    ("client_id", "username", "password", "client_secret", *KEY_BY_ENDPOINT.values())
)
"""Common keys that a provider may describe in its own words."""


def build_profile_model(provider: provider_schema.Provider) -> type[ProfileTable]:
    """Build the model of that provider's profiles: the common keys and its own."""
    whole = {
        list_value_names(t)[0]
        for t in _endpoint_templates(provider)
        if t.startswith("{") and t.endswith("}")
    }
    keys: dict[str, Any] = {
        "provider": (Literal[provider.name], Field(description=provider.title)),
        "grant": _choice_field("grant", tuple(provider.grants)),
        "client_auth": _choice_field("client_auth", provider.client_auth),
    }
    for name, field in provider.fields.items():
        # Under a name of its own, so that no field can hide an attribute of pydantic's.
        key = name if name in COMMON_KEYS else f"field_{name}"
        keys[key] = (
            _field_type(field, whole=name in whole or name in ENDPOINT_URL_KEYS) | None,
            Field(
                default=None,
                alias=name,
                description=_field_description(field),
                **_field_examples(field),
            ),
        )
    title = provider.name.replace("-", " ").title().replace(" ", "") + "Profile"
    return create_model(title, __base__=ProfileTable, __doc__=provider.title, **keys)


def explicit_values(model: ProfileTable) -> dict[str, Any]:
    """Return what a profile says itself, by key: no defaults."""
    fields = type(model).model_fields
    return {fields[key].alias or key: getattr(model, key) for key in model.model_fields_set}


def allowed_keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """List the keys that may stand in such a table, or in the secret's place at `path` inside."""
    if path:
        model = KeyringEntryTable if path[-1] == "keyring" else SecretSourceTable
    return tuple(field.alias or key for key, field in model.model_fields.items())


def secret_key_names(provider: provider_schema.Provider) -> frozenset[str]:
    """Name the keys whose values must never be shown."""
    own = (name for name, field in provider.fields.items() if field.kind == "secret")
    return frozenset(("password", "client_secret", *CLIENT_SECRET_KEYS, *own))


def _choice_field(name: str, choices: tuple[str, ...]) -> tuple[Any, Any]:
    about = ProfileTable.model_fields[name].description
    return Literal[choices] | None, Field(default=None, description=about)


def _endpoint_templates(provider: provider_schema.Provider) -> tuple[str, ...]:
    points = provider.endpoints
    all_of_them = (getattr(points, field.name) for field in fields(points))
    return tuple(template for template in all_of_them if template)


def _field_type(field: provider_schema.Field, *, whole: bool) -> Any:
    types: Mapping[str, Any] = {
        "text": TextLine,
        "secret": CheckedSecretSource,
        "host": Annotated[str, AfterValidator(validators.host_validator(field.port))],
        "url": Annotated[str, AfterValidator(validators.url_validator(query=whole))],
    }
    return types[field.kind]


def _field_description(field: provider_schema.Field) -> str:
    return f"{field.ask}: {field.help}" if field.help else field.ask


def _field_examples(field: provider_schema.Field) -> dict[str, Any]:
    shown = [text for text in (field.example, field.default) if text]
    return {"examples": shown} if shown and field.kind != "secret" else {}

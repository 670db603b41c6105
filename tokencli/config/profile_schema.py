"""The keys of a profile, as pydantic models: one per provider, made from one common model.

The docstring below each key is its description in the JSON Schema and in the manual.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, cast

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
from tokencli.humanize import join_alternatives
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, HMAC_ALGORITHMS
from tokencli.models import DEFAULT_REDIRECT_PATH
from tokencli.oauth.grants import EXCHANGED_SECRETS
from tokencli.problems import InvalidValueError
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT
from tokencli.providers.template import list_value_names
from tokencli.secret_sources import SECRET_SOURCES, list_example_tables
from tokencli.token_store import TOKEN_STORES

if TYPE_CHECKING:
    StoreName: TypeAlias = str
else:
    StoreName = Literal[tuple(TOKEN_STORES)]

MODEL_CONFIG = ConfigDict(extra="forbid", protected_namespaces=(), defer_build=True)
"""Each model is built when it first validates, and most commands use one of them."""

VALUE_KEYS = (
    "client_id",
    "username",
    "grant_type",
    "subject_token_type",
    "actor_token_type",
    "requested_token_type",
)
"""Keys that become `Profile.values`, from which grants and templates read them."""
SIGN_IN_KEYS = ("browser", "interactive", "redirect_host", "redirect_port", "redirect_path", "par")
"""Keys that become `models.SignIn`."""

ENDPOINT_URL_KEYS = frozenset(KEY_BY_ENDPOINT.values()) - {"issuer"}
"""Keys whose value is the whole URL of an endpoint, so it may have a query."""


class TopLevelKey(NamedTuple):
    """A key at the top level of the configuration file."""

    kind: type
    wanted: str
    """What its value must be, for a message."""
    description: str


TOP_LEVEL_KEYS: dict[str, TopLevelKey] = {
    "default_profile": TopLevelKey(
        str, "text in quotes", "The profile used if a command names none."
    ),
    "state_dir": TopLevelKey(
        str,
        "text in quotes",
        "The directory for the locks, journals and file store of this configuration.",
    ),
    "isolated": TopLevelKey(
        bool,
        "true or false",
        "Whether to use only `state_dir`, and neither the OS keyring nor the runtime directory. Data"
        " that other configurations stored under the same profile names is then left alone, tokens"
        " are stored in files, and secrets must come from a source other than the keyring.",
    ),
    "event_log": TopLevelKey(
        bool,
        "true or false",
        "Whether to record what happens to tokens in the event log, which `tokencli log` shows."
        " Default: true.",
    ),
    "profiles": TopLevelKey(
        dict,
        "tables: [profiles.NAME]",
        "Profiles by name. Each defines a token endpoint and the credentials to use there.",
    ),
    "providers": TopLevelKey(
        dict,
        "tables: [providers.NAME]",
        "Your own providers by name, in the same format as the built-in ones.",
    ),
}

TextLine: TypeAlias = Annotated[str, AfterValidator(validators.validate_text)]
EndpointUrl: TypeAlias = Annotated[str, AfterValidator(validators.url_validator(query=True))]
IssuerUrl: TypeAlias = Annotated[str, AfterValidator(validators.url_validator(query=False))]
ApiUrl: TypeAlias = Annotated[str, AfterValidator(validators.validate_api_url)]
TokenType: TypeAlias = Annotated[
    str,
    AfterValidator(validators.validate_token_type),
    WithJsonSchema({"type": "string", "examples": [*validators.TOKEN_TYPES]}),
]
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
    "examples": ["5m", "45s", "1h30m"],
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


class KeyringEntryTable(BaseModel):
    """An entry of the OS keyring."""

    model_config = MODEL_CONFIG

    service: TextLine
    """The service of the entry, as other programs see it."""
    username: TextLine
    """The user name of the entry."""


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
        description=f"The token of another profile: for {', '.join(EXCHANGED_SECRETS)}.",
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
        __doc__="Where a secret is stored: exactly one of these keys. Without the table, the secret is"
        " in the OS keyring, where tokencli login stores it.",
        **_SOURCE_FIELDS,
        profile=_PROFILE_FIELD,
    )


def _reject_inline_secret(value: object) -> object:
    """Reject a secret written into the file itself, and say where to store it."""
    if not isinstance(value, dict):
        raise InvalidValueError(
            "is a secret, which must not be written in this file",
            "delete the line and store it with tokencli login {profile}; or say where it is stored: "
            f"{join_alternatives(list_example_tables())}",
            quote=False,
        )
    if len(value) > 1:
        raise InvalidValueError(
            "names more than one secret source", f"keep one of {', '.join(value)}", quote=False
        )
    if not value:
        raise InvalidValueError("names no secret source", 'e.g. { env = "VAR" }', quote=False)
    return value


CheckedSecretSource: TypeAlias = Annotated[
    SecretSourceTable, BeforeValidator(_reject_inline_secret)
]


class ProfileTable(BaseModel):
    """A profile: a token endpoint and the credentials to use there."""

    model_config = MODEL_CONFIG

    provider: str
    """The provider, built-in or from [providers], that describes the token endpoint."""
    grant: str | None = None
    """The OAuth grant to use; by default the provider's first."""
    client_auth: str | None = None
    """How the client authenticates at the token endpoint; by default the provider's first method."""

    # Who you are.
    client_id: TextLine | None = None
    """The client ID that the server registered for this client."""
    client_secret: CheckedSecretSource | None = None
    """Where the client secret is stored."""
    username: TextLine | None = None
    """The user name, for the password grant and as the subject of a jwt_bearer assertion."""
    password: CheckedSecretSource | None = None
    """Where the user's password is stored."""

    # What to ask for.
    scope: Annotated[TextLine, AfterValidator(validators.validate_scope)] | None = None
    """The scopes to request, separated by single spaces."""
    audience: TextLine | None = None
    """The API that the token is for, if the server expects an audience parameter."""
    resource: Annotated[StringOrList, AfterValidator(validators.validate_resources)] | None = None
    """The resource that the token is for, or an array of them (RFC 8707)."""
    params: RequestParams | None = None
    """Additional parameters of the token request, by their names on the wire."""
    grant_type: TextLine | None = None
    """The value of the grant_type parameter, if the server expects a non-standard one."""

    # Endpoints.
    token_url: EndpointUrl | None = None
    """The URL of the token endpoint, if the provider's template doesn't give it."""
    issuer: IssuerUrl | None = None
    """The issuer, whose metadata supplies the endpoints (RFC 8414 and OpenID Connect Discovery)."""
    authorization_url: EndpointUrl | None = None
    """The URL of the authorization endpoint, for the grant authorization_code."""
    device_authorization_url: EndpointUrl | None = None
    """The URL of the device authorization endpoint, for the grant device_code."""
    par_url: EndpointUrl | None = None
    """The URL of the pushed authorization request endpoint (RFC 9126)."""
    revocation_url: EndpointUrl | None = None
    """The URL of the revocation endpoint (RFC 7009), for tokencli logout."""
    introspection_url: EndpointUrl | None = None
    """The URL of the introspection endpoint (RFC 7662), for tokencli inspect."""
    userinfo_url: EndpointUrl | None = None
    """The URL of the UserInfo endpoint (OpenID Connect Core section 5.3), for tokencli inspect."""
    jwks_url: EndpointUrl | None = None
    """The URL of the server's public keys, for tokencli inspect."""
    api_url: ApiUrl | None = None
    """The base URL of the API that the token is for, for tokencli request and tokencli curl."""

    # Interactive sign-in.
    browser: StrictBool = True
    """Open a browser to sign in; if false, only show the URL to open."""
    interactive: StrictBool = False
    """Let tokencli get start an interactive sign-in when one is needed."""
    redirect_host: Literal["127.0.0.1", "localhost"] | None = None
    """The host of the redirect URI that the client registered; by default 127.0.0.1."""
    redirect_port: int | None = Field(default=None, ge=1, le=65535)
    """The port of the redirect URI, if the client registered one; by default any free port."""
    redirect_path: Annotated[str, AfterValidator(validators.validate_redirect_path)] = (
        DEFAULT_REDIRECT_PATH
    )
    """The path of the redirect URI, e.g. / or an empty text for http://localhost."""
    iss_in_redirect: StrictBool = False
    """Require iss in the authorization response (RFC 9207); discovery turns it on if supported."""
    par: StrictBool = False
    """Push the authorization request to the server before the browser opens (RFC 9126)."""
    allow_password_grant: StrictBool = False
    """Allow the password grant, which RFC 9700 section 2.4 forbids. Built-in providers that are made for
    it don't need this key."""

    # Keys, certificates and assertions.
    private_key: CheckedSecretSource | None = None
    """Where the client's private key is stored: PEM, a JWK or a service account's JSON file."""
    key_passphrase: CheckedSecretSource | None = None
    """Where the passphrase of an encrypted private_key or client_key is stored."""
    key_id: TextLine | None = None
    """The key ID (kid) under which the server registered the private key."""
    signing_alg: Literal[*ASYMMETRIC_ALGORITHMS, *HMAC_ALGORITHMS] | None = None  # type: ignore[valid-type]
    """The JWS algorithm of assertions; by default RS256, ES256, EdDSA or HS256, as the key requires."""
    assertion_audience: TextLine | None = None
    """The audience (aud) of assertions: issuer, token_endpoint, or any other value."""
    client_cert: TextLine | None = None
    """The client certificate (PEM file): for mutual TLS with client_key, else for x5t in assertions."""
    client_key: TextLine | None = None
    """The private key of client_cert (PEM file), for mutual TLS (RFC 8705)."""
    dpop: StrictBool = False
    """Bind tokens to a key that tokencli generates, so that a stolen token is useless (RFC 9449)."""
    basic_encoding: Literal["rfc6749", "raw"] = "rfc6749"
    """Encoding of ID and secret in HTTP Basic: form-encoded (RFC 6749 section 2.3.1) or raw."""

    # Token exchange and assertions.
    subject_token: CheckedSecretSource | None = None
    """Where the token to exchange comes from, for the grant token_exchange (RFC 8693)."""
    subject_token_type: TokenType | None = None
    """The type of the subject token; by default access_token."""
    actor_token: CheckedSecretSource | None = None
    """Where the token of the acting party comes from, for delegation with token_exchange."""
    actor_token_type: TokenType | None = None
    """The type of the actor token; by default access_token."""
    requested_token_type: TokenType | None = None
    """The type of token to request in exchange; by default access_token."""
    assertion: CheckedSecretSource | None = None
    """Where a ready-made assertion comes from, for jwt_bearer; by default private_key signs one."""

    # Storage and output.
    store: StoreName = "auto"
    """Where tokens are stored: OS keyring, runtime directory, file, or nowhere."""
    hot_copy: StrictBool = True
    """Cache the access token in the memory-backed runtime directory, which makes get fast."""
    export: VariableName = "ACCESS_TOKEN"
    """The environment variable that tokencli export sets."""
    min_ttl: Duration | None = None
    """The minimum remaining lifetime of a stored token."""

    # Connection.
    timeout: PositiveDuration = 30.0
    """The timeout of one exchange with the server."""
    lock_timeout: Duration = 30.0
    """How long to wait for another process that is fetching the same token."""
    ca_file: TextLine | None = None
    """A CA bundle (PEM file) to trust instead of the system's certificate authorities."""
    proxy: Annotated[TextLine, AfterValidator(validators.validate_proxy)] | None = None
    """The URL of the proxy, or none; by default that of the environment, or else of Windows or macOS."""
    insecure: StrictBool = False
    """Accept any TLS certificate; anyone on the network path can then read and change traffic."""
    allow_insecure_password: StrictBool = False
    """Allow sending a password or a refresh token even though insecure is set."""
    allow_http: StrictBool = False
    """Allow http to a loopback address such as 127.0.0.1 or to a cloud's metadata service."""


COMMON_KEYS: frozenset[str] = frozenset(ProfileTable.model_fields)
SECRET_KEYS = frozenset(
    key
    for key, field in ProfileTable.model_fields.items()
    if field.annotation == CheckedSecretSource | None
)
"""Common keys whose values are references to secrets."""
REDEFINABLE_KEYS = frozenset(
    ("client_id", "username", "password", "client_secret", "api_url", *KEY_BY_ENDPOINT.values())
)
"""Common keys that a provider may redefine as its own fields."""


def build_profile_model(provider: provider_schema.Provider) -> type[ProfileTable]:
    """Build the model of that provider's profiles: the common keys and the provider's fields."""
    whole_urls = {
        list_value_names(t)[0]
        for t in _endpoint_templates(provider)
        if t.startswith("{") and t.endswith("}")
    }
    keys: dict[str, Any] = {
        "provider": (Literal[provider.name], Field(description=provider.title)),
        "grant": (Literal[tuple(provider.grants)] | None, None),
        "client_auth": (Literal[provider.client_auth] | None, None),
    }
    for name, field in provider.fields.items():
        # Prefixed, so that no field can hide an attribute of pydantic.
        key = name if name in COMMON_KEYS else f"field_{name}"
        keys[key] = (
            _field_type(field, whole=name in whole_urls or name in ENDPOINT_URL_KEYS) | None,
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
    """Return the keys that a profile sets, without defaults."""
    fields = type(model).model_fields
    return {fields[key].alias or key: getattr(model, key) for key in model.model_fields_set}


def allowed_keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """List the keys allowed in the table, or in the secret reference at `path` inside it."""
    if path:
        source = SECRET_SOURCES.get(path[-1])
        target = _TARGET_TYPES[source.target_type] if source else None
        is_table = isinstance(target, type) and issubclass(target, BaseModel)
        model = cast("type[BaseModel]", target) if is_table else SecretSourceTable
    return tuple(field.alias or key for key, field in model.model_fields.items())


def secret_key_names(provider: provider_schema.Provider) -> frozenset[str]:
    """Return the keys whose values must never be shown."""
    fields = (name for name, field in provider.fields.items() if field.kind == "secret")
    return SECRET_KEYS.union(fields)


def _endpoint_templates(provider: provider_schema.Provider) -> tuple[str, ...]:
    endpoints = provider.endpoints
    templates = (getattr(endpoints, field.name) for field in fields(endpoints))
    return tuple(template for template in templates if template)


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
    examples = [text for text in (field.example, field.default) if text]
    return {"examples": examples} if examples and field.kind != "secret" else {}

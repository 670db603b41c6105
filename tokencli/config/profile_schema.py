"""What may stand in a profile: one pydantic model per provider, and the JSON Schema made of them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StrictBool,
    WithJsonSchema,
    create_model,
)

from tokencli import provider_schema
from tokencli.config import validators
from tokencli.config.client_keys import CLIENT_SECRET_KEYS, ClientSettings
from tokencli.config.duration import MIN_DURATION
from tokencli.config.secret_ref_schema import (
    MODEL_CONFIG,
    CheckedSecretSource,
    KeyringEntryTable,
    SecretSourceTable,
    TextLine,
)
from tokencli.config.server_keys import (
    ENDPOINT_URL_KEYS,
    KEY_BY_ENDPOINT,
    EndpointUrl,
    ServerSettings,
)
from tokencli.providers.template import list_value_names

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
    store: Literal["auto", "keyring", "runtime", "file", "none"] = "auto"
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

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

from tokencli.config import rules
from tokencli.config.client_keys import CLIENT_SECRETS, ClientKeys
from tokencli.config.duration import SHORTEST
from tokencli.config.places import CONFIG, KeyringPlace, SecretPlace, SecretRefTable, Text
from tokencli.config.server_keys import ENDPOINTS, KEYS, ServerKeys, Url
from tokencli.providers import spec
from tokencli.providers.template import names

Variable: TypeAlias = Annotated[
    str,
    AfterValidator(rules.variable),
    WithJsonSchema({"type": "string", "pattern": rules.VARIABLE_NAME, "examples": ["API_TOKEN"]}),
]
Strings: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(rules.strings),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_DURATION = {
    "anyOf": [
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s?)?$"},
        {"type": "number", "minimum": 0},
    ],
    "examples": ["45s", "5m", "1h30m"],
}
Duration: TypeAlias = Annotated[
    float, BeforeValidator(rules.seconds(0.0)), WithJsonSchema(_DURATION)
]
Deadline: TypeAlias = Annotated[
    float, BeforeValidator(rules.seconds(SHORTEST)), WithJsonSchema(_DURATION)
]
Params: TypeAlias = Annotated[
    dict[str, str | tuple[str, ...]],
    BeforeValidator(rules.params),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"not": {"enum": list(rules.RESERVED)}},
            "additionalProperties": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
            },
        }
    ),
]


class ProfileTable(ServerKeys, ClientKeys):
    """Who somebody is to which token endpoint."""

    model_config = CONFIG

    provider: str
    """How the endpoint speaks: a built-in provider or one of [providers]."""
    grant: str | None = None
    """The OAuth conversation to have; the provider's first where none is named."""
    token_url: Url | None = None
    """The token endpoint, where the provider's own template does not give it."""
    client_id: Text | None = None
    """The client's id."""
    username: Text | None = None
    """The user's name, for the password grant."""
    password: SecretRefTable | None = None
    """Where the user's password rests."""
    client_secret: SecretRefTable | None = None
    """Where the client's secret rests."""
    scope: Annotated[Text, AfterValidator(rules.scope)] | None = None
    """The scopes to ask for, separated by spaces."""
    audience: Text | None = None
    """The API that the token is for, where the server wants it named."""
    resource: Annotated[Strings, AfterValidator(rules.resources)] | None = None
    """The resource, or resources, that the token is for (RFC 8707)."""
    client_auth: str | None = None
    """How the client proves who it is; the provider's first where none is named."""
    params: Params | None = None
    """Further request parameters by their names on the wire."""
    grant_type: Text | None = None
    """The value of grant_type on the wire, where the server wants another."""
    allow_password_grant: StrictBool = False
    """Allow the password grant, which RFC 9700 section 2.4 forbids where there is any other way."""
    store: Literal["auto", "keyring", "runtime", "file", "none"] = "auto"
    """Where tokens rest: the OS keyring, the runtime directory, a file on disk, or nowhere."""
    hot_copy: StrictBool = True
    """Keep the access token in the memory-backed runtime directory too, so that get is quick."""
    export: Variable = "ACCESS_TOKEN"
    """The variable that tokencli export sets."""
    min_ttl: Duration | None = None
    """The life that a stored token must have left."""
    timeout: Deadline = 30.0
    """The longest that one exchange with the server may take."""
    lock_timeout: Duration = 30.0
    """The longest to wait for another process that is fetching the same token."""
    ca_file: Text | None = None
    """A CA bundle in PEM form, used instead of every other trust anchor."""
    proxy: Annotated[Text, AfterValidator(rules.proxy)] | None = None
    """The proxy's URL, or none; the environment decides where this is absent."""
    insecure: StrictBool = False
    """Accept any certificate. Anybody on the way can then read and change what is sent."""
    allow_insecure_password: StrictBool = False
    """Send a password, or a refresh token, even though insecure is set."""
    allow_http: StrictBool = False
    """Allow http to a loopback address such as 127.0.0.1."""
    basic_encoding: Literal["rfc6749", "raw"] = "rfc6749"
    """How id and secret are written into HTTP Basic: form-encoded (RFC 6749 section 2.3.1) or not."""


COMMON: frozenset[str] = frozenset(ProfileTable.model_fields)
OVERLAID = frozenset(("client_id", "username", "password", "client_secret", *KEYS.values()))
"""Common keys that a provider may describe in its own words."""


def profile_model(provider: spec.Provider) -> type[ProfileTable]:
    """Build the model of that provider's profiles: the common keys and its own."""
    whole = {names(t)[0] for t in _templates(provider) if t.startswith("{") and t.endswith("}")}
    keys: dict[str, Any] = {
        "provider": (Literal[provider.name], Field(description=provider.title)),
        "grant": _choice("grant", tuple(provider.grants)),
        "client_auth": _choice("client_auth", provider.client_auth),
    }
    for name, field in provider.fields.items():
        # Under a name of its own, so that no field can hide an attribute of pydantic's.
        key = name if name in COMMON else f"field_{name}"
        keys[key] = (
            _type(field, whole=name in whole or name in ENDPOINTS) | None,
            Field(default=None, alias=name, description=_described(field), **_examples(field)),
        )
    title = provider.name.replace("-", " ").title().replace(" ", "") + "Profile"
    return create_model(title, __base__=ProfileTable, __doc__=provider.title, **keys)


def given(model: ProfileTable) -> dict[str, Any]:
    """Return what a profile says itself, by key: no defaults."""
    fields = type(model).model_fields
    return {fields[key].alias or key: getattr(model, key) for key in model.model_fields_set}


def keys_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """List the keys that may stand in such a table, or in the secret's place at `path` inside."""
    if path:
        model = KeyringPlace if path[-1] == "keyring" else SecretPlace
    return tuple(field.alias or key for key, field in model.model_fields.items())


def secret_keys(provider: spec.Provider) -> frozenset[str]:
    """Name the keys whose values must never be shown."""
    own = (name for name, field in provider.fields.items() if field.kind == "secret")
    return frozenset(("password", "client_secret", *CLIENT_SECRETS, *own))


def _choice(name: str, choices: tuple[str, ...]) -> tuple[Any, Any]:
    about = ProfileTable.model_fields[name].description
    return Literal[choices] | None, Field(default=None, description=about)


def _templates(provider: spec.Provider) -> tuple[str, ...]:
    points = provider.endpoints
    all_of_them = (getattr(points, field.name) for field in fields(points))
    return tuple(template for template in all_of_them if template)


def _type(field: spec.Field, *, whole: bool) -> Any:
    types: Mapping[str, Any] = {
        "text": Text,
        "secret": SecretRefTable,
        "host": Annotated[str, AfterValidator(rules.host(field.port))],
        "url": Annotated[str, AfterValidator(rules.url(query=whole))],
    }
    return types[field.kind]


def _described(field: spec.Field) -> str:
    return f"{field.ask}: {field.help}" if field.help else field.ask


def _examples(field: spec.Field) -> dict[str, Any]:
    shown = [text for text in (field.example, field.default) if text]
    return {"examples": shown} if shown and field.kind != "secret" else {}

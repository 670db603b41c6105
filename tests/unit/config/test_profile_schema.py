"""The JSON Schema: an editor completes exactly the keys that load."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tokencli.config.json_schema import build_json_schema
from tokencli.config.profile_schema import COMMON_KEYS, allowed_keys, build_profile_model
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT

SCHEMA = build_json_schema()


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a schema."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def model_of(provider: str) -> dict[str, Any]:
    """Return the schema of a provider's profiles."""
    for definition in SCHEMA["$defs"].values():
        if definition.get("properties", {}).get("provider", {}).get("const") == provider:
            return dict(definition)
    raise AssertionError(provider)


def test_schema_is_json_with_valid_references() -> None:
    """It can be serialized, and every $ref resolves."""
    json.dumps(SCHEMA)
    for node in nodes(SCHEMA):
        if isinstance(node.get("$ref"), str):
            assert node["$ref"].removeprefix("#/$defs/") in SCHEMA["$defs"]


def test_schema_has_no_null() -> None:
    """TOML has no null, so no key offers it."""
    assert not any(node.get("type") == "null" for node in nodes(SCHEMA))


def test_a_profile_can_set_every_endpoint() -> None:
    """The URL of each endpoint that a provider can have is a key of profiles."""
    assert set(KEY_BY_ENDPOINT.values()) <= COMMON_KEYS


@pytest.mark.parametrize("provider", BUILTIN_NAMES)
def test_keys_of_each_provider(provider: str) -> None:
    """Exactly the keys that load are offered, and each is described."""
    properties = model_of(provider)["properties"]
    assert set(properties) == set(allowed_keys(build_profile_model(load_builtin(provider))))
    assert model_of(provider)["additionalProperties"] is False
    for key, value in properties.items():
        assert value.get("description"), key


def test_user_defined_provider_may_have_any_field() -> None:
    """Other profiles accept the common keys and any additional one."""
    own = SCHEMA["$defs"]["ProfileTable"]
    assert own["additionalProperties"] is True
    assert own["properties"]["provider"]["not"]["enum"] == list(BUILTIN_NAMES)


def test_provider_keys_are_described() -> None:
    """The keys of [providers.NAME] have their reference text."""
    for name in (
        "Provider",
        "Grant",
        "Field",
        "Endpoints",
        "Request",
        "Reply",
        "Errors",
        "ErrorMeaning",
    ):
        for key, value in SCHEMA["$defs"][name]["properties"].items():
            assert value.get("description"), (name, key)

"""The JSON Schema of the configuration file, for completion and checks in an editor."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from tokencli.config import validators
from tokencli.config.profile_schema import TOP_LEVEL_KEYS, ProfileTable, build_profile_model
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.providers.reference import TomlSchemaGenerator


def build_json_schema() -> dict[str, Any]:
    """Return the schema of the whole file; the keys of a profile depend on its `provider`."""
    models: list[type[BaseModel]] = [
        build_profile_model(load_builtin(name)) for name in BUILTIN_NAMES
    ]
    models.append(ProfileTable)
    references, schema = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/$defs/{model}",
        schema_generator=TomlSchemaGenerator,
    )
    definitions: dict[str, Any] = schema["$defs"]
    provider = TypeAdapter(Provider).json_schema(
        ref_template="#/$defs/{model}", schema_generator=TomlSchemaGenerator
    )
    definitions |= provider.pop("$defs")
    provider["properties"].pop("name")  # the table's own name
    definitions["Provider"] = provider
    _allow_extra_keys(definitions["ProfileTable"])
    profiles = [references[(model, "validation")] for model in models]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tokencli configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "default_profile": {
                "type": "string",
                "pattern": validators.PROFILE_NAME_PATTERN,
                "description": TOP_LEVEL_KEYS["default_profile"].description,
            },
            "state_dir": {
                "type": "string",
                "description": TOP_LEVEL_KEYS["state_dir"].description,
            },
            "isolated": {
                "type": "boolean",
                "description": TOP_LEVEL_KEYS["isolated"].description,
            },
            "event_log": {
                "type": "boolean",
                "description": TOP_LEVEL_KEYS["event_log"].description,
            },
            "profiles": {
                "type": "object",
                "description": TOP_LEVEL_KEYS["profiles"].description,
                "propertyNames": {"pattern": validators.PROFILE_NAME_PATTERN},
                "additionalProperties": {"oneOf": profiles},
            },
            "providers": {
                "type": "object",
                "description": TOP_LEVEL_KEYS["providers"].description,
                "propertyNames": {
                    "pattern": validators.PROFILE_NAME_PATTERN,
                    "not": {"enum": list(BUILTIN_NAMES)},
                },
                "additionalProperties": {"$ref": "#/$defs/Provider"},
            },
        },
        "$defs": dict(sorted(definitions.items())),
    }


def _allow_extra_keys(schema: dict[str, Any]) -> None:
    """Turn the common model into that of a user-defined provider, whose fields are additional keys."""
    schema["title"] = "A profile of a user-defined provider"
    schema["additionalProperties"] = True
    schema["properties"]["provider"] |= {"not": {"enum": list(BUILTIN_NAMES)}}

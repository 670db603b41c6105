"""Write the JSON Schema by which an editor completes and checks the configuration file."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from tokencli.config import validators
from tokencli.config.profile_schema import ProfileTable, build_profile_model
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.providers.reference import TomlSchemaGenerator


def build_json_schema() -> dict[str, Any]:
    """Return the schema of the whole file; a profile's keys are those of its `provider`."""
    models: list[type[BaseModel]] = [
        build_profile_model(load_builtin(name)) for name in BUILTIN_NAMES
    ]
    models.append(ProfileTable)
    references, rest = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/$defs/{model}",
        schema_generator=TomlSchemaGenerator,
    )
    definitions: dict[str, Any] = rest["$defs"]
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
                "description": "The profile that is meant where none is named.",
            },
            "state_dir": {
                "type": "string",
                "description": "Where locks, journals and the file store of this configuration rest.",
            },
            "profiles": {
                "type": "object",
                "description": "Who you are to which token endpoint, by a name of your own.",
                "propertyNames": {"pattern": validators.PROFILE_NAME_PATTERN},
                "additionalProperties": {"oneOf": profiles},
            },
            "providers": {
                "type": "object",
                "description": "Token endpoints of your own, in the words of the built-in providers.",
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
    """Make the common model that of a user's own provider: any further key may be one of its fields."""
    schema["title"] = "A profile of one of your own providers"
    schema["additionalProperties"] = True
    schema["properties"]["provider"] |= {"not": {"enum": list(BUILTIN_NAMES)}}

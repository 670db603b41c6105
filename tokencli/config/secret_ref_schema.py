"""Where a secret rests, in the words of the configuration."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tokencli.config import validators
from tokencli.problems import InvalidValueError

TextLine: TypeAlias = Annotated[str, AfterValidator(validators.validate_text)]
MODEL_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class KeyringEntryTable(BaseModel):
    """An entry of the OS keyring."""

    model_config = MODEL_CONFIG

    service: TextLine
    """The entry's service, as other programs see it."""
    username: TextLine
    """The entry's user name."""


class SecretSourceTable(BaseModel):
    """Where a secret rests: exactly one of these. Without it: the OS keyring, by tokencli login."""

    model_config = ConfigDict(
        **MODEL_CONFIG, json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )

    env: Annotated[str, AfterValidator(validators.validate_source_variable)] | None = None
    """The environment variable that holds it."""
    file: TextLine | None = None
    """The file that holds it; relative to this file's folder; ~ is the home folder."""
    command: list[TextLine] | None = Field(default=None, min_length=1)
    """The program that prints it, and its arguments, run without a shell."""
    prompt: Literal[True] | None = None
    """Ask for it each time."""
    stdin: Literal[True] | None = None
    """Read it from stdin each time."""
    profile: TextLine | None = None
    """The token of another profile: for subject_token, actor_token and assertion."""
    keyring: KeyringEntryTable | None = None
    """An entry of the OS keyring other than tokencli's own."""


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

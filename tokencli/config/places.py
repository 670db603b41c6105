"""Where a secret rests, in the words of the configuration."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tokencli.config import rules
from tokencli.config.findings import Wrong

Text: TypeAlias = Annotated[str, AfterValidator(rules.text)]
CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class KeyringPlace(BaseModel):
    """An entry of the OS keyring."""

    model_config = CONFIG

    service: Text
    """The entry's service, as other programs see it."""
    username: Text
    """The entry's user name."""


class SecretPlace(BaseModel):
    """Where a secret rests: exactly one of these. Without it: the OS keyring, by tokencli login."""

    model_config = ConfigDict(**CONFIG, json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: Annotated[str, AfterValidator(rules.variable_to_read)] | None = None
    """The environment variable that holds it."""
    file: Text | None = None
    """The file that holds it; relative to this file's folder; ~ is the home folder."""
    command: list[Text] | None = Field(default=None, min_length=1)
    """The program that prints it, and its arguments, run without a shell."""
    prompt: Literal[True] | None = None
    """Ask for it each time."""
    stdin: Literal[True] | None = None
    """Read it from stdin each time."""
    profile: Text | None = None
    """The token of another profile: for subject_token, actor_token and assertion."""
    keyring: KeyringPlace | None = None
    """An entry of the OS keyring other than tokencli's own."""


def _place(value: object) -> object:
    """Refuse a secret that stands in the file itself, and say where it belongs."""
    if not isinstance(value, dict):
        raise Wrong(
            "is a secret and must not stand in this file",
            "delete the line and store it with tokencli login {profile}; or name where it rests: "
            '{ env = "VAR" }, { file = "path" }, { command = ["pass", "show", "x"] } or '
            "{ prompt = true }",
            quote=False,
        )
    if len(value) > 1:
        raise Wrong("names more than one place", f"keep one of {', '.join(value)}", quote=False)
    if not value:
        raise Wrong("names no place", 'such as { env = "VAR" }', quote=False)
    return value


SecretRefTable: TypeAlias = Annotated[SecretPlace, BeforeValidator(_place)]

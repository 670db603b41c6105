"""Secret sources: one file and one row in this table for each.

To add a source, write a module with a class that implements `protocols.SecretSource` and add its
row here. The configuration key, its validation, the JSON Schema and `--secret NAME=KIND:TARGET`
follow from the row. What a user is told if the secret is missing is in the class.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from tokencli import platforms
from tokencli.errors import CredentialsError, UsageError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Secret
from tokencli.shell_words import quote

if TYPE_CHECKING:
    from tokencli.protocols import SecretSource, Terminal

TargetType = Literal["variable", "path", "argv", "flag", "keyring_item"]
"""What the configuration names: an environment variable, a file relative to the configuration, a
program with its arguments, only `true`, or a table with `service` and `username`."""


@dataclass(frozen=True, slots=True)
class SecretSourceSpec:
    """A row of the table."""

    implementation: str
    """`module:class`; the class is called with the keywords `environ` and `terminal`."""
    target_type: TargetType
    help: str
    """Description of the configuration key."""


SECRET_SOURCES: dict[str, SecretSourceSpec] = {
    "env": SecretSourceSpec(
        "tokencli.secret_sources.env:EnvSource",
        "variable",
        "The environment variable that holds it.",
    ),
    "file": SecretSourceSpec(
        "tokencli.secret_sources.file:FileSource",
        "path",
        "The file that holds it; relative to this file's directory; ~ is the home directory.",
    ),
    "command": SecretSourceSpec(
        "tokencli.secret_sources.command:CommandSource",
        "argv",
        "The program that prints it on its first line, and its arguments, run without a shell.",
    ),
    "prompt": SecretSourceSpec(
        "tokencli.secret_sources.prompt:PromptSource", "flag", "Ask for it each time."
    ),
    "stdin": SecretSourceSpec(
        "tokencli.secret_sources.stdin:StdinSource", "flag", "Read it from stdin each time."
    ),
    "keyring": SecretSourceSpec(
        "tokencli.secret_sources.keyring:KeyringSource",
        "keyring_item",
        "An entry of the OS keyring other than tokencli's own.",
    ),
}
"""Kind -> source."""


@dataclass(frozen=True, slots=True)
class ArgumentTarget:
    """How `--secret NAME=SOURCE` writes a type of target after the source's name."""

    example: str
    """An example, with the colon; empty if there is nothing to write."""
    toml_example: str
    """The same in the configuration."""
    parse: Callable[[str], Any] = str
    """Returns the value in the configuration for the text after the colon; raises UsageError."""


def _split_command(command: str) -> list[str]:
    try:
        words = platforms.current().split_command(command)
    except ValueError:
        raise UsageError("the command for the secret has an unpaired quotation mark") from None
    if not words:
        raise UsageError("the command for the secret is empty")
    return words


ARGUMENT_TARGETS: Mapping[str, ArgumentTarget] = {
    "variable": ArgumentTarget(":VAR", '"VAR"'),
    "path": ArgumentTarget(":PATH", '"path"'),
    "argv": ArgumentTarget(":'pass show x'", '["pass", "show", "x"]', _split_command),
    "flag": ArgumentTarget("", "true", lambda _: True),
}
"""Type of target -> how `--secret` writes it. It can't name a keyring item."""


def list_example_arguments() -> list[str]:
    """Return an example of each source that `--secret NAME=SOURCE` accepts, e.g. `env:VAR`."""
    return [kind + target.example for kind, target in _iter_argument_targets()]


def list_example_tables() -> list[str]:
    """Return an example of each of these sources in TOML, e.g. `{ env = "VAR" }`."""
    return [f"{{ {kind} = {target.toml_example} }}" for kind, target in _iter_argument_targets()]


def _iter_argument_targets() -> Iterator[tuple[str, ArgumentTarget]]:
    for kind, source in SECRET_SOURCES.items():
        if source.target_type in ARGUMENT_TARGETS:
            yield kind, ARGUMENT_TARGETS[source.target_type]


def open_secret_source(
    kind: str, *, environ: Mapping[str, str], terminal: "Terminal"
) -> "SecretSource":
    """Return the secret source of that kind; raises KeyError for an unknown kind."""
    module, _, name = SECRET_SOURCES[kind].implementation.partition(":")
    source = getattr(import_module(module), name)
    return cast("SecretSource", source(environ=environ, terminal=terminal))


def default_keyring_service(profile: str, name: str) -> str:
    """Return the keyring service of a profile's secret; each secret has its own service."""
    return f"tokencli:{profile}:{name}"


MAX_SECRET_BYTES = 64 * 1024
"""Longer than any password, key or token that is stored."""
_KEY_PATTERN = r"(?s)\s*\{|(?:.*\n)?-----BEGIN "
"""The start of a JWK, or a PEM file up to its key: OpenSSL writes bag attributes and comments above it."""
_KEY_WHITESPACE = frozenset("\n\r\t")


def normalize_secret(raw: bytes | str, source: str, *, first_line: bool = False) -> Secret | None:
    """Return the secret in `raw` without one trailing newline, or None if it is empty.

    A key in PEM or JSON form keeps its line breaks. With `first_line`, other lines than the first
    are ignored. Any other control character is refused: it comes from a clipboard or an editor by
    mistake, and no server would accept it.

    Raises:
        CredentialsError: it is not UTF-8 text, or contains control characters.
    """
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        text.encode("utf-8")
    except UnicodeError:
        raise _not_text_error(raw, source) from None
    is_key = re.match(_KEY_PATTERN, text) is not None
    if first_line and not is_key:
        text = text.partition("\n")[0]
    text = text.removesuffix("\n").removesuffix("\r")
    allowed = _KEY_WHITESPACE if is_key else frozenset()
    for position, char in enumerate(text, start=1):
        if (char < " " or "\x7f" <= char <= "\x9f") and char not in allowed:
            what = "a line break" if char in "\n\r" else f"a control character (U+{ord(char):04X})"
            raise CredentialsError(
                f"{source} contains {what} at character {position} of the secret",
                cause="the source must contain only the secret, on one line",
            )
    return Secret(text) if text else None


_PEM_COMMANDS = {
    "PKCS#12": "openssl pkcs12 -in FILE -nocerts -out key.pem",
    "DER": "openssl pkey -inform DER -in FILE -out key.pem",
}


def _not_text_error(raw: bytes | str, source: str) -> CredentialsError:
    """Return the error for bytes that aren't UTF-8, e.g. a key in a binary format."""
    from tokencli.humanize import name_der_format

    binary = name_der_format(raw) if isinstance(raw, bytes) else None
    if binary is None:
        return CredentialsError(
            f"{source} is not UTF-8 text", cause="the source must contain the secret in UTF-8"
        )
    command = _PEM_COMMANDS[binary]
    if source.startswith("the file "):
        command = command.replace("FILE", quote(source.removeprefix("the file ")))
    return CredentialsError(
        f"{source} is a key in {binary} format",
        cause="keys must be in PEM format; convert it and name the new file in the profile",
        fix=command,
    )

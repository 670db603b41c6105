"""Where secrets come from: one file for each kind of place, opened by name."""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from tokencli.protocols import SecretSource, Terminal

SECRET_SOURCES: dict[str, str] = {
    "keyring": "tokencli.secret_sources.keyring:KeyringSource",
    "env": "tokencli.secret_sources.env:EnvSource",
    "file": "tokencli.secret_sources.file:FileSource",
    "command": "tokencli.secret_sources.command:CommandSource",
    "prompt": "tokencli.secret_sources.prompt:PromptSource",
    "stdin": "tokencli.secret_sources.stdin:StdinSource",
}
"""Kind of place -> the class that reads it, called with `environ` and `terminal`."""


def open_secret_source(
    kind: str, *, environ: Mapping[str, str], terminal: Terminal
) -> SecretSource:
    """Return the source that reads secrets of that kind; KeyError for a kind that is not there."""
    module, _, name = SECRET_SOURCES[kind].partition(":")
    source = getattr(import_module(module), name)
    return cast(SecretSource, source(environ=environ, terminal=terminal))


def default_keyring_service(profile: str, name: str) -> str:
    """Return the keyring service under which a profile's secret rests, one service for each."""
    return f"tokencli:{profile}:{name}"

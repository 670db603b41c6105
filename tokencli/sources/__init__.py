"""Where secrets come from: one file for each kind of place, opened by name."""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from tokencli.ports import SecretSource, Terminal

SOURCES: dict[str, str] = {
    "keyring": "tokencli.sources.keyring:KeyringSource",
    "env": "tokencli.sources.env:EnvSource",
    "file": "tokencli.sources.file:FileSource",
    "command": "tokencli.sources.command:CommandSource",
    "prompt": "tokencli.sources.prompt:PromptSource",
    "stdin": "tokencli.sources.stdin:StdinSource",
}
"""Kind of place -> the class that reads it, called with `environ` and `terminal`."""


def open_source(kind: str, *, environ: Mapping[str, str], terminal: Terminal) -> SecretSource:
    """Return the source that reads secrets of that kind; KeyError for a kind that is not there."""
    module, _, name = SOURCES[kind].partition(":")
    source = getattr(import_module(module), name)
    return cast(SecretSource, source(environ=environ, terminal=terminal))


def default_service(profile: str, name: str) -> str:
    """Return the keyring service under which a profile's secret rests, one service for each."""
    return f"tokencli:{profile}:{name}"

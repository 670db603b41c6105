"""List the providers, their grants, and the keys that a profile of each requires."""

from collections.abc import Iterator
from dataclasses import dataclass

from tokencli.config.load import Config
from tokencli.config.profile_draft import required_keys
from tokencli.config.provider_file import dump_user_provider
from tokencli.errors import ConfigError
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, read_builtin_text


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider of the list."""

    name: str
    title: str
    grants: tuple[str, ...]
    required_keys: tuple[str, ...]
    """The keys that a profile with the first grant must have."""
    is_builtin: bool
    is_invalid: bool = False


def list_providers(config: Config) -> Iterator[ProviderRow]:
    """Yield every provider, built-in ones first. An invalid one is marked and doesn't stop the list."""
    for name in config.provider_names():
        try:
            yield describe_provider(config.get_provider(name), builtin=name in BUILTIN_NAMES)
        except ConfigError:
            yield ProviderRow(name, "", (), (), is_builtin=False, is_invalid=True)


def describe_provider(provider: Provider, *, builtin: bool) -> ProviderRow:
    """Return the row of a provider."""
    grant = next(iter(provider.grants))
    keys = required_keys(provider, grant, provider.client_auth[0], ())
    return ProviderRow(provider.name, provider.title, tuple(provider.grants), keys, builtin)


def read_provider_toml(config: Config, name: str) -> str:
    """Return a provider as TOML: the built-in file with its comments, or the user's own table.

    Raises:
        ConfigError: there is no such provider, or it is invalid.
    """
    return read_builtin_text(name) if name in BUILTIN_NAMES else dump_user_provider(config, name)

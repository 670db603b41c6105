"""Say which providers there are, what each speaks, and what a profile has to give it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tokencli.config.load import Config
from tokencli.config.profile_draft import required_keys
from tokencli.errors import ConfigError
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, read_builtin_text


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider in the list."""

    name: str
    title: str
    grants: tuple[str, ...]
    required_keys: tuple[str, ...]
    """What a profile has to give, for the first grant."""
    is_builtin: bool
    is_invalid: bool = False


def list_providers(config: Config) -> Iterator[ProviderRow]:
    """Yield every provider, those built in first; one that is wrong is marked and does not stop it."""
    for name in config.provider_names():
        try:
            yield describe_provider(config.get_provider(name), builtin=name in BUILTIN_NAMES)
        except ConfigError:
            yield ProviderRow(name, "", (), (), is_builtin=False, is_invalid=True)


def describe_provider(provider: Provider, *, builtin: bool) -> ProviderRow:
    """Return what the list says of a provider."""
    grant = next(iter(provider.grants))
    gives = required_keys(provider, grant, provider.client_auth[0], ())
    return ProviderRow(provider.name, provider.title, tuple(provider.grants), gives, builtin)


def read_provider_toml(config: Config, name: str) -> str:
    """Return a provider as TOML: the built-in file with its comments, or the user's own table.

    Raises:
        ConfigError: there is none of that name, or it is wrong.
    """
    if name in BUILTIN_NAMES:
        return read_builtin_text(name)
    from tokencli.config.provider_file import dump_user_provider

    return dump_user_provider(config, name)

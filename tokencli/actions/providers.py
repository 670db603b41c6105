"""Say which providers there are, what each speaks, and what a profile has to give it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tokencli.config.case import needed
from tokencli.config.load import Config
from tokencli.errors import ConfigError
from tokencli.providers.catalog import BUILTIN, text_of
from tokencli.providers.spec import Provider


@dataclass(frozen=True, slots=True)
class Row:
    """One provider in the list."""

    name: str
    title: str
    grants: tuple[str, ...]
    gives: tuple[str, ...]
    """What a profile has to give, for the first grant."""
    builtin: bool
    broken: bool = False


def rows(config: Config) -> Iterator[Row]:
    """Yield every provider, those built in first; one that is wrong is marked and does not stop it."""
    for name in config.provider_names():
        try:
            yield row(config.provider(name), builtin=name in BUILTIN)
        except ConfigError:
            yield Row(name, "", (), (), builtin=False, broken=True)


def row(provider: Provider, *, builtin: bool) -> Row:
    """Return what the list says of a provider."""
    grant = next(iter(provider.grants))
    gives = needed(provider, grant, provider.client_auth[0], ())
    return Row(provider.name, provider.title, tuple(provider.grants), gives, builtin)


def text(config: Config, name: str) -> str:
    """Return a provider as TOML: the built-in file with its comments, or the user's own table.

    Raises:
        ConfigError: there is none of that name, or it is wrong.
    """
    if name in BUILTIN:
        return text_of(name)
    from tokencli.config.provider_file import own_text

    return own_text(config, name)

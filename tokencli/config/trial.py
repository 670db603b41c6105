"""Judge a profile that is not written yet, by the rules that it will be loaded by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokencli.config.findings import Finding
from tokencli.config.resolve import Place, resolve, unfit
from tokencli.config.schema import profile_model
from tokencli.model import Profile
from tokencli.providers.spec import Provider


def objections(name: str, provider: Provider, keys: Mapping[str, Any]) -> list[Finding]:
    """List what is wrong with the profile's name and with the keys that it has; none is missed yet."""
    table = {"provider": provider.name, **keys}
    model, place = profile_model(provider), Place(Path("config.toml"), None)
    found = resolve(name, table, provider, model, place)
    if isinstance(found, Profile):
        return []
    about_keys = [one for one in found if len(one.path) > 2 and one.path[2] in keys]
    return [*unfit(name, table), *about_keys]

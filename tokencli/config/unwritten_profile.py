"""Judge a profile that is not written yet, by the rules that it will be loaded by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokencli.config.profile_schema import build_profile_model
from tokencli.config.resolve import ConfigLocation, check_profile_name_and_type, resolve_profile
from tokencli.models import Profile
from tokencli.problems import Finding
from tokencli.provider_schema import Provider


def check_new_profile(name: str, provider: Provider, keys: Mapping[str, Any]) -> list[Finding]:
    """List what is wrong with the profile's name and with the keys that it has; none is missed yet."""
    table = {"provider": provider.name, **keys}
    model, place = build_profile_model(provider), ConfigLocation(Path("config.toml"), None)
    found = resolve_profile(name, table, provider, model, place)
    if isinstance(found, Profile):
        return []
    about_keys = [one for one in found if len(one.key_path) > 2 and one.key_path[2] in keys]
    return [*check_profile_name_and_type(name, table), *about_keys]

"""The keys of the configuration file outside all profiles and providers."""

from collections.abc import Mapping, Sequence

from tokencli.problems import Finding, did_you_mean, quote_value

TOP_LEVEL_KEYS: dict[str, tuple[type, str]] = {
    "default_profile": (str, "text in quotes"),
    "state_dir": (str, "text in quotes"),
    "profiles": (dict, "tables: [profiles.NAME]"),
    "providers": (dict, "tables: [providers.NAME]"),
}
"""Key at the top of the file -> what its value is, and what it must be in words."""


def check_top_level(data: Mapping[str, object], names: Sequence[str]) -> list[Finding]:
    """List what is wrong at the top of a file whose profiles are `names`."""
    found = []
    for key, value in data.items():
        kind, wanted = TOP_LEVEL_KEYS.get(key, (object, ""))
        if key not in TOP_LEVEL_KEYS:
            found.append(_unknown_top_level_key(key, value))
        elif not isinstance(value, kind):
            found.append(Finding((key,), f"is {quote_value(value)}", f"must be {wanted}"))
    default = data.get("default_profile")
    if isinstance(default, str) and default not in names:
        what = f"is {default[:80]!r}, and there is no such profile"
        found.append(Finding(("default_profile",), what, did_you_mean(default, names)))
    return found


def _unknown_top_level_key(key: str, value: object) -> Finding:
    if isinstance(value, dict) and "provider" in value:
        return Finding((key,), "is not a key of this file", f"did you mean [profiles.{key}]?")
    return Finding((key,), "is not a key of this file", did_you_mean(key, TOP_LEVEL_KEYS))

"""Read providers from a file outside the configuration, and write one to such a file."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokencli.config.config_file import MAX_CONFIG_BYTES, open_regular_file, parse_toml
from tokencli.config.load import Config
from tokencli.config.profile_schema import TOP_LEVEL_KEYS
from tokencli.config.provider_validation import validate_provider
from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.errors import ConfigError, ConfigProblem
from tokencli.models import Profile
from tokencli.oauth.grants import GRANTS
from tokencli.problems import closest_match, count_problems
from tokencli.provider_schema import Provider
from tokencli.providers.validation.runtime import check_runtime
from tokencli.sanitize import sanitize_text


def read_provider_text(path: str) -> str:
    """Return the text of a provider file, or of stdin for `-`; raises ConfigError."""
    try:
        if path == "-":
            return sys.stdin.read(MAX_CONFIG_BYTES)
        with open_regular_file(Path(path)) as file:
            return file.read(MAX_CONFIG_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path[:200]!r} can't be read: {reason}") from None


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What a valid file describes."""

    providers: tuple[Provider, ...]
    """The file's own provider or providers; if it has none, those that its profiles use."""
    profiles: tuple[Profile, ...]


def check_file(text: str, path: str) -> CheckedFile:
    """Return what a provider file or a whole configuration describes, if all of it is valid.

    Raises:
        ConfigError: carries every problem with its line.
    """
    try:
        data = parse_toml(text, Path(path))
    except ConfigError as error:
        error.fix = None
        raise
    is_config = any(closest_match(key, TOP_LEVEL_KEYS) for key in data)
    if "endpoints" in data or not is_config:
        return CheckedFile((_load_provider(data, text, path),), ())
    config = Config(Path(path), text, {})
    _raise_problems(config.find_problems(), path)
    own = [config.get_provider(name) for name in data.get("providers", ())]
    problems = [
        finding.to_problem(config.line_number(*finding.key_path))
        for provider in own
        for finding in check_runtime(provider, ("providers", provider.name), GRANTS)
    ]
    _raise_problems(problems, path)
    profiles = [config.get_profile(name) for name in config.profile_names()]
    if not own and not profiles:
        raise ConfigError(
            f"no provider and no profile in {path}", fix="tokencli providers reference"
        )
    used = {profile.provider.name: profile.provider for profile in profiles}
    return CheckedFile(tuple(own or used.values()), tuple(profiles))


def _load_provider(table: Mapping[str, Any], text: str, path: str) -> Provider:
    """Return the only provider of a file; raises ConfigError."""
    name = Path(path).stem or "provider"
    at = ("providers", name)
    result = validate_provider(name, table)
    findings = result if isinstance(result, list) else list(check_runtime(result, at, GRANTS))
    lines = map_key_lines(text)
    problems = [
        replace(finding, key_path=finding.key_path[len(at) :]).to_problem(
            find_line(lines, finding.key_path[len(at) :])
        )
        for finding in findings
    ]
    _raise_problems(problems, path)
    assert isinstance(result, Provider)
    return result


def _raise_problems(problems: Sequence[ConfigProblem], path: str) -> None:
    """Raise a ConfigError if there are any problems."""
    if problems:
        is_about_keys = any(not problem.where.startswith("profiles") for problem in problems)
        raise ConfigError(
            f"{path} has {count_problems(problems)}",
            fix="tokencli providers reference" if is_about_keys else "tokencli profiles schema",
            problems=tuple(problems),
        )


def dump_user_provider(config: Config, name: str) -> str:
    """Return a user-defined provider as the text of a provider file; raises ConfigError.

    The text is safe to print: unprintable characters can only be in quoted strings and keys, where
    they are written as TOML escapes.
    """
    import tomlkit  # start-up cost: about 35 ms

    config.get_provider(name)
    text = tomlkit.dumps(dict(parse_toml(config.text, config.path)["providers"][name]))
    return sanitize_text(text, sys.maxsize, multiline=True)

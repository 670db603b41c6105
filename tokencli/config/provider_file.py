"""Read providers from a file outside the configuration, and write one to such a file."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

from tokencli.config import toml_edit
from tokencli.config.config_file import (
    MAX_CONFIG_BYTES,
    open_regular_file,
    parse_toml,
    read_text_stdin,
)
from tokencli.config.load import Config
from tokencli.config.profile_schema import TOP_LEVEL_KEYS
from tokencli.config.provider_validation import validate_provider
from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.config.validators import PROFILE_NAME_PATTERN
from tokencli.errors import ConfigError, ConfigProblem, UsageError
from tokencli.models import Profile
from tokencli.oauth.grants import GRANTS
from tokencli.problems import KeyPath, closest_match, count_problems, list_names
from tokencli.provider_schema import Provider
from tokencli.providers.validation.runtime import check_runtime
from tokencli.sanitize import sanitize_text


def read_provider_text(path: str) -> str:
    """Return the text of a provider file, or of stdin for `-`; raises ConfigError."""
    try:
        if path == "-":
            return read_text_stdin(MAX_CONFIG_BYTES)
        with open_regular_file(Path(path)) as file:
            return file.read(MAX_CONFIG_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"'{path[:200]}' can't be read: {reason}") from None


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


@dataclass(frozen=True, slots=True)
class ProviderSection:
    """A valid provider of a file, as the section of a configuration."""

    provider: Provider
    table: Mapping[str, Any]
    text: str
    """`[providers.NAME]` with everything below, and the comments of the file."""

    @property
    def name(self) -> str:
        """Return the provider's name."""
        return self.provider.name


def read_provider_sections(
    text: str, path: str, name: str | None = None
) -> tuple[ProviderSection, ...]:
    """Return the providers that a provider file or a configuration describes.

    `name` is the name of the only provider, or chooses one of several. Without it, a provider file
    is named by its own `name`, its file name, or its title if it was read from stdin.

    Raises:
        ConfigError: one of them is invalid; carries every problem with its line. UsageError: there
            is no provider of that name, or it isn't a valid name.
    """
    title = "" if path == "-" else Path(path).stem
    path = "stdin" if path == "-" else path
    data = parse_toml(text, Path(path))
    own = data.get("providers")
    if "endpoints" not in data and isinstance(own, dict) and own:
        if name is not None and name not in own and len(own) > 1:
            raise UsageError(
                f"there is no provider {name[:80]!r} in {path}",
                cause=f"its providers are {list_names(tuple(own))}",
            )
        found = own if name is None or name not in own else {name: own[name]}
        return tuple(
            _extract_section(text, path, old, table, name or old) for old, table in found.items()
        )
    if "endpoints" not in data and isinstance(data.get("profiles"), dict):
        raise ConfigError(
            f"{path} is a configuration without a provider",
            cause="it has only profiles, which use the built-in providers",
        )
    provider = _load_provider(data, text, path)
    table = {key: value for key, value in data.items() if key != "name"}
    chosen = str(name or data.get("name") or slugify_name(title or provider.title))
    section = toml_edit.nest_tables(toml_edit.delete_key(text, ("name",)), ("providers", chosen))
    return (_make_section(chosen, table, section, provider),)


def slugify_name(title: str) -> str:
    """Return a name for a provider: the letters and digits of a title, with `-` between words."""
    plain = normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")[:64] or "provider"


def _extract_section(
    text: str, path: str, old: str, table: Mapping[str, Any], name: str
) -> ProviderSection:
    """Return a provider of a configuration, under another name."""
    at = ("providers", old)
    provider = _load_provider(table, text, path, at)
    section = toml_edit.rename_key(toml_edit.extract_table(text, at, comments_above=True), at, name)
    return _make_section(name, table, section, provider)


def _make_section(
    name: str, table: Mapping[str, Any], text: str, provider: Provider
) -> ProviderSection:
    if not re.fullmatch(PROFILE_NAME_PATTERN, name):
        raise UsageError(
            f"{name[:80]!r} can't be the name of a provider",
            cause="use at most 64 letters, digits, . _ and -, starting with a letter or digit",
        )
    return ProviderSection(replace(provider, name=name), table, text)


def _load_provider(
    table: Mapping[str, Any], text: str, path: str, at: KeyPath | None = None
) -> Provider:
    """Return the only provider of a file, or the one at a key path of it; raises ConfigError."""
    name = Path(path).stem or "provider"
    at, prefix = (at, ()) if at else (("providers", name), ("providers", name))
    result = validate_provider(at[1], table)
    findings = result if isinstance(result, list) else list(check_runtime(result, at, GRANTS))
    lines = map_key_lines(text)
    problems = [
        replace(finding, key_path=finding.key_path[len(prefix) :]).to_problem(
            find_line(lines, finding.key_path[len(prefix) :])
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

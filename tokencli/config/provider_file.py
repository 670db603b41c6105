"""Read providers from a file outside the configuration, and write one to such a file."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokencli.config.config_file import MAX_CONFIG_BYTES, open_regular_file, parse_toml
from tokencli.config.load import Config
from tokencli.config.provider_validation import validate_provider
from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.errors import ConfigError, ConfigProblem
from tokencli.problems import Finding, count_problems
from tokencli.provider_schema import Provider
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


def load_providers(text: str, path: str) -> list[Provider]:
    """Return the provider that the file describes, or those in its [providers] tables.

    If the file has [profiles], they are validated as well.

    Raises:
        ConfigError: carries every problem with its line.
    """
    data = parse_toml(text, Path(path))
    tables = data.get("providers") if "endpoints" not in data else None
    if "profiles" in data and "endpoints" not in data:
        _raise_problems(Config(Path(path), text, {}).find_problems(), path)
    is_config = isinstance(tables, dict) and bool(tables)
    named = dict(tables) if is_config and tables else {Path(path).stem or "provider": data}
    lines = map_key_lines(text)
    providers: list[Provider] = []
    problems: list[ConfigProblem] = []
    for name, table in named.items():
        result = validate_provider(name, table)
        if isinstance(result, Provider):
            providers.append(result)
            continue
        for finding in result:
            keys = finding.key_path if is_config else finding.key_path[2:]
            problem = Finding(keys, finding.message, finding.suggestion)
            problems.append(problem.to_problem(find_line(lines, keys)))
    _raise_problems(problems, path)
    return providers


def _raise_problems(problems: Sequence[ConfigProblem], path: str) -> None:
    """Raise a ConfigError if there are any problems."""
    if problems:
        raise ConfigError(
            f"{path} has {count_problems(problems)}",
            fix="tokencli providers reference",
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

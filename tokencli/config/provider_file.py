"""Read a provider from a file of its own, and write one."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokencli.config.config_file import MAX_CONFIG_BYTES, open_regular_file, parse_toml
from tokencli.config.load import Config
from tokencli.config.provider_validation import validate_provider
from tokencli.config.toml_positions import find_line, map_key_lines
from tokencli.errors import ConfigError, ConfigProblem
from tokencli.problems import Finding
from tokencli.provider_schema import Provider
from tokencli.sanitize import sanitize_text


def read_provider_text(path: str) -> str:
    """Return the text of a provider's file, of stdin where it is `-`; raises ConfigError."""
    try:
        if path == "-":
            return sys.stdin.read(MAX_CONFIG_BYTES)
        with open_regular_file(Path(path)) as file:
            return file.read(MAX_CONFIG_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path[:200]!r} can't be read: {reason}") from None


def load_providers(text: str, path: str) -> list[Provider]:
    """Return the providers that a file describes: itself, or those of a configuration's [providers].

    Where it has [profiles], too, these have to be right as well.

    Raises:
        ConfigError: with every problem and its line.
    """
    data = parse_toml(text, Path(path))
    tables = data.get("providers") if "endpoints" not in data else None
    if "profiles" in data and "endpoints" not in data:
        raise_problems(Config(Path(path), text, {}).find_problems(), path)
    whole = isinstance(tables, dict) and bool(tables)
    named = dict(tables) if whole and tables else {Path(path).stem or "provider": data}
    place = map_key_lines(text)
    found: list[Provider] = []
    wrong: list[ConfigProblem] = []
    for name, table in named.items():
        judgement = (
            validate_provider(name, table) if isinstance(table, dict) else _not_a_table(name)
        )
        if isinstance(judgement, Provider):
            found.append(judgement)
            continue
        for finding in judgement:
            keys = finding.key_path if whole else finding.key_path[2:]
            wrong.append(
                Finding(keys, finding.message, finding.suggestion).to_problem(
                    find_line(place, keys)
                )
            )
    raise_problems(wrong, path)
    return found


def raise_problems(wrong: Sequence[ConfigProblem], path: str) -> None:
    """Raise what is wrong with a file as one ConfigError, unless that is nothing."""
    if wrong:
        count = "a problem" if len(wrong) == 1 else f"{len(wrong)} problems"
        raise ConfigError(
            f"{path} has {count}", fix="tokencli providers reference", problems=tuple(wrong)
        )


def _not_a_table(name: str) -> list[Finding]:
    return [Finding(("providers", name), "is not a table", f"write [providers.{name}]")]


def dump_user_provider(config: Config, name: str) -> str:
    """Return a user's own provider as a file of its own; raises ConfigError.

    Harmless to a terminal, and the same to whoever parses it: what does not print can stand in
    quoted texts and keys alone, where TOML has the same escapes.
    """
    import tomlkit

    config.get_provider(name)
    text = tomlkit.dumps(dict(parse_toml(config.text, config.path)["providers"][name]))
    return sanitize_text(text, sys.maxsize, multiline=True)

"""Read a provider from a file of its own, and write one."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokencli.config.file import LARGEST, parse, regular
from tokencli.config.findings import Finding
from tokencli.config.load import Config
from tokencli.config.locate import line_of, lines
from tokencli.config.own_provider import checked
from tokencli.errors import ConfigError, Problem
from tokencli.printable import printable
from tokencli.providers.spec import Provider


def read(path: str) -> str:
    """Return the text of a provider's file, of stdin where it is `-`; raises ConfigError."""
    try:
        if path == "-":
            return sys.stdin.read(LARGEST)
        with regular(Path(path)) as file:
            return file.read(LARGEST)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path[:200]!r} can't be read: {reason}") from None


def judged(text: str, path: str) -> list[Provider]:
    """Return the providers that a file describes: itself, or those of a configuration's [providers].

    Where it has [profiles], too, these have to be right as well.

    Raises:
        ConfigError: with every problem and its line.
    """
    data = parse(text, Path(path))
    tables = data.get("providers") if "endpoints" not in data else None
    if "profiles" in data and "endpoints" not in data:
        raise_all(Config(Path(path), text, {}).problems(), path)
    whole = isinstance(tables, dict) and bool(tables)
    named = dict(tables) if whole and tables else {Path(path).stem or "provider": data}
    place = lines(text)
    found: list[Provider] = []
    wrong: list[Problem] = []
    for name, table in named.items():
        judgement = checked(name, table) if isinstance(table, dict) else _no_table(name)
        if isinstance(judgement, Provider):
            found.append(judgement)
            continue
        for finding in judgement:
            keys = finding.path if whole else finding.path[2:]
            wrong.append(Finding(keys, finding.what, finding.right).problem(line_of(place, keys)))
    raise_all(wrong, path)
    return found


def raise_all(wrong: Sequence[Problem], path: str) -> None:
    """Raise what is wrong with a file as one ConfigError, unless that is nothing."""
    if wrong:
        count = "a problem" if len(wrong) == 1 else f"{len(wrong)} problems"
        raise ConfigError(
            f"{path} has {count}", hint="tokencli providers reference", problems=tuple(wrong)
        )


def _no_table(name: str) -> list[Finding]:
    return [Finding(("providers", name), "is not a table", f"write [providers.{name}]")]


def own_text(config: Config, name: str) -> str:
    """Return a user's own provider as a file of its own; raises ConfigError.

    Harmless to a terminal, and the same to whoever parses it: what does not print can stand in
    quoted texts and keys alone, where TOML has the same escapes.
    """
    import tomlkit

    config.provider(name)
    text = tomlkit.dumps(dict(parse(config.text, config.path)["providers"][name]))
    return printable(text, sys.maxsize, multiline=True)

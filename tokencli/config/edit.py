"""Write the configuration file: comments and order stay, and nothing is written that would not load.

Whoever changes a file holds its lock from reading to writing (`App.changing`).
"""

import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokencli.config import surgery
from tokencli.config.file import byte_order_mark, parse, read
from tokencli.config.load import Config
from tokencli.errors import ConfigError, StorageError, UsageError

Table = dict[str, Any]


def add(config: Config, name: str, keys: Mapping[str, Any]) -> Config:
    """Add a profile; the first one becomes the default. Raises ConfigError, UsageError, StorageError."""
    if name in config.names():
        raise UsageError(
            f"there is a profile {name!r} already", hint=f"tokencli profiles edit {name}"
        )
    first = not config.names()
    text = config.text
    wanted = parse(text, config.path)
    if first:
        text = surgery.put(text, ("default_profile",), name)
        wanted["default_profile"] = name
    wanted.setdefault("profiles", {})[name] = dict(keys)
    path = ("profiles", name)
    return _write(config, [surgery.append(text, path, keys), surgery.put(text, path, keys)], wanted)


def change(config: Config, name: str, put: Mapping[str, Any], drop: Sequence[str]) -> Config:
    """Set and take out keys of a profile; a dotted key such as `params.tenant` reaches inside."""
    config.table(name)
    text = config.text
    wanted = parse(text, config.path)
    table: Table = wanted["profiles"][name]
    for key in drop:
        path = _parts(key)
        if not _forget(table, path):
            raise UsageError(
                f"profile {name!r} says nothing about {key[:80]}",
                hint=f"tokencli profiles show {name}",
            )
        text = surgery.drop(text, ("profiles", name, *path))
    for key, value in put.items():
        path = _parts(key)
        _place(table, path, value)
        text = surgery.put(text, ("profiles", name, *path), value)
    return _write(config, [text], wanted)


def remove(config: Config, name: str) -> Config:
    """Take a profile out; if it is the default, there is none then."""
    config.table(name)
    wanted = parse(config.text, config.path)
    del wanted["profiles"][name]
    text = surgery.drop(config.text, ("profiles", name))
    if wanted.get("default_profile") == name:
        del wanted["default_profile"]
        text = surgery.drop(text, ("default_profile",))
    if not wanted["profiles"] and "profiles" not in parse(text, config.path):
        del wanted["profiles"]
    return _write(config, [text], wanted)


def use(config: Config, name: str) -> Config:
    """Make a profile the default."""
    config.table(name)
    wanted = parse(config.text, config.path)
    wanted["default_profile"] = name
    return _write(config, [surgery.put(config.text, ("default_profile",), name)], wanted)


def rewrite(path: Path, old: str | None, text: str) -> Config:
    """Replace the whole text, once it loads without a problem; `old` is the text that was edited."""
    new = Config(path, text, {})
    problems = new.problems()
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"what was written has {count}", problems=problems)
    _replace(path, old, text)
    return new


def _write(config: Config, candidates: Sequence[str], wanted: Table) -> Config:
    """Write the first candidate that says just what is wanted."""
    for text in candidates:
        with suppress(ConfigError):
            if _meaning(parse(text, config.path)) == _meaning(wanted):
                break
    else:
        raise ConfigError(
            f"{config.path} is written in a way that can't be changed without rewriting it",
            hint=f"change it by hand: {config.path}",
        )
    new = Config(config.path, text, {})
    before = {(problem.where, problem.what) for problem in config.problems()}
    fresh = [
        replace(found, line=None)  # a line of a text that nobody will ever see
        for found in new.problems()
        if (found.where, found.what) not in before
    ]
    if fresh:
        raise ConfigError(
            f"nothing was written to {config.path}: it would not load",
            hint="the same command again, with what is named above put right",
            problems=fresh,
        )
    _replace(config.path, config.text if config.exists else None, text)
    return new


def _place(table: Table, path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{key} is not a table, so nothing can be set inside it")
        table = inner
    table[path[-1]] = value


def _forget(table: Table, path: tuple[str, ...]) -> bool:
    for key in path[:-1]:
        inner = table.get(key)
        if not isinstance(inner, dict):
            return False
        table = inner
    return table.pop(path[-1], None) is not None


def _parts(key: str) -> tuple[str, ...]:
    """Return the path of a key; the name of a parameter may have dots of its own."""
    top, _, inner = key.partition(".")
    return (top, inner) if top == "params" and inner else tuple(key.split("."))


def _meaning(data: Table) -> Table:
    """Return what a file says; an empty table inside a profile says nothing."""
    profiles = data.get("profiles")
    if not isinstance(profiles, dict):
        return data
    return {**data, "profiles": {name: _lean(table) for name, table in profiles.items()}}


def _lean(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _lean(inner) for key, inner in value.items() if inner != {}}


def _replace(path: Path, old: str | None, text: str) -> None:
    """Put the new text in the place of the old in one step, through a symlink if there is one."""
    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if old is not None else 0o600
        if old is None:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _unchanged(path, old)
        mark = b"" if old is None else byte_order_mark(target)
        _swap(target, mark + text.encode("utf-8"), mode)
    except OSError as error:
        raise StorageError(
            f"{path} can't be written: {error.strerror}", hint=f"look at {target.parent}"
        ) from None


def _unchanged(path: Path, old: str | None) -> None:
    """Make sure that nobody else has written the file since it was read."""
    try:
        now: str | None = read(path)[0]
    except FileNotFoundError:
        now = None
    if now != old:
        raise StorageError(f"{path} was changed by somebody else meanwhile", hint="try again")


def _swap(target: Path, data: bytes, mode: int) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

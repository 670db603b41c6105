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

from tokencli.config import toml_edit
from tokencli.config.config_file import parse_toml, read_byte_order_mark, read_config_text
from tokencli.config.load import Config
from tokencli.errors import ConfigError, StorageError, UsageError

TomlTable = dict[str, Any]


def add_profile(config: Config, name: str, keys: Mapping[str, Any]) -> Config:
    """Add a profile; the first one becomes the default. Raises ConfigError, UsageError, StorageError."""
    if name in config.profile_names():
        raise UsageError(
            f"there is a profile {name!r} already", fix=f"tokencli profiles edit {name}"
        )
    first = not config.profile_names()
    text = config.text
    wanted = parse_toml(text, config.path)
    if first:
        text = toml_edit.set_key(text, ("default_profile",), name)
        wanted["default_profile"] = name
    wanted.setdefault("profiles", {})[name] = dict(keys)
    path = ("profiles", name)
    return _write_checked(
        config,
        [toml_edit.append_table(text, path, keys), toml_edit.set_key(text, path, keys)],
        wanted,
    )


def update_profile(
    config: Config, name: str, put: Mapping[str, Any], drop: Sequence[str]
) -> Config:
    """Set and take out keys of a profile; a dotted key such as `params.tenant` reaches inside."""
    config.profile_table(name)
    text = config.text
    wanted = parse_toml(text, config.path)
    table: TomlTable = wanted["profiles"][name]
    for key in drop:
        path = _split_key(key)
        if not _delete_from_table(table, path):
            raise UsageError(
                f"profile {name!r} says nothing about {key[:80]}",
                fix=f"tokencli profiles show {name}",
            )
        text = toml_edit.delete_key(text, ("profiles", name, *path))
    for key, value in put.items():
        path = _split_key(key)
        _set_in_table(table, path, value)
        text = toml_edit.set_key(text, ("profiles", name, *path), value)
    return _write_checked(config, [text], wanted)


def remove_profile(config: Config, name: str) -> Config:
    """Take a profile out; if it is the default, there is none then."""
    config.profile_table(name)
    wanted = parse_toml(config.text, config.path)
    del wanted["profiles"][name]
    text = toml_edit.delete_key(config.text, ("profiles", name))
    if wanted.get("default_profile") == name:
        del wanted["default_profile"]
        text = toml_edit.delete_key(text, ("default_profile",))
    if not wanted["profiles"] and "profiles" not in parse_toml(text, config.path):
        del wanted["profiles"]
    return _write_checked(config, [text], wanted)


def set_default_profile(config: Config, name: str) -> Config:
    """Make a profile the default."""
    config.profile_table(name)
    wanted = parse_toml(config.text, config.path)
    wanted["default_profile"] = name
    return _write_checked(
        config, [toml_edit.set_key(config.text, ("default_profile",), name)], wanted
    )


def replace_config_text(path: Path, old: str | None, text: str) -> Config:
    """Replace the whole text, once it loads without a problem; `old` is the text that was edited."""
    new = Config(path, text, {})
    problems = new.find_problems()
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"what was written has {count}", problems=problems)
    _replace_file(path, old, text)
    return new


def _write_checked(config: Config, candidates: Sequence[str], wanted: TomlTable) -> Config:
    """Write the first candidate that says just what is wanted."""
    for text in candidates:
        with suppress(ConfigError):
            if _normalize_data(parse_toml(text, config.path)) == _normalize_data(wanted):
                break
    else:
        raise ConfigError(
            f"{config.path} is written in a way that can't be changed without rewriting it",
            fix=f"change it by hand: {config.path}",
        )
    new = Config(config.path, text, {})
    before = {(problem.where, problem.what) for problem in config.find_problems()}
    fresh = [
        replace(found, line=None)  # a line of a text that nobody will ever see
        for found in new.find_problems()
        if (found.where, found.what) not in before
    ]
    if fresh:
        raise ConfigError(
            f"nothing was written to {config.path}: it would not load",
            fix="the same command again, with what is named above put right",
            problems=fresh,
        )
    _replace_file(config.path, config.text if config.exists else None, text)
    return new


def _set_in_table(table: TomlTable, path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{key} is not a table, so nothing can be set inside it")
        table = inner
    table[path[-1]] = value


def _delete_from_table(table: TomlTable, path: tuple[str, ...]) -> bool:
    for key in path[:-1]:
        inner = table.get(key)
        if not isinstance(inner, dict):
            return False
        table = inner
    return table.pop(path[-1], None) is not None


def _split_key(key: str) -> tuple[str, ...]:
    """Return the path of a key; the name of a parameter may have dots of its own."""
    top, _, inner = key.partition(".")
    return (top, inner) if top == "params" and inner else tuple(key.split("."))


def _normalize_data(data: TomlTable) -> TomlTable:
    """Return what a file says; an empty table inside a profile says nothing."""
    profiles = data.get("profiles")
    if not isinstance(profiles, dict):
        return data
    return {
        **data,
        "profiles": {name: _drop_empty_tables(table) for name, table in profiles.items()},
    }


def _drop_empty_tables(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _drop_empty_tables(inner) for key, inner in value.items() if inner != {}}


def _replace_file(path: Path, old: str | None, text: str) -> None:
    """Put the new text in the place of the old in one step, through a symlink if there is one."""
    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if old is not None else 0o600
        if old is None:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _require_unchanged(path, old)
        mark = b"" if old is None else read_byte_order_mark(target)
        _write_atomically(target, mark + text.encode("utf-8"), mode)
    except OSError as error:
        raise StorageError(
            f"{path} can't be written: {error.strerror}", fix=f"look at {target.parent}"
        ) from None


def _require_unchanged(path: Path, old: str | None) -> None:
    """Make sure that nobody else has written the file since it was read."""
    try:
        now: str | None = read_config_text(path)[0]
    except FileNotFoundError:
        now = None
    if now != old:
        raise StorageError(f"{path} was changed by somebody else meanwhile", fix="try again")


def _write_atomically(target: Path, data: bytes, mode: int) -> None:
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

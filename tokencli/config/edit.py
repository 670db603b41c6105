"""Change the configuration file: comments and order stay, and only a file that loads is written.

The caller holds the configuration lock from reading to writing (`App.lock_config`).
"""

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokencli import platforms
from tokencli.config import toml_edit
from tokencli.config.config_file import (
    expand_path,
    parse_toml,
    read_byte_order_mark,
    read_config_text,
)
from tokencli.config.load import Config
from tokencli.config.provider_file import ProviderSection
from tokencli.config.resolve import check_profile_name_and_type
from tokencli.errors import ConfigError, StorageError, UsageError
from tokencli.oauth.grants import EXCHANGED_SECRETS
from tokencli.problems import closest_match, count_problems, list_names
from tokencli.shell_words import quote, user_shell
from tokencli.system.private_files import make_private_dirs, write_atomically
from tokencli.toml_writer import KeyPath

TomlTable = dict[str, Any]


def add_profile(config: Config, name: str, keys: Mapping[str, Any]) -> Config:
    """Add a profile; the first one becomes the default. Raises ConfigError, UsageError, StorageError."""
    if name in config.profile_names():
        raise UsageError(
            f"profile {name!r} already exists", fix=f"tokencli profiles edit {name} --set KEY=VALUE"
        )
    _require_ca_file(config, keys)
    _require_profiles(config, keys)
    text = config.text
    wanted = parse_toml(text, config.path)
    if not config.profile_names():
        text = toml_edit.set_key(text, ("default_profile",), name)
        wanted["default_profile"] = name
    wanted.setdefault("profiles", {})[name] = dict(keys)
    path = ("profiles", name)
    return _write_checked(
        config,
        [toml_edit.append_table(text, path, keys), toml_edit.set_key(text, path, keys)],
        wanted,
    )


def add_providers(config: Config, sections: Sequence[ProviderSection]) -> Config:
    """Add providers, or replace those that have the same name."""
    wanted, text = parse_toml(config.text, config.path), config.text
    for section in sections:
        path = ("providers", section.name)
        if wanted.setdefault("providers", {}).pop(section.name, None) is not None:
            text = toml_edit.delete_key(text, path)
        wanted["providers"][section.name] = dict(section.table)
        candidates = [
            toml_edit.append_text(text, section.text),
            toml_edit.append_table(text, path, section.table),
            toml_edit.set_key(text, path, section.table),
        ]
        text = _choose_candidate(config, candidates, wanted).text
    return _write_checked(config, [text], wanted)


def update_profile(
    config: Config, name: str, put: Mapping[str, Any], drop: Sequence[str]
) -> Config:
    """Set and remove keys of a profile; a dotted key such as `params.tenant` reaches inside a table."""
    wanted = parse_toml(config.text, config.path)
    text = _update_keys(config, config.text, wanted, name, put, drop)
    return _write_checked(config, [text], wanted)


def copy_profile(
    config: Config, source: str, name: str, put: Mapping[str, Any], drop: Sequence[str]
) -> Config:
    """Add a copy of a profile with some keys set and others removed."""
    require_new_name(config, name)
    table = config.editable_profile_table(source)
    wanted = parse_toml(config.text, config.path)
    wanted["profiles"][name] = deepcopy(dict(table))
    texts = [
        toml_edit.copy_table(config.text, ("profiles", source), name),
        toml_edit.append_table(config.text, ("profiles", name), table),
        toml_edit.set_key(config.text, ("profiles", name), table),
    ]
    copied = _choose_candidate(config, texts, wanted).text
    text = _update_keys(config, copied, wanted, name, put, drop, source)
    return _write_checked(config, [text], wanted)


def stage_rename(config: Config, old: str, new: str) -> Config:
    """Return the configuration with another name for a profile, to be written by `write_staged`.

    Other profiles that use its token, the default profile, and the services of its own keyring
    entries follow.
    """
    config.editable_profile_table(old)
    require_new_name(config, new)
    wanted = parse_toml(config.text, config.path)
    profiles = {new if name == old else name: table for name, table in wanted["profiles"].items()}
    wanted["profiles"] = profiles
    text = toml_edit.rename_key(config.text, ("profiles", old), new)
    changes: list[tuple[KeyPath, str]] = []
    if wanted.get("default_profile") == old:
        changes.append((("default_profile",), new))
    for user, key in list_token_users(config, old):
        changes.append((("profiles", new if user == old else user, key, "profile"), new))
    for key, source in profiles[new].items():
        entry = source.get("keyring") if isinstance(source, dict) else None
        service = entry.get("service") if isinstance(entry, dict) else None
        if isinstance(service, str) and service.startswith(f"tokencli:{old}:"):
            own = f"tokencli:{new}:{service.removeprefix(f'tokencli:{old}:')}"
            changes.append((("profiles", new, key, "keyring", "service"), own))
    for path, value in changes:
        _set_in_table(wanted, path, value)
        text = toml_edit.set_key(text, path, value)
    return _check_change(config, [text], wanted)


def write_staged(config: Config, staged: Config) -> None:
    """Write a configuration that was staged as a change of `config`."""
    _replace_file(config.path, config.text if config.exists else None, staged.text)


def list_token_users(config: Config, name: str) -> list[tuple[str, str]]:
    """Return the profiles that exchange this profile's token, each with the key that names it."""
    return [
        (user, key)
        for user in config.profile_names()
        for key in EXCHANGED_SECRETS
        if isinstance(source := config.profile_table(user).get(key), Mapping)
        and source.get("profile") == name
    ]


def require_new_name(config: Config, name: str) -> None:
    """Refuse the name of a profile that exists, or one that no profile can have."""
    if name in config.profile_names():
        raise UsageError(f"profile {name!r} already exists", fix=f"tokencli profiles show {name}")
    if findings := check_profile_name_and_type(name, {}):
        raise UsageError(
            f"{name[:80]!r} can't be the name of a profile", cause=findings[0].suggestion
        )


def _update_keys(
    config: Config,
    text: str,
    wanted: TomlTable,
    name: str,
    put: Mapping[str, Any],
    drop: Sequence[str],
    source: str | None = None,
) -> str:
    """Return the text with keys of a profile set and removed, and change `wanted` in the same way.

    `source` is the profile of which it is a copy that isn't written yet.
    """
    if source is None:
        config.editable_profile_table(name)  # raises if there is no such profile
    table: TomlTable = wanted["profiles"][name]
    written = deepcopy(table)
    _require_ca_file(config, put)
    _require_profiles(config, put)
    for key in dict.fromkeys(drop):
        path = _split_key(key)
        if not (deleted := _delete_from_table(table, path)):
            likely = closest_match(key, tuple(_iter_key_names(written)))
            hint = f"; did you mean {likely}?" if likely else ""
            raise UsageError(
                f"profile {(source or name)!r} doesn't set {key[:80]}{hint}",
                fix=f"tokencli profiles edit {name} --unset {quote(likely)}"
                if likely and source is None
                else f"tokencli profiles show {source or name}",
            )
        text = toml_edit.delete_key(text, ("profiles", name, *deleted))
    for key, value in put.items():
        path = _split_key(key)
        _set_in_table(table, path, value)
        text = toml_edit.set_key(text, ("profiles", name, *path), value)
    return text


def remove_profile(config: Config, name: str) -> Config:
    """Remove a profile; if it is the default, there is no default afterwards."""
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
    text = toml_edit.set_key(config.text, ("default_profile",), name)
    return _write_checked(config, [text], wanted)


def replace_config_text(path: Path, old: str | None, text: str) -> Config:
    """Replace the whole text if the new one has no problem; `old` is the text that was edited."""
    new = Config(path, text, {})
    problems = new.find_problems()
    if problems:
        raise ConfigError(f"the edited file has {count_problems(problems)}", problems=problems)
    _replace_file(path, old, text)
    return new


def _require_ca_file(config: Config, keys: Mapping[str, Any]) -> None:
    """Refuse a `ca_file` that doesn't exist before it is written."""
    written = keys.get("ca_file")
    if not isinstance(written, str) or not written:
        return
    path = expand_path(written, config.path.parent)
    if not path.exists():
        raise ConfigError(
            f"the CA file {path} does not exist; nothing was written",
            cause=None
            if Path(written).is_absolute()
            else f"a relative path is relative to {config.path.parent}",
            fix=user_shell().list_path(str(path)),
        )


def _require_profiles(config: Config, keys: Mapping[str, Any]) -> None:
    """Refuse the token of a profile that doesn't exist."""
    names = config.profile_names()
    for key, table in keys.items():
        named = table.get("profile") if isinstance(table, Mapping) else None
        if isinstance(named, str) and key in EXCHANGED_SECRETS and named not in names:
            likely = closest_match(named, names)
            hint = f"; did you mean {likely}?" if likely else ""
            raise ConfigError(
                f"{key}.profile names {named[:80]!r}, but there is no such profile{hint}",
                cause=f"profiles: {list_names(names)}" if names else None,
                fix="tokencli profiles",
            )


def _write_checked(config: Config, candidates: Sequence[str], wanted: TomlTable) -> Config:
    """Write the first candidate that parses to `wanted`, unless it adds a problem."""
    new = _check_change(config, candidates, wanted)
    write_staged(config, new)
    return new


def _choose_candidate(config: Config, candidates: Iterable[str], wanted: TomlTable) -> Config:
    """Return the first candidate that parses to `wanted`."""
    for text in candidates:
        with suppress(ConfigError):
            candidate = Config(config.path, text, {})
            if _normalize_data(candidate.data) == _normalize_data(wanted):
                return candidate
    raise ConfigError(
        f"can't make this change in {config.path} without rewriting unrelated parts of it",
        fix="tokencli profiles edit",
    )


def _check_change(config: Config, candidates: Sequence[str], wanted: TomlTable) -> Config:
    """Return the configuration of the first candidate that parses to `wanted`, if it adds no problem."""
    new = _choose_candidate(config, candidates, wanted)
    # The text with these lines is never written.
    added = [replace(problem, line=None) for problem in new.find_added_problems(config)]
    if added:
        raise ConfigError(
            f"{config.path} was not changed, because the new configuration would be invalid",
            problems=added,
        )
    return new


def _set_in_table(table: TomlTable, path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{key} is not a table, so no key can be set in it")
        table = inner
    table[path[-1]] = value


def _delete_from_table(table: TomlTable, path: KeyPath) -> KeyPath:
    """Delete a key, and the source of a secret that is empty without it; return what to delete, or ()."""
    if len(path) == 1:
        return path if table.pop(path[0], None) is not None else ()
    inner = table.get(path[0])
    if not isinstance(inner, dict):
        return ()
    deleted = _delete_from_table(inner, path[1:])
    if deleted and not inner and path[0] != "params":  # an empty source would be invalid
        del table[path[0]]
        return path[:1]
    return (path[0], *deleted) if deleted else ()


def _iter_key_names(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield key
        if isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in _iter_key_names(value))


def _split_key(key: str) -> tuple[str, ...]:
    """Return the path of a dotted key; the name of a request parameter may itself contain dots."""
    top, _, inner = key.partition(".")
    return (top, inner) if top == "params" and inner else tuple(key.split("."))


def _normalize_data(data: TomlTable) -> TomlTable:
    """Drop the empty tables inside profiles: they mean nothing."""
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
    """Replace the file atomically, keeping its mode; a symlink stays and its target is replaced.

    On Windows, a file that others can't read stays closed to them.
    """
    target = path.resolve() if path.is_symlink() else path
    try:
        mode = _find_mode(target) if old is not None else 0o600
        if old is None:
            make_private_dirs(target.parent)
        _require_unchanged(path, old)
        mark = b"" if old is None else read_byte_order_mark(target)
    except OSError as error:
        raise StorageError(
            f"{path} can't be written: {error.strerror}",
            fix=user_shell().list_path(str(target.parent), "-ld"),
        ) from None
    try:
        write_atomically(target, mark + text.encode("utf-8"), mode)
    except StorageError as error:
        if error.cause:  # it is about token stores
            error.cause = "--config or TOKENCLI_CONFIG can name a file on another file system"
        raise


def _find_mode(path: Path) -> int:
    """Return the mode for a file that replaces another one; on Windows modes say nothing."""
    platform = platforms.current()
    if platform.has_modes:
        return stat.S_IMODE(path.stat().st_mode)
    return 0o644 if platform.find_access(str(path)).is_open else 0o600


def _require_unchanged(path: Path, old: str | None) -> None:
    """Make sure that the file hasn't changed since it was read."""
    try:
        current: str | None = read_config_text(path)[0]
    except FileNotFoundError:
        current = None
    if current != old:
        raise StorageError(
            f"{path} was changed by another program in the meantime",
            cause="nothing was written, so that change is not lost; run the command again",
        )

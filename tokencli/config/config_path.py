"""Find the configuration file."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tokencli.errors import ConfigError


def find_config_path(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """Return the file that `--config`, else TOKENCLI_CONFIG, else the platform names.

    Raises:
        ConfigError: there is no telling where it is.
    """
    named = explicit or environ.get("TOKENCLI_CONFIG")
    if named:
        return _to_absolute(_expand_user(named, environ), named)
    if sys.platform in ("win32", "darwin"):
        from platformdirs import user_config_path

        return user_config_path("tokencli", appauthor=False) / "config.toml"
    # A relative path counts for nothing there (XDG Base Directory Specification).
    chosen = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(chosen) if chosen.startswith("/") else _home_dir(environ) / ".config"
    return folder / "tokencli" / "config.toml"


def expand_path(written: str, base: Path) -> Path:
    """Expand `~` and stand a relative path on the folder `base`."""
    return base / _expand_user(written, os.environ)


def _expand_user(written: str, environ: Mapping[str, str]) -> Path:
    first, _, rest = written.partition("/")
    if first == "~" and sys.platform != "win32":
        return _home_dir(environ) / rest.lstrip("/")
    try:
        return Path(written).expanduser()
    except RuntimeError:  # `~nobody`: no such user, so the name stands for itself
        return Path(written)


def _home_dir(environ: Mapping[str, str]) -> Path:
    """Return the user's home: HOME, or what the user database says where that is no whole path."""
    named = environ.get("HOME", "")
    if named.startswith("/"):
        return Path(named)
    import pwd

    try:
        found = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:  # a container's user that no database knows
        found = Path()
    if not found.is_absolute():
        raise ConfigError(
            "there is no telling where the home folder is: HOME is not set, and the user database"
            f" does not know user {os.getuid()}",
            fix="name the configuration file: --config FILE, or set TOKENCLI_CONFIG; or set HOME",
        )
    return found


def _to_absolute(path: Path, written: str) -> Path:
    if path.is_absolute():
        return path
    try:
        return Path.cwd() / path
    except FileNotFoundError:
        raise ConfigError(
            f"the configuration file {written!r} is looked for in the working directory, which has"
            " been removed",
            fix="go to a directory that is there: cd; or name the file by its whole path: "
            "--config /…/config.toml",
        ) from None

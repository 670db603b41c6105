"""Read the configuration file's text, if it is safe to believe."""

import codecs
import errno
import os
import re
import stat
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from tokencli.errors import ConfigError, ConfigProblem


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


MAX_CONFIG_BYTES = 16 * 1024 * 1024
"""Bytes: 10,000 profiles take about 3 MB."""

_TOML_SUGGESTIONS = (
    ("Invalid value", 'text stands in quotes: host = "server.example.com"'),
    ("Unescaped '\\", "a path with \\ stands in single quotes: 'C:\\certs\\ca.pem'"),
    ("Invalid hex value", "a path with \\ stands in single quotes: 'C:\\certs\\ca.pem'"),
    ("Cannot overwrite", "a key stands twice in the same table: keep one"),
    ("Cannot declare", "a [table] stands twice: put its keys together"),
    ("Expected '=' after a key", 'a setting is written key = "value"'),
    ("Expected newline or end", "one setting per line; text with quotes inside needs \\\" or '…'"),
    ("Illegal character '\\n'", "text in quotes ends on the line where it begins"),
)
"""How a TOML error begins -> what would be right."""


def read_config_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the file's text, and warnings about the file itself.

    Raises:
        ConfigError: it can't be read, others may change it, or it is not UTF-8.
        FileNotFoundError: there is none.
    """
    try:
        # Without O_NONBLOCK a FIFO would hold the program for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ConfigError(
            f"the configuration file {path} can't be read: {reason}",
            fix="give another --config FILE",
        ) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ConfigError(
                f"{path} is not a file", fix="give another --config FILE, such as …/config.toml"
            )
        warnings = _check_ownership(path, about)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"the configuration file {path} can't be read: {error.strerror}"
        ) from None
    finally:
        os.close(descriptor)
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(
            f"the configuration file {path} is larger than {MAX_CONFIG_BYTES >> 20} MiB"
        )
    return _decode_utf8(path, data), warnings


def open_regular_file(path: Path, errors: str = "strict") -> TextIO:
    """Open a file of text; what is none, such as a pipe that nobody writes to, raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file; - reads stdin", str(path))
        return os.fdopen(descriptor, encoding="utf-8", errors=errors)
    except BaseException:
        os.close(descriptor)
        raise


def read_byte_order_mark(path: Path) -> bytes:
    """Return the mark that some editors put before UTF-8, which is no part of the text."""
    with path.open("rb") as file:
        return codecs.BOM_UTF8 if file.read(3) == codecs.BOM_UTF8 else b""


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Return what the text says as TOML.

    Raises:
        ConfigError: it is not TOML; with line and column, and never a piece of the text.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        what, line = "arrays or tables lie too deep inside each other", None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        what = str(error)[:200]
        at = re.search(r"line (\d+)", what)
        line = int(at[1]) if at else None
    right = next((right for begin, right in _TOML_SUGGESTIONS if what.startswith(begin)), None)
    raise ConfigError(
        f"{path} is not valid TOML",
        fix=f"mend {f'line {line}' if line else 'the end'} of {path}",
        problems=[ConfigProblem("", what, line, right)],
    )


def _check_ownership(path: Path, about: os.stat_result) -> tuple[str, ...]:
    """Refuse a file that others may write: it decides which programs are run for secrets."""
    if os.name != "posix":
        return ()
    if about.st_uid not in (os.geteuid(), 0):
        raise ConfigError(
            f"{path} belongs to another user (uid {about.st_uid}), who could point your credentials"
            " elsewhere",
            fix=f"chown {os.geteuid()} {path}   if its contents are your own",
        )
    if about.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"everybody on this machine may change {path}, and so point your credentials elsewhere",
            fix=f"look through it, then: chmod go-w {path}",
        )
    if about.st_mode & stat.S_IWGRP:
        return (f"the group may change {path}; to keep it yours: chmod g-w {path}",)
    return ()


def _decode_utf8(path: Path, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
        raise ConfigError(f"{path} is written in UTF-16", fix="save it as UTF-8 in your editor")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path} is not UTF-8: line {line} has a byte from another encoding",
            fix="save it as UTF-8 in your editor",
            problems=[ConfigProblem("", "a letter here is not written in UTF-8", line)],
        ) from None

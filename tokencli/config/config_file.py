"""Find the configuration file and read it, if it is safe to trust."""

import codecs
import errno
import os
import re
import stat
import sys
import tomllib
from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from tokencli import platforms
from tokencli.config.toml_positions import iter_statements
from tokencli.errors import ConfigError, ConfigProblem
from tokencli.shell_words import quote, user_shell
from tokencli.system.user_dirs import find_file_system
from tokencli.toml_writer import format_key_path


def find_config_path(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """Return the path from `--config`, else from TOKENCLI_CONFIG, else the platform's standard path.

    Raises:
        ConfigError: the home or working directory is unknown.
    """
    named = explicit or environ.get("TOKENCLI_CONFIG")
    if named:
        return _to_absolute(_expand_user(named, environ), named)
    if not platforms.current().uses_xdg_directories:
        from platformdirs import user_config_path

        return user_config_path("tokencli", appauthor=False) / "config.toml"
    # The XDG Base Directory Specification says to ignore a relative path.
    xdg = environ.get("XDG_CONFIG_HOME", "")
    parent = Path(xdg) if xdg.startswith("/") else _home_dir(environ) / ".config"
    return parent / "tokencli" / "config.toml"


def expand_path(written: str, base: Path) -> Path:
    """Expand `~`; a relative path is relative to the directory `base`."""
    return base / _expand_user(written, os.environ)


def _expand_user(written: str, environ: Mapping[str, str]) -> Path:
    first, _, rest = written.partition("/")
    if first == "~":
        return _home_dir(environ) / rest.lstrip("/")
    try:
        return Path(written).expanduser()
    except RuntimeError:  # there is no user of that name: a file called `~name`
        return Path(written)


def _home_dir(environ: Mapping[str, str]) -> Path:
    """Return HOME, or the user database's entry if HOME is not an absolute path."""
    homes, _ = platforms.current().find_user(environ)
    home = next(filter(os.path.isabs, homes), None)
    if home is None:
        raise ConfigError(
            "the home directory is unknown",
            cause="neither the environment nor the user database names it",
            fix=choose_config_command(),
        )
    return Path(home)


def _to_absolute(path: Path, written: str) -> Path:
    if path.is_absolute():
        return path
    try:
        return Path.cwd() / path
    except FileNotFoundError:
        raise ConfigError(
            f"the configuration file {written!r} can't be found",
            cause="the path is relative and the working directory has been deleted",
            fix='cd "$HOME"',
        ) from None


def choose_config_command() -> str:
    """Return the command that names another configuration file."""
    shell = user_shell()
    return shell.set_variable("TOKENCLI_CONFIG", shell.example_path("config.toml"))


MAX_CONFIG_BYTES = 16 * 1024 * 1024
"""Bytes: 10,000 profiles take about 3 MB."""

_TOML_SUGGESTIONS = (
    ("Invalid value", 'put text in quotes: host = "server.example.com"'),
    ("Unescaped '\\", "put a path with \\ in single quotes: 'C:\\certs\\ca.pem'"),
    ("Invalid hex value", "put a path with \\ in single quotes: 'C:\\certs\\ca.pem'"),
    ("Cannot overwrite", "the key is set twice in the same table: keep one"),
    ("Cannot declare", "the [table] appears twice: merge its keys into one"),
    ("Expected '=' after a key", 'write a setting as key = "value"'),
    ("Expected newline or end", "write one setting per line; quotes inside text need \\\" or '…'"),
    ("Illegal character '\\n'", "close the quotes on the line where they open"),
)
"""Start of tomllib's message -> suggestion."""


_RESTRICT = "to restrict access"


class FileWarning(NamedTuple):
    """What is unsafe about the file's permissions, and the command that helps."""

    problem: str
    purpose: str
    """What the command is for, as an infinitive."""
    command: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.purpose}: {self.command}"


def read_config_text(path: Path) -> tuple[str, tuple[FileWarning, ...]]:
    """Return the file's text, and warnings about its permissions.

    Raises:
        ConfigError: it can't be read, other users may change it, or it is not UTF-8.
        FileNotFoundError: there is no file.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO would block forever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a valid path"
        message = f"the configuration file {path} can't be read: {reason}"
        raise ConfigError(message, cause=_describe_owner(path)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(
                f"the configuration file {path} is not a regular file",
                cause="choose another one with --config or TOKENCLI_CONFIG",
            )
        warnings = _check_ownership(path, descriptor, status)
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
    """Open a text file in UTF-8; raises OSError if it isn't a regular file, e.g. a FIFO, which would block."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file (use - for stdin)", str(path))
        return os.fdopen(descriptor, encoding="utf-8-sig", errors=errors)
    except BaseException:
        os.close(descriptor)
        raise


def read_text_stdin(limit: int) -> str:
    """Return at most about `limit` bytes of stdin, as UTF-8 with or without a byte order mark.

    Raises:
        OSError: stdin is closed or can't be read. ValueError: it is not UTF-8.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "stdin is closed")
    return sys.stdin.buffer.read(limit).decode("utf-8-sig").replace("\r\n", "\n")


def read_byte_order_mark(path: Path) -> bytes:
    """Return the UTF-8 byte order mark that the file starts with, or nothing."""
    with path.open("rb") as file:
        return codecs.BOM_UTF8 if file.read(3) == codecs.BOM_UTF8 else b""


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ConfigError: it is not valid; the message has line and column and quotes none of the text.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        message, line = "arrays or tables are nested too deeply", None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        message = str(error)[:200]
        match = re.search(r" \(at line (\d+), (column \d+)\)$", message)
        line = int(match[1]) if match else None
        if match:  # the line is told separately
            message = f"{message[: match.start()]} ({match[2]})"
    suggestion = _suggest_for_inline_table(text, line, message) or next(
        (text for start, text in _TOML_SUGGESTIONS if message.startswith(start)), None
    )
    raise ConfigError(
        f"{path} is not valid TOML",
        fix="tokencli profiles edit",
        problems=[ConfigProblem("", message, line, suggestion)],
    )


def _suggest_for_inline_table(text: str, line: int | None, message: str) -> str | None:
    """Return what to do if the line extends a table that is written as `key = { … }`."""
    named = re.search(r"\('.*?',?\)", message)
    if line is None or named is None:
        return None
    try:
        path = literal_eval(named[0])
    except (ValueError, SyntaxError):  # the message was cut
        return None
    before = "\n".join(text.split("\n")[: line - 1])
    for statement in iter_statements(before):
        key = statement.key_path
        if not statement.is_header and path[: len(key)] == key:
            return (
                f"line {statement.first_line + 1} writes {format_key_path(key)} as {{ … }}, which can't"
                f" be extended: put the key between its braces, or write it as a [table]"
            )
    return None


_FILE_SYSTEMS_WITHOUT_MODES = frozenset(
    ("cifs", "drvfs", "exfat", "fuseblk", "ntfs", "ntfs3", "smb3", "vboxsf", "vfat")
)
"""File systems whose files have a fixed owner and mode, e.g. of Windows drives: chmod is ignored."""


def _check_ownership(
    path: Path, descriptor: int, status: os.stat_result
) -> tuple[FileWarning, ...]:
    """Reject a file that others may write: it says which programs are run to read secrets."""
    if not platforms.current().has_modes:
        return _check_access_list(path, descriptor)
    user, owner = os.geteuid(), status.st_uid
    if owner not in (user, 0):
        raise ConfigError(
            f"{path} is owned by another user (uid {owner})",
            cause=f"you are uid {user}, and the owner could send your credentials to another server;"
            " use a copy that is yours, or run tokencli as the owner",
            fix=_copy_command(path),
        )
    read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    file_system = find_file_system(path)
    if read_only:
        obstacle = "it is on a read-only file system"
    elif file_system in _FILE_SYSTEMS_WITHOUT_MODES:
        obstacle = f"its file system ({file_system}) ignores chmod"
    else:
        obstacle = "" if user in (owner, 0) else f"only its owner (uid {owner}) can change its mode"
    if status.st_mode & stat.S_IWOTH:
        cause = "any of them could send your credentials to another server"
        raise ConfigError(
            f"every user of this machine can change {path}",
            cause=f"{cause}; {obstacle}, so use a copy" if obstacle else cause,
            fix=_copy_command(path) if obstacle else f"chmod go-w {quote(str(path))}",
        )
    if read_only:
        return ()  # its group can't change it here
    warnings = []
    if status.st_mode & stat.S_IWGRP:
        problem = f"its group (gid {status.st_gid}) can change {path}"
        warnings.append(
            FileWarning(f"{problem}; {obstacle}", "to use a copy", _copy_command(path))
            if obstacle
            else FileWarning(problem, _RESTRICT, f"chmod g-w {quote(str(path))}")
        )
    parent = path.resolve().parent
    mode = parent.stat().st_mode
    if (
        mode & stat.S_IWOTH
        and not mode & stat.S_ISVTX
        and file_system not in _FILE_SYSTEMS_WITHOUT_MODES
    ):
        warnings.append(
            FileWarning(
                f"every user of this machine can replace {path}, because {parent} is open to them",
                _RESTRICT,
                f"chmod go-w {quote(str(parent))}",
            )
        )
    return tuple(warnings)


def _check_access_list(path: Path, descriptor: int) -> tuple[FileWarning, ...]:
    """Return a warning if others may write the file: a new folder in C:\\ lets every user do so."""
    access = platforms.current().find_access(descriptor)
    names = platforms.current().name_others(access.others)
    command = platforms.current().deny_writing_command(str(path), access.others)
    if not access.is_writable or command is None:
        return ()
    return (FileWarning(f"{names} can change {path}", _RESTRICT, command),)


def _copy_command(path: Path) -> str:
    """Return the command that makes a private copy of the configuration and uses it."""
    copy = '"$HOME/tokencli.toml"'
    return f"install -m 600 {quote(str(path))} {copy} && export TOKENCLI_CONFIG={copy}"


def _describe_owner(path: Path) -> str | None:
    """Say whose file it is, if it is another user's."""
    try:
        owner = path.stat().st_uid
    except (OSError, ValueError):
        return None
    if not platforms.current().has_modes or owner == os.geteuid():
        return None
    return f"it belongs to uid {owner}, and you are uid {os.geteuid()}"


def _decode_utf8(path: Path, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
        raise ConfigError(
            f"{path} is encoded in UTF-16",
            cause="a configuration must be UTF-8",
            fix=user_shell().convert_to_utf8(str(path), "UTF-16"),
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        shell = user_shell()
        name, encoding = shell.legacy_encoding
        raise ConfigError(
            f"{path} is not UTF-8: line {line} has a byte of another encoding",
            cause=f"a configuration must be UTF-8; if it is in {name}, it can be converted",
            fix=shell.convert_to_utf8(str(path), encoding),
            problems=[ConfigProblem("", "a character here is not encoded in UTF-8", line)],
        ) from None

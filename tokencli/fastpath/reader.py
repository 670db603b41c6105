"""Print a cached token or the profile names with only sys, os and time imported, on Windows also ctypes.

Runs of the full program leave records in the user's runtime directory, or on Windows encrypted on the
disk; `fastpath.records` writes them. A record is used only if all of this is certain: its folder and
file are private to the user, the configuration hasn't changed since it was written, and the token is
still fresh. In any doubt the functions return None, and the full program runs, which prints the same
bytes. Nothing here writes, locks or prompts.

A record is text, one item per line: its format and kind, the configuration's path
and stamp, the name, and the data of that kind. All of it is written twice, so that shell builtins
can also detect damage without a checksum.

Two rules that other modules follow are defined here, because this module imports nothing: until
when a token counts as fresh (`fresh_until`), and where the records are (`records_base_dirs`,
`APP_DIR`, `RECORDS_DIR`, `SLASH_IN_NAME`, `records_folder_name`, `record_file_name`).
"""

import os
import sys
import time

if sys.platform == "win32":
    from tokencli.fastpath import windows_reader

TYPE_CHECKING = False  # importing typing would cost more than everything here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RECORD_FORMAT = "0.1.0"
"""Format of the records of tokens and names: the release that introduced it."""
EXPIRY_MARGIN_S = 60.0
"""Seconds before its expiry from which a token is no longer used, at most."""
EXPIRY_MARGIN_SHARE = 0.10
"""The same as a share of its lifetime; the smaller of the two counts."""

APP_DIR = "tokencli"
"""The program's folder in a runtime directory."""
RECORDS_DIR = "hot"
"""The folder in `APP_DIR` that has one folder of records per configuration."""
SLASH_IN_NAME = "%"
"""Replaces `/` where a path is the name of a folder."""

OUTPUT_FORMATS = {"get": "%s\n", "export": "export %s='%s';\n"}
"""Command -> its output, given the variable (`export` only) and the token."""
IS_SUPPORTED = sys.platform in ("linux", "win32")
"""Whether there are records on this system."""
KNOWN_VARIABLES = ("TOKENCLI_CONFIG", "TOKENCLI_PROFILE")
"""The program's environment variables that are handled here; any other needs the full program."""
MAX_RECORD_BYTES = 4 << 20

NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
B64TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="


def fast_path_output(argv: "Sequence[str]", environ: "Mapping[str, str]") -> str | None:
    """Return what the command line prints to stdout with exit code 0, or None if in doubt."""
    if not IS_SUPPORTED or not 1 <= len(argv) <= 3 or has_unknown_variables(environ):
        return None
    try:
        if argv[0] in OUTPUT_FORMATS and len(argv) <= 2:
            return _token_output(argv[0], argv[1] if len(argv) == 2 else None, environ)
        if list(argv[:2]) == ["completion", "--profiles"]:
            prefix = argv[2] if len(argv) == 3 else ""
            return None if prefix.startswith("-") else _profile_names_output(prefix, environ)
    except (OSError, ValueError):
        pass
    return None


def fresh_until(
    obtained_at: float, expires_at: float, margin: float | None, min_ttl: float | None
) -> float:
    """Return the epoch second from which a token counts as stale and is replaced.

    It is the expiry minus the larger of the margin and `min_ttl`. The margin is the smaller of
    `EXPIRY_MARGIN_S` and `EXPIRY_MARGIN_SHARE` of the lifetime; a provider can set a smaller one.
    """
    usual_margin = min(EXPIRY_MARGIN_S, EXPIRY_MARGIN_SHARE * (expires_at - obtained_at))
    margin = usual_margin if margin is None else min(usual_margin, margin)
    return expires_at - max(margin, min_ttl or 0.0)


def records_base_dirs(xdg_runtime_dir: str, user_id: "int | str") -> tuple[str, ...]:
    """Return the directories that may have `APP_DIR` with the records, in order of preference.

    For a shell hook, the arguments are the variables in which the shell has these values.
    """
    return xdg_runtime_dir, f"/run/user/{user_id}"


def config_file_path(environ: "Mapping[str, str]", named: str | None = None) -> str | None:
    """Return the absolute path of the configuration file, or None if in doubt.

    It is the one that the caller `named`, if any. It follows the rules of Linux, or of Windows.
    """
    if sys.platform == "win32":
        return windows_reader.config_file_path(environ, named)
    path = named or environ.get("TOKENCLI_CONFIG")
    if not path:
        folder, home = environ.get("XDG_CONFIG_HOME"), environ.get("HOME")
        if not folder and not home:
            return None  # the full program asks the user database
        path = f"{folder or f'{home}/.config'}/tokencli/config.toml"
        if "//" in path:
            return None
    return path if path.startswith("/") and "\n" not in path else None


def records_folder_name(config: str) -> str:
    """Return the name of the folder with a configuration's records: its path, `%` for `/`."""
    if sys.platform == "win32":
        return windows_reader.records_folder_name(config)
    return config.replace("/", SLASH_IN_NAME)


def config_of_folder(name: str) -> str:
    """Return the configuration whose records are in the folder of that name."""
    if sys.platform == "win32":
        return windows_reader.config_of_folder(name)
    return name.replace(SLASH_IN_NAME, "/")


def config_stamp(config: str) -> str | None:
    """Return what changes whenever the configuration does, or None if it can't be trusted.

    A file that the full program would reject or warn about is left to it.
    """
    if sys.platform == "win32":
        return windows_reader.config_stamp(config)
    status = os.stat(config)  # noqa: PTH116 - pathlib is not loaded here
    mode, user = status.st_mode, os.geteuid()
    if mode & 0o170022 != 0o100000 or status.st_uid not in (user, 0):
        return None
    if user and not mode & (0o400 if status.st_uid == user else 0o004):
        return None
    return (
        f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size} {status.st_ino}"
        f" {status.st_dev}"
    )


def read_record(
    kind: str, name: str, config: str, environ: "Mapping[str, str]", stamp: str | None = None
) -> list[str] | None:
    """Return the data lines of a record, or None if there is none that is certain.

    Raises:
        OSError, ValueError: there is none, either.
    """
    if name.strip(NAME_CHARACTERS) or name.startswith((".", "-", "_")):
        return None
    stamp = stamp or config_stamp(config)
    path = find_record_path(kind, name, config, environ)
    if path is None or stamp is None:
        return None
    data = _read_private_file(path)
    half = len(data) // 2
    if not half or data[:half] != data[half:]:
        return None
    head = "\n".join((record_header(kind), config, stamp, name, ""))
    text = data[:half].decode("utf-8", "surrogateescape")
    if not text.startswith(head) or not text.endswith("\n"):
        return None
    return text[len(head) : -1].split("\n")


def record_file_name(kind: str, name: str) -> str:
    """Return the file name of a record; profile names don't start with a dot."""
    if sys.platform == "win32":  # a file with a name such as `con` is a device
        return f"{kind}-{name}"
    if kind == "token":
        return name
    return f".{kind}.{name}" if name else f".{kind}"


def record_header(kind: str) -> str:
    """Return the first line of a record; records of other formats are ignored."""
    if kind == "profile":  # made of this version's classes, so no other version can use it
        from tokencli import __version__

        return f"tokencli {__version__} {kind}"
    return f"tokencli {RECORD_FORMAT} {kind}"


def has_unknown_variables(environ: "Mapping[str, str]") -> bool:
    """Tell whether a variable might make the full program print something else."""
    return "_TOKENCLI_COMPLETE" in environ or any(
        name.startswith("TOKENCLI_") and name not in KNOWN_VARIABLES for name in environ
    )


def _token_output(command: str, name: str | None, environ: "Mapping[str, str]") -> str | None:
    found = find_token_record(name, environ)
    fields = None if found is None else read_fresh_token(*found, environ)
    if fields is None:
        return None
    variable, token = fields[2:4]
    if not variable.isascii() or not variable.isidentifier():
        return None
    return OUTPUT_FORMATS[command] % ((variable, token) if command == "export" else token)


def find_token_record(
    name: str | None, environ: "Mapping[str, str]", config: str | None = None
) -> tuple[str, str, str | None] | None:
    """Return the profile whose token is meant, the configuration and its stamp; None if in doubt.

    Without `name` it is the default profile, without `config` the usual configuration.

    Raises:
        OSError, ValueError: there is none, either.
    """
    config = config_file_path(environ, config)
    if config is None or name == "" or not IS_SUPPORTED:
        return None
    stamp = config_stamp(config)
    name = name or environ.get("TOKENCLI_PROFILE")
    if not name:
        (name,) = read_record("default", "", config, environ, stamp) or ("",)
    return (name, config, stamp) if name else None


def read_fresh_token(
    name: str, config: str, stamp: str | None, environ: "Mapping[str, str]"
) -> list[str] | None:
    """Return the data lines of a profile's token if it is certain and fresh; the fourth is the token.

    Raises:
        OSError, ValueError: there is none, either.
    """
    fields = read_record("token", name, config, environ, stamp)
    if fields is None:
        return None
    fresh_from, stale_from, _, token = fields[:4]
    if not int(fresh_from) <= time.time() < int(stale_from):
        return None
    return fields if token and not token.strip(B64TOKEN_CHARACTERS) else None


def _profile_names_output(prefix: str, environ: "Mapping[str, str]") -> str | None:
    config = config_file_path(environ)
    names = read_record("names", "", config, environ) if config else None
    if names is None:
        return None
    return "".join(f"{name}\n" for name in names if name.startswith(prefix))


def find_record_path(kind: str, name: str, config: str, environ: "Mapping[str, str]") -> str | None:
    """Return the path of a record, written or not, if its folder and that one's parents are private.

    On Windows, the owner and the access list of the file itself say who has written it.
    """
    if sys.platform == "win32":
        folder, file = records_folder_name(config), record_file_name(kind, name)
        return windows_reader.find_record_path(folder, file, environ)
    for base in records_base_dirs(environ.get("XDG_RUNTIME_DIR", ""), os.geteuid()):
        folder = base
        try:
            if not base.startswith("/") or not _is_private_folder(base):
                continue
            for part in (APP_DIR, RECORDS_DIR, records_folder_name(config)):
                folder = f"{folder}/{part}"
                if not _is_private_folder(folder):
                    return None
        except OSError:
            continue
        return f"{folder}/{record_file_name(kind, name)}"
    return None


def _is_private_folder(folder: str) -> bool:
    status = os.lstat(folder)
    return status.st_mode & 0o170077 == 0o040000 and status.st_uid == os.geteuid()


def _read_private_file(path: str) -> bytes:
    """Return the content of a file that only the user can access; empty for any other."""
    if sys.platform == "win32":
        return windows_reader.read_private_file(path, MAX_RECORD_BYTES)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_mode & 0o170077 != 0o100000 or status.st_uid != os.geteuid():
            return b""
        if status.st_nlink > 1 or status.st_size > MAX_RECORD_BYTES:
            return b""
        data = os.read(descriptor, status.st_size + 1)
    finally:
        os.close(descriptor)
    return data if len(data) == status.st_size else b""

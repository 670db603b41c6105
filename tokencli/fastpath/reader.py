"""Answer a warm `get`, `export` or completion of profile names with sys, os and time alone.

The long way leaves records in the user's runtime directory; `stores.shelf` writes them.
A record is believed only if everything about it is certain: where it lies, whose it is, that the
configuration has not changed since, and that the token may still be handed out. Any doubt is None:
then the long way runs, and prints the same bytes. Nothing here writes, locks or asks anybody.

A record is text: the kind and the program's version, the configuration's path, its stamp, the name,
then what the kind holds, a line each; and all of it once more. So damage is seen without a checksum,
by a shell's builtins, too.
"""

import os
import sys
import time

TYPE_CHECKING = False  # typing's own would cost more than everything here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OUTPUT_FORMATS = {"get": "%s\n", "export": "export %s='%s';\n"}
"""Command -> what it prints, with the variable and the token."""
KNOWN_VARIABLES = ("TOKENCLI_CONFIG", "TOKENCLI_PROFILE")
"""The program's own variables that are understood here; any other is for the long way."""
MAX_RECORD_BYTES = 4 << 20
"""Bytes; no record is larger."""

_NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
_B64TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="


def fast_path_output(argv: "Sequence[str]", environ: "Mapping[str, str]") -> str | None:
    """Return what the command line prints to stdout with exit code 0, or None where in doubt."""
    if sys.platform != "linux" or not 1 <= len(argv) <= 3 or _has_unknown_variables(environ):
        return None
    try:
        if argv[0] in OUTPUT_FORMATS and len(argv) <= 2:
            return _token_output(argv[0], argv[1] if len(argv) == 2 else None, environ)
        if list(argv[:2]) == ["completion", "--profiles"]:
            beginning = argv[2] if len(argv) == 3 else ""
            return None if beginning.startswith("-") else _profile_names_output(beginning, environ)
    except (OSError, ValueError):
        pass
    return None


def config_file_path(environ: "Mapping[str, str]") -> str | None:
    """Return the absolute path of the configuration file as Linux has it, or None where in doubt."""
    named = environ.get("TOKENCLI_CONFIG")
    if not named:
        folder, home = environ.get("XDG_CONFIG_HOME"), environ.get("HOME")
        if not folder and not home:
            return None  # the long way asks the user database
        named = f"{folder or f'{home}/.config'}/tokencli/config.toml"
        if "//" in named:
            return None
    return named if named.startswith("/") and "\n" not in named else None


def records_folder_name(config: str) -> str:
    """Return the name of the folder with the records of a configuration: its path in one word."""
    return config.replace("/", "%")


def config_stamp(config: str) -> str | None:
    """Return what changes when the configuration does, or None where it may not be believed.

    What the long way would refuse or warn about is for the long way.
    """
    found = os.stat(config)  # noqa: PTH116 - pathlib is not loaded here
    mode, user = found.st_mode, os.geteuid()
    if mode & 0o170022 != 0o100000 or found.st_uid not in (user, 0):
        return None
    if user and not mode & (0o400 if found.st_uid == user else 0o004):
        return None
    return f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_size} {found.st_ino} {found.st_dev}"


def read_record(
    kind: str, name: str, config: str, environ: "Mapping[str, str]", stamp: str | None = None
) -> list[str] | None:
    """Return the lines of a record, or None where there is none that is certain.

    Raises:
        OSError, ValueError: the same, in other words.
    """
    if name.strip(_NAME_CHARACTERS) or name.startswith((".", "-", "_")):
        return None
    stamp = stamp or config_stamp(config)
    place = _records_folder(config, environ)
    if place is None or stamp is None:
        return None
    data = _read_private_file(f"{place}/{record_file_name(kind, name)}")
    half = len(data) // 2
    if not half or data[:half] != data[half:]:
        return None
    head = "\n".join((record_header(kind), config, stamp, name, ""))
    text = data[:half].decode("utf-8", "surrogateescape")
    if not text.startswith(head) or not text.endswith("\n"):
        return None
    return text[len(head) : -1].split("\n")


def record_file_name(kind: str, name: str) -> str:
    """Return the file name of a record; no profile's name begins with a dot."""
    if kind == "token":
        return name
    return f".{kind}.{name}" if name else f".{kind}"


def record_header(kind: str) -> str:
    """Return the first line of a record: a record of another version is none."""
    from tokencli import __version__

    return f"tokencli {__version__} {kind}"


def _has_unknown_variables(environ: "Mapping[str, str]") -> bool:
    """Tell whether a variable might make the long way print something else."""
    return "_TOKENCLI_COMPLETE" in environ or any(
        name.startswith("TOKENCLI_") and name not in KNOWN_VARIABLES for name in environ
    )


def _token_output(command: str, name: str | None, environ: "Mapping[str, str]") -> str | None:
    config = config_file_path(environ)
    if config is None or name == "":
        return None
    stamp = config_stamp(config)
    name = name or environ.get("TOKENCLI_PROFILE")
    if not name:
        (name,) = read_record("default", "", config, environ, stamp) or ("",)
    fields = read_record("token", name, config, environ, stamp) if name else None
    if fields is None:
        return None
    first, last, variable, token = fields[:4]
    if not int(first) <= time.time() < int(last) or not token or token.strip(_B64TOKEN_CHARACTERS):
        return None
    if not variable.isascii() or not variable.isidentifier():
        return None
    return OUTPUT_FORMATS[command] % ((variable, token) if command == "export" else token)


def _profile_names_output(beginning: str, environ: "Mapping[str, str]") -> str | None:
    config = config_file_path(environ)
    found = read_record("names", "", config, environ) if config else None
    if found is None:
        return None
    return "".join(f"{name}\n" for name in found if name.startswith(beginning))


def _records_folder(config: str, environ: "Mapping[str, str]") -> str | None:
    """Return the folder of a configuration's records, if it and all above it are closed to others."""
    for base in (environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.geteuid()}"):
        place = base
        try:
            if not base.startswith("/") or not _is_private_folder(base):
                continue
            for part in ("tokencli", "hot", records_folder_name(config)):
                place = f"{place}/{part}"
                if not _is_private_folder(place):
                    return None
        except OSError:
            continue
        return place
    return None


def _is_private_folder(folder: str) -> bool:
    found = os.lstat(folder)
    return found.st_mode & 0o170077 == 0o040000 and found.st_uid == os.geteuid()


def _read_private_file(path: str) -> bytes:
    """Return the content of a file that is ours alone, empty where it is not."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if found.st_mode & 0o170077 != 0o100000 or found.st_uid != os.geteuid():
            return b""
        if found.st_nlink > 1 or found.st_size > MAX_RECORD_BYTES:
            return b""
        data = os.read(descriptor, found.st_size + 1)
    finally:
        os.close(descriptor)
    return data if len(data) == found.st_size else b""

"""What `reader` does differently on Windows: records are on the disk, encrypted for the user (DPAPI).

They are in the directory LOCALAPPDATA. Records are written only if that variable names the user's own
directory, so another value finds none. A process that reads one imports `ctypes` besides.
"""

import os
import sys

from tokencli.platforms.windows_privacy import (
    ENCRYPTED_HEAD,
    ENTROPY,
    READ,
    TRUSTED,
    WRITE,
    list_others,
)

TYPE_CHECKING = False  # see reader
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokencli.platforms.windows_files import FileCalls

_loaded: "list[FileCalls]" = []
"""The functions of Windows, once they have been used; tests have others."""


def load_calls() -> "FileCalls":
    """Return the functions of Windows."""
    if not _loaded and sys.platform == "win32":
        from tokencli.platforms.windows_file_api import WindowsFileApi

        _loaded.append(WindowsFileApi())
    return _loaded[0]


def config_file_path(environ: "Mapping[str, str]", named: str | None) -> str | None:
    """Return the absolute path of the configuration file as the full program spells it, or None."""
    path = named or environ.get("TOKENCLI_CONFIG")
    if not path:
        folder = environ.get("LOCALAPPDATA")
        path = f"{folder}\\tokencli\\config.toml" if folder else ""
    return path if is_plain_path(path) else None


def is_plain_path(path: str) -> bool:
    """Tell whether a path is absolute, on a drive, and has one spelling."""
    names = path[3:].split("\\")
    return (
        path[:1].isalpha()
        and path[1:3] == ":\\"
        and not any(character in path for character in "/\n%")
        and not any(name in ("", ".", "..") for name in names)
    )


def records_folder_name(config: str) -> str:
    """Return the name of the folder with a configuration's records: its path, `%` for `:` and `\\`."""
    return config.replace(":", "%").replace("\\", "%")


def config_of_folder(name: str) -> str:
    """Return the configuration whose records are in the folder of that name."""
    return f"{name[:1]}:\\{name[3:]}".replace("%", "\\")


def config_stamp(config: str) -> str | None:
    """Return what changes whenever the configuration does; None if the full program might complain.

    The time of the last change is that of the file's record, which no program can set back.
    """
    descriptor = os.open(config, os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        changed = load_calls().change_time(descriptor)
        owner, others = _read_access(descriptor, WRITE)
    finally:
        os.close(descriptor)
    if (
        status.st_mode & 0o170000 != 0o100000
        or others
        or owner not in (load_calls().user_sid(), *TRUSTED)
    ):
        return None
    return f"{status.st_mtime_ns} {changed} {status.st_size} {status.st_ino} {status.st_dev}"


def find_record_path(folder: str, file: str, environ: "Mapping[str, str]") -> str | None:
    """Return the path of a record, written or not."""
    base = environ.get("LOCALAPPDATA")
    return f"{base}\\tokencli\\hot\\{folder}\\{file}" if base else None


def read_private_file(path: str, limit: int) -> bytes:
    """Return the decrypted content of a file that only the user can access; empty for any other."""
    calls = load_calls()
    descriptor = calls.open_file(path, os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        owner, others = _read_access(descriptor, READ | WRITE)
        if others or owner != load_calls().user_sid():
            return b""
        if status.st_mode & 0o170000 != 0o100000 or status.st_nlink > 1 or status.st_size > limit:
            return b""
        data = os.read(descriptor, status.st_size + 1)
    finally:
        os.close(descriptor)
    head, _, blob = data.partition(b"\n")
    return calls.unprotect(blob, ENTROPY) if head.startswith(ENCRYPTED_HEAD) else b""


def _read_access(descriptor: int, rights: int) -> "tuple[str, list[str]]":
    """Return the owner of an open file, and the others who have any of the rights."""
    calls = load_calls()
    owner, grants = calls.read_access(descriptor)
    everyone = [("everyone", rights)]  # without an access list
    return owner, list_others(calls.user_sid(), everyone if grants is None else grants, rights)

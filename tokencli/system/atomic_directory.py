"""Directories whose files change all at once, as the kubelet does for Secrets and ConfigMaps.

The files are in a hidden directory with a name that is never used again, the link `..data` leads to it,
and each public name is a link through `..data`. To replace the files, a new hidden directory is filled
and `..data` is renamed over. Programs that watch `..data` (inotify: IN_MOVED_TO), as they do in
Kubernetes, find a complete set. The previous set stays until the next replacement, for readers that
have just followed the link.
"""

import os
import re
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tokencli.system.private_files import (
    build_storage_error,
    require_safe_directory,
    sync_dir,
    write_atomically,
)

LINK = "..data"
_GENERATION = re.compile(r"\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.[0-9a-f]{16}")
_DRAFT = re.compile(r"\.\.data_tmp\.[0-9a-f]{16}")


def write_directory(directory: Path, files: Mapping[str, bytes], mode: int = 0o600) -> None:
    """Replace the files in `directory` all at once; each gets `mode`.

    The directory is created if it is missing; then those who may read the files may enter it. Files and
    links that were not written by this function are left alone.

    Raises:
        StorageError: other users can write to the directory, something else has one of the names, or
            the files can't be written. The old ones stay.
    """
    unique = os.urandom(8).hex()
    generation = directory / f"{time.strftime('..%Y_%m_%d_%H_%M_%S', time.gmtime())}.{unique}"
    draft = directory / f"..data_tmp.{unique}"
    try:
        if not directory.exists():
            _make_dir(directory, mode)
        require_safe_directory(directory)
        for name in files:
            _require_own_link(directory / name)
        previous = _read_link(directory / LINK)
        try:
            _make_dir(generation, mode)
            for name, data in files.items():
                write_atomically(generation / name, data, mode)
            draft.symlink_to(generation.name)
            draft.replace(directory / LINK)
        except BaseException:
            _remove_generation(generation)
            draft.unlink(missing_ok=True)
            raise
        for name in files:
            if not os.path.lexists(directory / name):
                (directory / name).symlink_to(f"{LINK}/{name}")
        _remove_leftovers(directory, files, {generation.name, previous})
        sync_dir(directory)
    except OSError as error:
        raise build_storage_error(error, directory) from None


def remove_directory_files(directory: Path) -> bool:
    """Remove what `write_directory` has written, and tell whether there was anything.

    Raises:
        StorageError: it can't be removed.
    """
    try:
        existed = _read_link(directory / LINK) is not None
        (directory / LINK).unlink(missing_ok=True)
        if directory.is_dir():
            _remove_leftovers(directory, (), set())
    except OSError as error:
        raise build_storage_error(error, directory) from None
    return existed


def _make_dir(path: Path, file_mode: int) -> None:
    """Create a directory that those may enter who may read files of `file_mode`."""
    path.mkdir(mode=0o700)
    inherited = path.stat().st_mode & stat.S_ISGID  # of a Kubernetes volume with fsGroup
    path.chmod(inherited | 0o700 | (file_mode & 0o044) | (file_mode & 0o044) >> 2)


def _require_own_link(path: Path) -> None:
    """Refuse a name that belongs to something else."""
    if os.path.lexists(path) and _read_link(path) != f"{LINK}/{path.name}":
        raise FileExistsError(17, "another file has this name", str(path))


def _read_link(path: Path) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - the text, not a path
    except OSError:
        return None


def _remove_leftovers(
    directory: Path, names: Mapping[str, bytes] | tuple[()], keep: set[str | None]
) -> None:
    """Remove links to files that no longer exist, and the sets of earlier replacements."""
    for entry in list(directory.iterdir()):
        if _GENERATION.fullmatch(entry.name):
            if entry.name not in keep:
                _remove_generation(entry)
        elif _DRAFT.fullmatch(entry.name) or (
            entry.name not in names and _read_link(entry) == f"{LINK}/{entry.name}"
        ):
            entry.unlink(missing_ok=True)


def _remove_generation(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path)

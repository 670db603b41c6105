"""Read a recording, or a collection's folder, for `tokencli providers new --from`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tokencli.config.config_file import open_regular_file
from tokencli.errors import ConfigError
from tokencli.importers import parse_file, parse_folder
from tokencli.importers.model import Imported

MAX_FILE_CHARS = 64 * 1024 * 1024
"""Characters: a browser's recording of a minute has some 10 million."""
MAX_FOLDER_CHARS = 16 * 1024 * 1024
MAX_FILES = 5000
COLLECTION_SUFFIXES = (".bru", ".yml", ".yaml")


def read_token_requests(path: str) -> list[Imported]:
    """Return the requests for a token in a file, on stdin where it is `-`, or in a folder.

    Raises:
        ConfigError: it can't be read, is of no kind that is known, or holds none.
    """
    try:
        if path != "-" and Path(path).is_dir():
            files = dict(_read_collection_files(Path(path)))
        elif path == "-":
            files = {"": sys.stdin.read(MAX_FILE_CHARS + 1)}
        else:
            with open_regular_file(Path(path)) as file:
                files = {"": file.read(MAX_FILE_CHARS + 1)}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        which = str(getattr(error, "filename", None) or path)
        raise ConfigError(f"{which[:200]!r} can't be read: {reason}") from None
    return parse_file(_check_size(files[""])) if "" in files else parse_folder(files)


def _check_size(text: str) -> str:
    if len(text) > MAX_FILE_CHARS:
        raise ConfigError("the file is too large: more than 64 million characters")
    return text


def _read_collection_files(top: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a collection, by their paths in it; links out of it are not followed."""
    left, count = MAX_FOLDER_CHARS, 0
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != "node_modules" and name[0] != ".")
        for name in sorted(names):
            path = Path(place, name)
            if (
                not (name.endswith(COLLECTION_SUFFIXES) or name == "bruno.json")
                or path.is_symlink()
            ):
                continue
            count += 1
            with open_regular_file(path, errors="replace") as file:
                text = file.read(left + 1)
            left -= len(text)
            if left < 0 or count > MAX_FILES:
                raise ConfigError("the folder is too large to be a collection")
            yield path.relative_to(top).as_posix(), text

"""Read a recording, or a collection's folder, for `tokencli providers new --from`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tokencli.config.file import regular
from tokencli.errors import ConfigError
from tokencli.providers.recorded import from_file, from_folder
from tokencli.providers.recorded.seen import Found

LARGEST = 64 * 1024 * 1024
"""Characters: a browser's recording of a minute has some 10 million."""
LARGEST_FOLDER = 16 * 1024 * 1024
MOST_FILES = 5000
KINDS = (".bru", ".yml", ".yaml")


def recorded(path: str) -> list[Found]:
    """Return the requests for a token in a file, on stdin where it is `-`, or in a folder.

    Raises:
        ConfigError: it can't be read, is of no kind that is known, or holds none.
    """
    try:
        if path != "-" and Path(path).is_dir():
            files = dict(_folder(Path(path)))
        elif path == "-":
            files = {"": sys.stdin.read(LARGEST + 1)}
        else:
            with regular(Path(path)) as file:
                files = {"": file.read(LARGEST + 1)}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        which = str(getattr(error, "filename", None) or path)
        raise ConfigError(f"{which[:200]!r} can't be read: {reason}") from None
    return from_file(_whole(files[""])) if "" in files else from_folder(files)


def _whole(text: str) -> str:
    if len(text) > LARGEST:
        raise ConfigError("the file is too large: more than 64 million characters")
    return text


def _folder(top: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a collection, by their paths in it; links out of it are not followed."""
    left, count = LARGEST_FOLDER, 0
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != "node_modules" and name[0] != ".")
        for name in sorted(names):
            path = Path(place, name)
            if not (name.endswith(KINDS) or name == "bruno.json") or path.is_symlink():
                continue
            count += 1
            with regular(path, errors="replace") as file:
                text = file.read(left + 1)
            left -= len(text)
            if left < 0 or count > MOST_FILES:
                raise ConfigError("the folder is too large to be a collection")
            yield path.relative_to(top).as_posix(), text

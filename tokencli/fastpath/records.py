"""Write what `tokencli.fastpath.reader` reads: disposable records in the user's memory-backed runtime directory.

`<runtime>/tokencli/hot/<path of the configuration, % for />/` holds, for one configuration: the
access token of each profile (never a refresh token, never a secret) under the profile's name; which
profile is the default; the names of all; and what each profile amounts to. Everything there is
derived, good only while the configuration is unchanged, and may be removed at any time.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tokencli.errors import StorageError
from tokencli.fastpath import reader
from tokencli.system import safe_file
from tokencli.system.private_dir import ensure_private_dir, list_names
from tokencli.system.user_dirs import runtime_dir

_MIN_CONFIG_AGE_S = 0.05, 3.0
"""A configuration changed less than so long ago might change again without a later time on it: on
file systems that count fractions of a second, and on those that don't."""


class CacheRecords:
    """The records of one configuration, as it was when `stamp` was taken."""

    def __init__(self, config: str | None, environ: Mapping[str, str]) -> None:
        known = sys.platform == "linux" and config is not None and "\n" not in config
        self._config = config if known else None
        self._environ = environ
        self._stamp: str | None = None
        try:
            self._stamp = reader.config_stamp(self._config) if self._config is not None else None
        except (OSError, ValueError):
            return

    def read(self, kind: str, name: str = "") -> list[str] | None:
        """Return the lines of a record, or None where there is none that is certain."""
        if self._config is None or self._stamp is None:
            return None
        try:
            return reader.read_record(kind, name, self._config, self._environ, self._stamp)
        except (OSError, ValueError):
            return None

    def write(self, kind: str, name: str, lines: Sequence[str]) -> bool:
        """Write a record and tell whether it could be; nothing depends on one, so nothing is raised."""
        root = self._cache_root()
        if root is None or self._config is None or self._stamp is None:
            return False
        whole = [reader.record_header(kind), self._config, self._stamp, name, *lines]
        if any("\n" in line for line in whole) or not self._is_config_unchanged():
            return False
        place = root / reader.records_folder_name(self._config)
        path = place / reader.record_file_name(kind, name)
        data = "".join(f"{line}\n" for line in whole).encode("utf-8", "surrogateescape") * 2
        changed = int(self._stamp.split()[0])
        try:
            for folder in (root.parent, root, place):
                ensure_private_dir(folder)
            safe_file.write_atomically(path, data)
            # A shell can compare two files' times, and nothing else of a configuration.
            os.utime(path, ns=(changed, changed))
        except (StorageError, OSError, ValueError):
            return False
        return True

    def delete_record(self, kind: str, name: str) -> None:
        """Remove a record."""
        root = self._cache_root()
        if root is not None and self._config is not None:
            _remove_quietly(
                root
                / reader.records_folder_name(self._config)
                / reader.record_file_name(kind, name)
            )

    def delete_tokens(self, name: str) -> None:
        """Remove the token that any configuration has for a profile of that name."""
        for place in self._iterate_record_dirs():
            _remove_quietly(place / reader.record_file_name("token", name))

    def delete_orphans(self) -> None:
        """Remove the records of configurations that are no longer there."""
        for place in self._iterate_record_dirs():
            if not os.path.lexists(place.name.replace("%", "/")):
                remove_record_dir(place)

    def delete_all(self) -> None:
        """Remove all records of this configuration, by whatever path it was named."""
        if self._config is None:
            return
        real, own = os.path.realpath(self._config), reader.records_folder_name(self._config)
        for place in self._iterate_record_dirs():
            if place.name == own or os.path.realpath(place.name.replace("%", "/")) == real:
                remove_record_dir(place)

    def _cache_root(self) -> Path | None:
        runtime = runtime_dir(self._environ)
        return None if runtime is None else runtime / "hot"

    def _iterate_record_dirs(self) -> Iterator[Path]:
        root = self._cache_root()
        if root is None:
            return
        try:
            yield from [root / name for name in list_names(root)]
        except StorageError:
            return

    def _is_config_unchanged(self) -> bool:
        assert self._config is not None and self._stamp is not None
        changed = int(self._stamp.split()[0])
        coarse = changed % 1_000_000_000 == 0
        if 0 <= time.time() - changed / 1e9 < _MIN_CONFIG_AGE_S[coarse]:
            return False
        try:
            return reader.config_stamp(self._config) == self._stamp
        except (OSError, ValueError):
            return False


def remove_record_dir(place: Path) -> None:
    """Remove a folder of records and what is in it."""
    import shutil

    shutil.rmtree(place, ignore_errors=True)


def _remove_quietly(path: Path) -> None:
    try:
        safe_file.remove_file(path)
    except StorageError:
        return

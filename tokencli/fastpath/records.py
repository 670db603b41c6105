"""Write the records that `tokencli.fastpath.reader` reads, in memory or, on Windows, encrypted on the disk.

In a directory of `reader.records_base_dirs`, each configuration has a folder, which is named by
`reader.records_folder_name`. It holds the access token of each profile (never a refresh token or a
secret) under the profile's name, the name of the default profile, the names of all profiles, and each
validated profile. All of it is derived, is only used while the configuration is unchanged, and may be
deleted at any time.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from tokencli import platforms
from tokencli.errors import StorageError
from tokencli.fastpath import reader
from tokencli.system import private_files
from tokencli.system.private_files import ensure_private_dir, list_names
from tokencli.system.user_dirs import find_memory_dir

_MIN_CONFIG_AGE_S = 0.05, 3.0
"""Seconds, on file systems with and without fractions of a second in their times. A configuration
changed more recently could change again without a new modification time."""


class FastPathRecords:
    """The records of one configuration, valid for its state when the object was created."""

    def __init__(self, config: str | None, environ: Mapping[str, str]) -> None:
        is_usable = config is not None and "\n" not in config
        self._config = config if reader.IS_SUPPORTED and is_usable else None
        self._environ = environ
        self._stamp: str | None = None
        try:
            self._stamp = reader.config_stamp(self._config) if self._config is not None else None
        except (OSError, ValueError):
            return

    def read(self, kind: str, name: str = "") -> list[str] | None:
        """Return the data lines of a record, or None if there is none that is certain."""
        if self._config is None or self._stamp is None:
            return None
        try:
            return reader.read_record(kind, name, self._config, self._environ, self._stamp)
        except (OSError, ValueError):
            return None

    def write(self, kind: str, name: str, lines: Sequence[str]) -> bool:
        """Write a record and tell whether that succeeded; failures are not errors, as nothing needs it."""
        if self.base_dir is None or self._config is None or self._stamp is None:
            return False
        root = _records_root(self.base_dir)
        record = [reader.record_header(kind), self._config, self._stamp, name, *lines]
        if any("\n" in line for line in record) or not self._is_config_unchanged():
            return False
        records_dir = root / reader.records_folder_name(self._config)
        path = records_dir / reader.record_file_name(kind, name)
        data = "".join(f"{line}\n" for line in record).encode("utf-8", "surrogateescape") * 2
        config_mtime_ns = int(self._stamp.split()[0])
        try:
            platform = platforms.current()
            # On Windows, the first is the state directory as well.
            ensure_private_dir(root.parent, chosen=platform.encrypted_dir() is not None)
            for folder in (root, records_dir):
                ensure_private_dir(folder)
            private_files.write_atomically(path, platform.encrypt(data))
            # The times of two files are all that a shell can compare of a configuration.
            os.utime(path, ns=(config_mtime_ns, config_mtime_ns))
        except (StorageError, OSError, ValueError):
            return False
        return True

    def fingerprint(self, kind: str, name: str) -> object | None:
        """Return what changes whenever a record is written or deleted; None if there is none."""
        path = self._record_path(kind, name)
        return None if path is None else private_files.stat_stamp(path)

    def delete_record(self, kind: str, name: str) -> None:
        """Delete a record."""
        path = self._record_path(kind, name)
        if path is not None:
            _remove_quietly(path)

    def delete_tokens(self, name: str) -> None:
        """Delete the token that any configuration has for a profile of that name."""
        for records_dir in self._iterate_record_dirs(self.base_dir):
            _remove_quietly(records_dir / reader.record_file_name("token", name))

    def delete_copies(
        self, name: str, other_base_dirs: Iterable[Path]
    ) -> list[tuple[StorageError, bool]]:
        """Delete a profile's token: that of any configuration, and in other directories this one's.

        A record that can't be deleted is made useless, by changing the modification time of its
        configuration. Return the error of each, and whether it may still be used because even that
        failed.
        """
        failures = []
        for base in dict.fromkeys((self.base_dir, *other_base_dirs)):
            for records_dir in self._iterate_record_dirs(base):
                if base != self.base_dir and not self._is_of_this_config(records_dir):
                    continue
                path = records_dir / reader.record_file_name("token", name)
                try:
                    if os.path.lexists(path):
                        ensure_private_dir(records_dir, create=False)  # so that we can write in it
                        private_files.remove_file(path)
                except StorageError as error:
                    failures.append((error, not _is_made_useless(path, _config_of(records_dir))))
        return failures

    def delete_orphans(self) -> None:
        """Delete the records of configurations that no longer exist."""
        for records_dir in self._iterate_record_dirs(self.base_dir):
            if not os.path.lexists(_config_of(records_dir)):
                remove_record_dir(records_dir)

    def delete_all(self) -> None:
        """Delete all records of this configuration, under whatever path it was given."""
        for records_dir in self._iterate_record_dirs(self.base_dir):
            if self._is_of_this_config(records_dir):
                remove_record_dir(records_dir)

    @cached_property
    def base_dir(self) -> Path | None:
        """The directory that has the records; None if there is none in memory or for encrypted data."""
        encrypted = platforms.current().encrypted_dir()
        if encrypted is not None:  # the reader knows no other
            return Path(encrypted) if self._environ.get("LOCALAPPDATA") == encrypted else None
        if not platforms.current().has_memory_directories:
            return None
        xdg_runtime_dir = self._environ.get("XDG_RUNTIME_DIR", "")
        return find_memory_dir(reader.records_base_dirs(xdg_runtime_dir, os.geteuid()))

    def _record_path(self, kind: str, name: str) -> Path | None:
        if self.base_dir is None or self._config is None:
            return None
        folder = _records_root(self.base_dir) / reader.records_folder_name(self._config)
        return folder / reader.record_file_name(kind, name)

    def _iterate_record_dirs(self, base: Path | None) -> Iterator[Path]:
        """Yield the directory of each configuration, this one's even if they can't be listed."""
        if base is None:
            return
        root = _records_root(base)
        names = [] if self._config is None else [reader.records_folder_name(self._config)]
        with suppress(StorageError):
            names += list_names(root)
        yield from [root / name for name in dict.fromkeys(names)]

    def _is_of_this_config(self, records_dir: Path) -> bool:
        if self._config is None:
            return False
        same_name = records_dir.name == reader.records_folder_name(self._config)
        return same_name or os.path.realpath(_config_of(records_dir)) == os.path.realpath(
            self._config
        )

    def _is_config_unchanged(self) -> bool:
        assert self._config is not None and self._stamp is not None
        mtime_ns = int(self._stamp.split()[0])
        has_whole_seconds = mtime_ns % 1_000_000_000 == 0
        if 0 <= time.time() - mtime_ns / 1e9 < _MIN_CONFIG_AGE_S[has_whole_seconds]:
            return False
        try:
            return reader.config_stamp(self._config) == self._stamp
        except (OSError, ValueError):
            return False


def remove_record_dir(records_dir: Path) -> None:
    """Delete a configuration's records."""
    import shutil  # costs a cold `get` a millisecond, and is rarely needed

    shutil.rmtree(records_dir, ignore_errors=True)


def _records_root(base: Path) -> Path:
    return base / reader.APP_DIR / reader.RECORDS_DIR


def _is_made_useless(record: Path, config: str) -> bool:
    """Give a configuration another modification time than its record, and tell whether that worked."""
    try:
        if record.stat().st_mtime_ns == os.stat(config).st_mtime_ns:  # noqa: PTH116 - a string
            os.utime(config)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _config_of(records_dir: Path) -> str:
    """Return the path of the configuration that the records are of."""
    return reader.config_of_folder(records_dir.name)


def _remove_quietly(path: Path) -> None:
    try:
        private_files.remove_file(path)
    except StorageError:
        return

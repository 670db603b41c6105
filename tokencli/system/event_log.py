"""The event log: one line of JSON for each event, in a private directory.

Each line is appended by a single write, so that lines of any number of processes never mix. When the
file is full, it becomes the old file, and the one that was old is dropped. Nothing is flushed to the
disk: a power cut may lose the last lines, and a reader skips what isn't a whole line.
"""

import hmac
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tokencli import platforms
from tokencli.errors import StorageError, TokencliError
from tokencli.models import Secret
from tokencli.system import private_files
from tokencli.system.file_lock import hold_lock

if TYPE_CHECKING:
    from tokencli.token_event import TokenEvent

LOG_VERSION = 1
"""Lines of another version are ignored."""
MAX_LOG_BYTES = 4 * 1024 * 1024
"""Size at which the file becomes the old file."""
MAX_TEXT = 300
"""Characters of a text in an event; longer ones are cut."""
_MAX_LINE_BYTES = 16 * 1024
_NUMBER_LIMIT = 1e15
"""A larger number is neither a time nor a duration in seconds."""
_LOCK_PATIENCE_S = 0.25
_SALT_BYTES = 32


class FileEventLog:
    """The event log in the directory `event_log` of `root`, the state directory.

    `note` is told why an event couldn't be recorded. If the log isn't `enabled`, nothing is written.
    """

    def __init__(self, root: Path, note: Callable[[str], None], *, enabled: bool = True) -> None:
        self._root = root
        self._directory = root / "event_log"
        self._path = self._directory / "events.jsonl"
        self._old_path = self._directory / "events.1.jsonl"
        self._note = note
        self._salt: bytes | None = None
        self.enabled = enabled

    def record(self, event: Mapping[str, Any]) -> None:
        """Append the event; if that fails, a note says so."""
        if not self.enabled:
            return
        try:
            self._create_directory()
            with self._open_for_appending() as fd:
                self._append(fd, _dump_event(event))
        except StorageError as error:
            self._note(f"not recorded in the event log: {error.message}")
        except OSError as error:
            failure = private_files.build_storage_error(error, self._path)
            self._note(f"not recorded in the event log: {failure.message}")

    def read(
        self, profile: str | None = None, since: float | None = None
    ) -> Iterator["TokenEvent"]:
        """Yield the events in the order in which they were recorded; what isn't an event is skipped.

        Raises:
            StorageError: the log exists and can't be read, or isn't private.
        """
        for line in self._read_lines():
            event = parse_event(line)
            if (
                event is not None
                and profile in (None, event.profile)
                and (since is None or event.time >= since)
            ):
                yield event

    def follow(self, wait: Callable[[], None]) -> Iterator["TokenEvent"]:
        """Yield all events, then each new one; `wait` is called while there is none."""
        fds = self._open_for_reading() if self._is_private() else []
        current = fds.pop() if fds and _is_named(fds[-1], self._path) else None
        for fd in fds:
            with os.fdopen(fd, "rb") as file:
                yield from filter(None, map(parse_event, file))
        known: Counter[str] = Counter()
        while True:
            if current is None:
                current = _open_to_read(self._path)
            if current is None:
                wait()
                continue
            with os.fdopen(current, "rb") as file:
                yield from self._follow_file(file, known, wait)
                file.seek(0)  # another file has taken its place, perhaps with the same events
                known = Counter(filter(None, map(_identify, file)))
            current = _open_to_read(self._path)

    def _follow_file(
        self, file: BinaryIO, known: Counter[str], wait: Callable[[], None]
    ) -> Iterator["TokenEvent"]:
        """Yield the events of a file, without the `known` ones, until it is no longer the current one."""
        line, was_replaced = b"", False
        while True:
            line += file.readline()
            if line.endswith(b"\n"):
                event, identity = parse_event(line), _identify(line) if known else None
                line = b""
                if identity is not None and known[identity] > 0:
                    known[identity] -= 1
                elif event is not None:
                    yield event
            elif was_replaced:
                return
            elif _is_named(file.fileno(), self._path):
                wait()
            else:
                was_replaced = True  # read what was appended before that

    def fingerprint(self, token: Secret) -> str:
        """Return 12 hex digits that are equal for equal tokens on this machine, and useless elsewhere.

        They are an HMAC with a random salt, which is stored with the log. If it can't be stored, the
        fingerprints are comparable within this process only.
        """
        if self._salt is None:
            try:
                self._salt = self._load_salt()
            except (TokencliError, OSError, ValueError):
                self._salt = os.urandom(_SALT_BYTES)
        data = token.reveal().encode(errors="surrogatepass")
        return hmac.digest(self._salt, data, "sha256").hex()[:12]

    def rename_profile(self, old: str, new: str) -> None:
        """Give the profile's events its new name; raises StorageError."""
        self._rewrite(lambda line: {**line, "profile": new} if line["profile"] == old else line)

    def delete_profile(self, profile: str) -> None:
        """Delete the profile's events; raises StorageError."""
        self._rewrite(lambda line: None if line["profile"] == profile else line)

    def _load_salt(self) -> bytes:
        path = self._directory / "salt"
        salt = private_files.read_private_file(path)
        if salt is not None and len(salt) == _SALT_BYTES:
            return salt
        if not self.enabled:
            return os.urandom(_SALT_BYTES)
        self._create_directory()
        lock = self._directory / "salt.lock"
        with hold_lock(lock, doing="creating the salt of the event log", timeout=2.0):
            salt = private_files.read_private_file(path)
            if salt is None or len(salt) != _SALT_BYTES:
                salt = os.urandom(_SALT_BYTES)
                private_files.write_atomically(path, salt)
        return salt

    def _create_directory(self) -> None:
        private_files.ensure_private_dir(self._root, chosen=True)
        private_files.ensure_private_dir(self._directory)

    @contextmanager
    def _open_for_appending(self) -> Iterator[int]:
        """Open the current file, locked if that is possible within a moment.

        The lock serves rotation and network file systems, on which appending isn't atomic. A process
        that was stopped while it held the lock must not stop all others.
        """
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            fd = platforms.current().open_private_file(str(self._path), flags)
            try:
                private_files.require_private_file(self._path, fd)
                is_locked = _lock_briefly(fd)
                if not _is_named(fd, self._path):
                    continue  # rotated or rewritten meanwhile
                if is_locked and os.fstat(fd).st_size >= MAX_LOG_BYTES:
                    with suppress(OSError):  # on Windows, another process may have it open
                        self._path.replace(self._old_path)
                        continue
                yield fd
                return
            finally:
                os.close(fd)

    def _append(self, fd: int, line: bytes) -> None:
        if os.lseek(fd, 0, os.SEEK_END):
            os.lseek(fd, -1, os.SEEK_END)
            if os.read(fd, 1) != b"\n":  # the disk was full, or a process was killed
                line = b"\n" + line
        if os.write(fd, line) != len(line):
            raise StorageError(f"can't use {self._path}: the disk is full")

    def _read_lines(self) -> Iterator[bytes]:
        if not self._is_private():
            return
        for fd in self._open_for_reading():
            with os.fdopen(fd, "rb") as file:
                yield from file

    def _is_private(self) -> bool:
        """Tell whether there is a log; raises StorageError if others could have written it."""
        return private_files.ensure_private_dir(
            self._root, create=False, chosen=True
        ) and private_files.ensure_private_dir(self._directory, create=False)

    def _open_for_reading(self) -> list[int]:
        """Open the old and the current file, as they are at one moment."""
        while True:
            fds: list[int] = []
            try:
                for path in (self._old_path, self._path):
                    fd = _open_to_read(path)
                    if fd is not None:
                        fds.append(fd)
            except StorageError:
                _close_all(fds)
                raise
            if not fds or not self._old_path.exists() or _is_named(fds[0], self._old_path):
                return fds
            _close_all(fds)  # rotated in between

    def _rewrite(self, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        """Replace each line by what `change` returns for it; None drops it."""
        try:
            for path in (self._old_path, self._path):
                self._rewrite_file(path, change)
        except OSError as error:
            raise private_files.build_storage_error(error, self._path) from None

    def _rewrite_file(
        self, path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]
    ) -> None:
        try:
            fd = platforms.current().open_private_file(str(path), os.O_RDWR)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as file:
            private_files.require_private_file(path, fd)
            _lock_briefly(fd)
            if not _is_named(fd, path):  # rotated or rewritten meanwhile
                self._rewrite_file(path, change)
                return
            lines = [line for line in map(_parse_line, file) if line is not None]
            changed = [each for each in map(change, lines) if each is not None]
            if changed != lines:
                data = b"".join(map(_dump_line, changed))
                private_files.write_atomically(path, data)


def _open_to_read(path: Path) -> int | None:
    """Open a file of the log for reading; None if there is none."""
    try:
        fd = platforms.current().open_private_file(str(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise private_files.build_storage_error(error, path) from None
    try:
        private_files.require_private_file(path, fd)
    except StorageError:
        os.close(fd)
        raise
    return fd


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _is_named(fd: int, path: Path) -> bool:
    """Tell whether the open file is the one with that name."""
    try:
        status, current = os.fstat(fd), path.stat(follow_symlinks=False)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (current.st_dev, current.st_ino)


def _lock_briefly(fd: int) -> bool:
    """Lock the open file until it is closed, and tell whether that succeeded within a moment."""
    end = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            platforms.current().lock_file(fd)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        except OSError:  # a file system without locks
            return False
        else:
            return True


def _dump_event(event: Mapping[str, Any]) -> bytes:
    values = {**event, "requester": event.get("requester") or _find_requester()}
    line = {
        name: _shorten(value) for name, value in values.items() if value is not None and value != ()
    }
    return _dump_line({"version": LOG_VERSION, **line})


def _find_requester() -> str | None:
    """Return the name of the program that asks for a token, without arguments; None if unknown (Linux).

    It is the parent process of `tokencli`, or this process if that uses the Python API.
    """
    pid = os.getppid() if "tokencli.commands.run" in sys.modules else os.getpid()
    try:
        name = Path(f"/proc/{pid}/comm").read_bytes()
    except OSError:
        return None
    return name.decode(errors="replace").removesuffix("\n") or None


def _dump_line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def _shorten(value: Any) -> Any:
    """Limit what a server sent."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, tuple):
        return [_shorten(each) for each in value[:20]]
    if isinstance(value, float):
        return round(value, 3) if isfinite(value) else None
    return value


def _parse_line(data: bytes) -> dict[str, Any] | None:
    """Return a line's members, or None if it isn't a whole line of this version."""
    if not data.endswith(b"\n") or len(data) > _MAX_LINE_BYTES:
        return None
    try:
        line = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or line.get("version") != LOG_VERSION:
        return None
    return line if isinstance(line.get("profile"), str) else None


def _identify(data: bytes) -> str | None:
    """Return what of a line stays the same if its profile is renamed; None if it is no whole line."""
    line = _parse_line(data)
    return None if line is None else json.dumps({**line, "profile": ""})


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("time", "obtained_at", "expires_at", "refresh_age"), (int, float)),
    **dict.fromkeys(
        ("refresh_lifetime", "iat", "exp", "skew", "latency", "retry_after"), (int, float)
    ),
    **dict.fromkeys(("profile", "event", "outcome", "grant", "fingerprint"), str),
    **dict.fromkeys(("refresh_fingerprint", "kid", "scope", "error", "message"), str),
    "requester": str,
    "rotated": bool,
    "status": int,
    "aud": list,
}
"""Member of a line -> the type that it must have."""


def parse_event(data: bytes) -> "TokenEvent | None":
    """Return the event on a line, or None if there is none; members of a wrong type are left out."""
    from tokencli.token_event import TokenEvent  # start-up cost: recording needs no class

    line = _parse_line(data)
    if line is None:
        return None
    values: dict[str, Any] = {
        name: value
        for name, value in line.items()
        if name in _KINDS
        and isinstance(value, _KINDS[name])
        and (isinstance(value, bool) == (name == "rotated"))
        and (not isinstance(value, int | float) or abs(value) < _NUMBER_LIMIT)
    }
    if not {"time", "event"} <= values.keys():
        return None
    values["aud"] = tuple(each for each in values.get("aud", ()) if isinstance(each, str))
    return TokenEvent(**values)

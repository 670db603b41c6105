"""The three platforms, with fakes of the system calls that this machine doesn't have."""

import os
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tokencli.platforms.linux import Linux
from tokencli.platforms.macos import MacOS
from tokencli.platforms.platform import Platform
from tokencli.platforms.windows import Windows

USER, OTHER, EVERYONE, SYSTEM = "S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1002", "S-1-1-0", "S-1-5-18"
FULL, READ, WRITE = 0x1F01FF, 0x120089, 0x120116
"""FILE_ALL_ACCESS, FILE_GENERIC_READ and FILE_GENERIC_WRITE."""
INVALID_DATA, BAD_KEY_STATE = 13, -2146893813


class WindowsError_(OSError):
    """An error with a code of Windows."""

    def __init__(self, code: int, number: int = 22) -> None:
        super().__init__(number, f"error {code}")
        self.winerror = code


@dataclass
class FakeFiles:
    """Files of this machine with access lists beside them; `descriptor` is the SDDL given for each."""

    user: str = USER
    local: str = "C:\\Users\\Zoë\\AppData\\Local"
    access: dict[tuple[int, int], tuple[str, list[tuple[str, int]] | None]] = field(
        default_factory=dict
    )
    """Device and number of a file -> its owner and access list; the user's own if it has none."""
    created: dict[str, str | None] = field(default_factory=dict)
    """Path -> the security descriptor with which it was created."""
    busy: list[int] = field(default_factory=list)
    """The errors of the next calls that open a file."""
    has_key: bool = True
    """Whether Windows still has the user's key."""

    def _number(self, file: str | int) -> tuple[int, int]:
        status = os.fstat(file) if isinstance(file, int) else os.lstat(file)
        return status.st_dev, status.st_ino

    def grant(self, path: object, *grants: tuple[str, int], owner: str = USER) -> None:
        """Set the access list of a file."""
        self.access[self._number(str(path))] = owner, list(grants)

    def user_sid(self) -> str:
        return self.user

    def account_name(self, sid: str) -> str | None:
        return {EVERYONE: "Everyone", OTHER: "CORP\\bob"}.get(sid)

    def open_file(self, path: str, flags: int, descriptor: str | None = None) -> int:
        if self.busy:
            raise PermissionError(13, f"error {self.busy.pop()}")
        is_new = not os.path.lexists(path)
        opened = os.open(path, flags | os.O_NOFOLLOW, 0o666)
        if is_new:
            self.created[path] = descriptor
            self.access.pop(self._number(path), None)
        return opened

    def create_directory(self, path: str, descriptor: str) -> None:
        pathlib.Path(path).mkdir()
        self.created[path] = descriptor
        self.access.pop(self._number(path), None)

    def set_access(self, path: str, descriptor: str) -> None:
        assert descriptor.startswith(f"O:{self.user}D:P(A;")
        self.access[self._number(path)] = self.user, [(self.user, FULL)]

    def read_access(self, file: str | int) -> tuple[str, list[tuple[str, int]] | None]:
        return self.access.get(self._number(file), (self.user, [(self.user, FULL), (SYSTEM, FULL)]))

    def change_time(self, file: int) -> int:
        return os.fstat(file).st_ctime_ns // 100

    def protect(self, data: bytes, description: str, entropy: bytes) -> bytes:
        assert description == "tokencli"
        return b"blob" + entropy + bytes(byte ^ 0x55 for byte in data)

    def unprotect(self, data: bytes, entropy: bytes) -> bytes:
        if not self.has_key:
            raise WindowsError_(BAD_KEY_STATE)
        if not data.startswith(b"blob" + entropy):
            raise WindowsError_(INVALID_DATA)
        return bytes(byte ^ 0x55 for byte in data.removeprefix(b"blob" + entropy))

    def local_app_data(self) -> str:
        return self.local


@dataclass
class FakeWindows(FakeFiles):
    """The functions of Windows; add those that `WindowsCalls` declares."""

    consoles: set[int] = field(default_factory=set)
    """The descriptors that are consoles."""
    has_escapes: bool = True
    """Whether the console can interpret escape sequences."""
    typed: list[str] = field(default_factory=list)
    """What is typed, piece by piece."""
    has_jobs: bool = True
    """Whether a process can be put into a job."""
    is_file_locked: bool = False
    """Whether another process has locked each file."""
    handlers: list[Callable[[int], bool]] = field(default_factory=list)
    """The handlers of console events."""
    internet_settings: Mapping[str, object] = field(default_factory=dict)
    """The values of the registry's key `Internet Settings`."""
    log: list[tuple[object, ...]] = field(default_factory=list)
    """The calls, each with its arguments."""

    def get_console_mode(self, descriptor: int) -> int | None:
        return 0x1F7 if descriptor in self.consoles else None

    def read_typed(self, seconds: float) -> str:
        return self.typed.pop(0) if self.typed else ""

    def read_internet_settings(self) -> Mapping[str, object]:
        return self.internet_settings

    def enable_escapes(self, descriptor: int) -> bool:
        return self.has_escapes and descriptor in self.consoles

    def handle_console_events(self, handler: Callable[[int], bool]) -> None:
        self.handlers.append(handler)

    def open_job(self, process_id: int, *, ends_with_us: bool) -> int:
        self.log.append(("open_job", process_id, ends_with_us))
        if not self.has_jobs:
            raise OSError(5, "Access is denied")
        return 77

    def lock_byte(self, descriptor: int, position: int) -> None:
        self.log.append(("lock_byte", descriptor, position))
        if self.is_file_locked:
            raise PermissionError(13, "Permission denied")

    def end_job(self, job: int) -> None:
        self.log.append(("end_job", job))


@dataclass
class FakeMac:
    """fcntl(2) and fsync(2) of macOS."""

    has_full_sync: bool = True
    """Whether the file system has F_FULLFSYNC."""
    log: list[tuple[object, ...]] = field(default_factory=list)
    """The calls, each with its arguments."""

    def control_file(self, descriptor: int, command: int) -> None:
        self.log.append(("fcntl", descriptor, command))
        if not self.has_full_sync:
            raise OSError(25, "Inappropriate ioctl for device")

    def sync(self, descriptor: int) -> None:
        self.log.append(("fsync", descriptor))


def build_platforms() -> list[Platform]:
    """Return one of each class."""
    mac = FakeMac()
    return [Linux(), MacOS(mac.control_file, mac.sync), Windows(FakeWindows())]

"""The three platforms, with fakes of the system calls that this machine doesn't have."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tokencli.platforms.linux import Linux
from tokencli.platforms.macos import MacOS
from tokencli.platforms.platform import Platform
from tokencli.platforms.windows import Windows


@dataclass
class FakeWindows:
    """The functions of Windows; add those that `WindowsCalls` declares."""

    consoles: set[int] = field(default_factory=set)
    """The descriptors that are consoles."""
    has_escapes: bool = True
    """Whether the console can interpret escape sequences."""
    has_jobs: bool = True
    """Whether a process can be put into a job."""
    is_file_locked: bool = False
    """Whether another process has locked each file."""
    handlers: list[Callable[[int], bool]] = field(default_factory=list)
    """The handlers of console events."""
    log: list[tuple[object, ...]] = field(default_factory=list)
    """The calls, each with its arguments."""

    def is_console(self, descriptor: int) -> bool:
        return descriptor in self.consoles

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

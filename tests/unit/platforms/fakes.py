"""The three platforms, with fakes of the system calls that this machine doesn't have."""

from dataclasses import dataclass, field

from tokencli.platforms.linux import Linux
from tokencli.platforms.macos import MacOS
from tokencli.platforms.platform import Platform
from tokencli.platforms.windows import Windows


@dataclass
class FakeWindows:
    """The functions of Windows; add those that `WindowsCalls` declares."""

    log: list[tuple[object, ...]] = field(default_factory=list)
    """The calls, each with its arguments."""


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

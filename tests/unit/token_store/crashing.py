"""A machine that stops at the n-th system call, and a disk that forgets what was not flushed.

Within `Machine.running`, the functions of `os` that change a folder are counted. At the chosen step
one of them raises `Crash` instead, and from then on all of them do: nothing that a dead program
would have cleaned up is cleaned up. Then the power may fail: contents that were not flushed are
lost, and names that were not flushed are as they were (`behind`) or as they became (`ahead`).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Power = Literal["stays", "behind", "ahead"]
STEPS = (
    *("open", "write", "fsync", "replace", "rename", "unlink", "mkdir", "chmod", "fchmod"),
    *("ftruncate", "posix_fallocate"),
)


class Crash(BaseException):
    """The machine has stopped."""


class Machine:
    """Run code over the folder `root`, which is on a file system that never reuses inode numbers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps: list[str] = []
        self._real = {name: getattr(os, name) for name in STEPS}
        self._real_close = os.close
        self.settled = True
        """Whether no later failure of the power can undo what a run did that was stopped."""
        self._left: int | None = None
        self._dead = False
        self._open: dict[int, str] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, dict[str, int]] = {}

    @contextmanager
    def running(self, crash_at: int | None = None, power: Power = "stays") -> Iterator[None]:
        """Let the block run until its `crash_at`-th step; swallow the crash it ends in."""
        self._dead, self._left, self._open = False, crash_at, {}
        for name in STEPS:
            setattr(os, name, self._counted(name))
        os.close = self._noted_close
        try:
            yield
        except Crash:
            pass
        finally:
            for name, real in self._real.items():
                setattr(os, name, real)
            os.close = self._real_close
            crashed, self._dead = self._dead, False
        self.settled = not crashed or power != "stays"
        if crashed:
            for fd in self._open:  # the kernel closes what a dead program had open
                os.close(fd)
            if power != "stays":
                self._lose_power(power)

    def _noted_close(self, fd: int) -> None:
        self._open.pop(fd, None)
        self._real_close(fd)

    def _counted(self, name: str) -> Callable[..., object]:
        real = self._real[name]

        def call(*args: object, **more: object) -> object:
            fd = args[0] if isinstance(args[0], int) else None
            place = self._open.get(fd, "") if fd is not None else os.fspath(args[0])  # type: ignore[call-overload]
            # The kernel's lock is not a matter of the disk: it goes with its holder.
            if not place.startswith(str(self.root)) or "/locks/" in place:
                return real(*args, **more)
            self._step(name)
            result = real(*args, **more)
            if name == "open":
                self._open[result] = place
            if name == "fsync" and fd is not None:
                self._flushed(fd, place)
            return result

        return call

    def _step(self, name: str) -> None:
        if self._left is not None:
            self._left -= 1
            self._dead = self._dead or self._left <= 0
        if self._dead:
            raise Crash
        self.steps.append(name)

    def _flushed(self, fd: int, place: str) -> None:
        if Path(place).is_dir():
            self._names[place] = {entry.name: entry.inode() for entry in os.scandir(place)}
        else:
            self._contents[os.fstat(fd).st_ino] = Path(place).read_bytes()

    def _lose_power(self, power: Power) -> None:
        for folder in ("tokens", "journal"):
            place = self.root / folder
            if not place.is_dir():
                continue
            now = {entry.name: entry.inode() for entry in os.scandir(place)}
            names = now if power == "ahead" else self._names.get(str(place), {})
            for name in now:
                (place / name).unlink()
            for name, inode in names.items():
                (place / name).write_bytes(self._contents.get(inode, b""))
                (place / name).chmod(0o600)
                self._contents[(place / name).stat().st_ino] = self._contents.get(inode, b"")
            self._names[str(place)] = {entry.name: entry.inode() for entry in os.scandir(place)}

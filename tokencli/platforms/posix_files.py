"""Private files on POSIX systems: by owner and mode."""

import sys

assert sys.platform != "win32"  # for mypy, which checks for Windows as well

import os
import stat
from collections.abc import Callable, Sequence
from typing import TypeVar

from tokencli.platforms.file_access import FileAccess, FilePlatform
from tokencli.shell_words import quote

T = TypeVar("T")


class PosixFiles(FilePlatform):
    """Private files by owner and mode; nothing is encrypted."""

    other_store = (
        'choose a local disk (state_dir = "/…" with store = "file"), or store = "runtime" or "none"'
    )

    def open_private_file(self, path: str, flags: int) -> int:
        # A FIFO or a device of that name must not block the program.
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)

    def create_file(self, path: str, mode: int) -> int:
        descriptor = self.open_private_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.fchmod(descriptor, mode)  # in case of an unusual umask
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def make_private_dir(self, path: str) -> None:
        os.mkdir(path, 0o700)  # noqa: PTH102 - a string
        os.chmod(path, 0o700)  # noqa: PTH101 - in case of an unusual umask

    def close_directory(self, path: str) -> None:
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        os.chmod(path, (mode & ~0o077) | 0o700)  # noqa: PTH101 - a string

    def find_access(self, file: str | int) -> FileAccess:
        status = os.fstat(file) if isinstance(file, int) else os.lstat(file)
        return FileAccess(
            None if status.st_uid == os.geteuid() else f"uid {status.st_uid}",
            is_open=bool(status.st_mode & 0o077),
            is_writable=bool(status.st_mode & 0o022),
            is_restricted=status.st_mode & 0o700 != 0o700,
        )

    def find_exposure(self, descriptor: int) -> tuple[str, Sequence[str]] | None:
        mode = os.fstat(descriptor).st_mode
        verbs = " and ".join(
            verb for verb, bit in (("read", 0o004), ("write", 0o002)) if mode & bit
        )
        return (f"every user of this machine can {verbs}", ()) if verbs else None

    def is_bound_by_permissions(self) -> bool:
        return os.geteuid() != 0

    def name_others(self, others: Sequence[str] | None) -> None:
        """Return None: a mode has no names."""

    def retry_busy(self, call: Callable[[], T]) -> T:
        return call()

    def extend_path(self, path: str) -> str:
        return path

    def explain_file_error(self, error: OSError, path: str) -> None:
        """Return None: `error.errno` tells it."""

    def encrypt(self, data: bytes) -> bytes:
        return data

    def is_encrypted(self, data: bytes) -> bool:
        return True

    def decrypt(self, data: bytes, path: str) -> bytes:
        return data

    def encrypted_dir(self) -> None:
        """Return None: a copy of a token has to be in memory."""

    def restrict_command(self, path: str, others: Sequence[str] | None) -> str:
        mode = "700" if os.path.isdir(path) else "600"  # noqa: PTH112 - a string
        return f"chmod {mode} {quote(path)}"

    def deny_writing_command(self, path: str, others: Sequence[str] | None) -> str:
        return f"chmod go-w {quote(path)}"

    def allow_owner_command(self, path: str) -> str:
        return f"chmod u+rwx {quote(path)}"

"""Access lists, encryption and busy files of Windows."""

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import PureWindowsPath
from typing import Protocol, TypeVar

from tokencli.errors import StorageError
from tokencli.platforms.file_access import FileAccess, FilePlatform
from tokencli.platforms.platform import is_remote
from tokencli.platforms.windows_privacy import (
    ENCRYPTED_HEAD,
    ENTROPY,
    READ,
    TRUSTED,
    WRITE,
    list_others,
)
from tokencli.shell_words import join, quote, user_shell

T = TypeVar("T")

Grant = tuple[str, int]
"""A security identifier and the rights (ACCESS_MASK) that an access list grants it."""
_DAMAGED = (13, 87)
"""ERROR_INVALID_DATA and ERROR_INVALID_PARAMETER: changed bytes, or not a blob at all."""
_BUSY_TIMEOUT_S = 2.0
"""How long a virus scanner or another reader may keep a file open."""
_BUSY_PAUSE_S = 0.02
_NAME_TOO_LONG = 206
"""ERROR_FILENAME_EXCED_RANGE."""
_NOT_FOUND = (2, 3)
"""ERROR_FILE_NOT_FOUND and ERROR_PATH_NOT_FOUND, which too long a path can also have."""
_MAX_PATH = 247
"""Characters of a path, less than MAX_PATH for directories, which need space for a file."""
_REASONS = {
    19: "the disk is write-protected",
    32: "another program has it open",
    33: "another program has locked it",
    112: "the disk is full",
    123: "the name has characters that Windows does not allow",
}
"""Error code of Windows -> what it means, if `errno` doesn't have it."""
_MAX_PLAIN_PATH = 140
"""Of a directory whose files' paths stay below the 260 characters (MAX_PATH) of many functions."""


class FileCalls(Protocol):
    """The functions of Windows for files and encryption; `WindowsFileApi` describes them."""

    def user_sid(self) -> str: ...

    def account_name(self, sid: str) -> str | None: ...

    def open_file(self, path: str, flags: int, descriptor: str | None = None) -> int: ...

    def create_directory(self, path: str, descriptor: str) -> None: ...

    def set_access(self, path: str, descriptor: str) -> None: ...

    def read_access(self, file: str | int) -> tuple[str, list[Grant] | None]: ...

    def change_time(self, file: int) -> int: ...

    def protect(self, data: bytes, description: str, entropy: bytes) -> bytes: ...

    def unprotect(self, data: bytes, entropy: bytes) -> bytes: ...

    def local_app_data(self) -> str: ...


class WindowsFiles(FilePlatform):
    """Private files by access lists, with DPAPI for what is stored in them."""

    has_modes = False
    other_store = (
        'choose a local disk (state_dir = \'D:\\…\' with store = "file"), or store = "none"'
    )

    @property
    @abstractmethod
    def calls(self) -> FileCalls:
        """The functions of Windows."""

    def open_private_file(self, path: str, flags: int) -> int:
        descriptor = self._describe_private(is_directory=False) if flags & os.O_CREAT else None
        return self.retry_busy(lambda: self.calls.open_file(path, flags, descriptor))

    def create_file(self, path: str, mode: int) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        if mode & 0o077:  # then who may read the directory may read the file
            return self.calls.open_file(path, flags, None)
        return self.calls.open_file(path, flags, self._describe_private(is_directory=False))

    def make_private_dir(self, path: str) -> None:
        self.calls.create_directory(path, self._describe_private(is_directory=True))

    def close_directory(self, path: str) -> None:
        self.calls.set_access(path, self._describe_private(is_directory=True))
        for entry in os.scandir(path):  # what it has inherited stays otherwise
            if entry.is_file(follow_symlinks=False) and self.find_access(entry.path).is_open:
                self.calls.set_access(entry.path, self._describe_private(is_directory=False))

    def find_access(self, file: str | int) -> FileAccess:
        owner, grants = self.calls.read_access(file)
        user = self.calls.user_sid()
        is_foreign = owner != user and owner not in TRUSTED
        foreign_owner = self._name_account(owner) if is_foreign else None
        if grants is None:  # a file system without access lists, e.g. FAT
            return FileAccess(foreign_owner, is_open=True, is_writable=True, others=None)
        others = list_others(user, grants, READ | WRITE)
        return FileAccess(
            foreign_owner,
            is_open=bool(others),
            is_writable=bool(list_others(user, grants, WRITE)),
            others=others,
        )

    def find_exposure(self, descriptor: int) -> tuple[str, Sequence[str] | None] | None:
        access = self.find_access(descriptor)
        if not access.is_open:
            return None
        who = self.name_others(access.others) or "every user of this machine"
        return f"{who} can {'read and write' if access.is_writable else 'read'}", access.others

    def is_bound_by_permissions(self) -> bool:
        return True

    def name_others(self, others: Sequence[str] | None) -> str | None:
        return None if others is None else ", ".join(map(self._name_account, others))

    def _name_account(self, sid: str) -> str:
        return self.calls.account_name(sid) or sid

    def retry_busy(self, call: Callable[[], T]) -> T:
        end = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                return call()
            except PermissionError:  # also ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION
                if time.monotonic() > end:
                    raise
            time.sleep(_BUSY_PAUSE_S)

    def extend_path(self, path: str) -> str:
        r"""Begin a long path with `\\?\`, with which it may have 32,767 characters."""
        if len(path) <= _MAX_PLAIN_PATH or path.startswith("\\\\?\\"):
            return path
        whole = PureWindowsPath(path)
        if not whole.is_absolute() or ".." in whole.parts:
            return path
        plain = str(whole)
        return f"\\\\?\\UNC{plain[1:]}" if plain.startswith("\\\\") else f"\\\\?\\{plain}"

    def explain_file_error(self, error: OSError, path: str) -> str | None:
        drive = PureWindowsPath(path).drive
        if drive and not os.path.exists(f"{drive}\\"):  # noqa: PTH110 - a string
            return (
                f"there is no drive {drive}" if drive.endswith(":") else f"{drive} can't be reached"
            )
        code = getattr(error, "winerror", None)
        is_limited = len(path) > _MAX_PATH and not path.startswith("\\\\?\\")
        if code == _NAME_TOO_LONG or (code in _NOT_FOUND and is_limited):
            return f"its path has {len(path)} characters, more than Windows allows here"
        return _REASONS.get(code or 0)

    def encrypt(self, data: bytes) -> bytes:
        blob = self.calls.protect(data, "tokencli", ENTROPY)
        return ENCRYPTED_HEAD + self.calls.user_sid().encode("ascii") + b"\n" + blob

    def is_encrypted(self, data: bytes) -> bool:
        return data.startswith(ENCRYPTED_HEAD)

    def decrypt(self, data: bytes, path: str) -> bytes:
        if not self.is_encrypted(data):
            return data
        head, _, blob = data.partition(b"\n")
        sid = head.removeprefix(ENCRYPTED_HEAD).decode("ascii", "replace")
        fix = user_shell().remove_file(path)
        if sid != self.calls.user_sid():
            raise StorageError(
                f"can't decrypt {path}: it was encrypted for another user of Windows",
                cause=f"only {self._name_account(sid)} can decrypt it, and only on the machine where it was written",
                fix=fix,
            )
        try:
            return self.calls.unprotect(blob, ENTROPY)
        except OSError as error:
            if getattr(error, "winerror", None) in _DAMAGED:
                raise ValueError("damaged") from None
            if is_remote(
                os.environ
            ):  # a logon without a password, e.g. SSH with a key, has no keys
                raise StorageError(
                    f"can't decrypt {path}: Windows can't use the key in this SSH session",
                    cause="it needs your password: connect with the password instead of an SSH key"
                    f" ({error.strerror or error})",
                ) from None
            raise StorageError(
                f"can't decrypt {path}: Windows no longer has the key",
                cause="it was copied from another machine, or an administrator has reset your password"
                f" ({error.strerror or error})",
                fix=fix,
            ) from None

    def encrypted_dir(self) -> str | None:
        try:
            return self.calls.local_app_data()
        except OSError:
            return None

    def restrict_command(self, path: str, others: Sequence[str] | None) -> str | None:
        inside = "(OI)(CI)" if os.path.isdir(path) else ""  # noqa: PTH112 - a string
        return _icacls(
            path, "/inheritance:r", "/grant:r", f"*{self.calls.user_sid()}:{inside}F", others=others
        )

    def deny_writing_command(self, path: str, others: Sequence[str] | None) -> str | None:
        return _icacls(path, "/inheritance:d", others=others)

    def allow_owner_command(self, path: str) -> str:
        return f"icacls {quote(path)} /grant {quote(f'*{self.calls.user_sid()}:F')}"

    def _describe_private(self, *, is_directory: bool) -> str:
        """Return the security descriptor of what only the user may access (SDDL).

        `P` keeps entries of the parent directory out; `OICI` passes the entry on to what is inside.
        """
        sid = self.calls.user_sid()
        inherited = "OICI" if is_directory else ""
        return f"O:{sid}D:P(A;{inherited};FA;;;{sid})"


def _icacls(path: str, *options: str, others: Sequence[str] | None) -> str | None:
    """Return the command that sets options of an access list and takes others out of it."""
    if others is None:  # there is no access list
        return None
    removed = ["/remove:g", *(f"*{sid}" for sid in others)] if others else []
    return join(["icacls", path, *options, *removed])

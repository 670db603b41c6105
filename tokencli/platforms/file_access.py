"""What platforms decide about private files; a part of `Platform`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, TypeVar

T = TypeVar("T")


class FileAccess(NamedTuple):
    """Who else can access a file or directory; root, SYSTEM and administrators don't count."""

    foreign_owner: str | None
    """Its owner if that is another user, e.g. `uid 1000`."""
    is_open: bool
    """Whether others can read it, write to it or enter it."""
    is_writable: bool
    """Whether others can write to it."""
    is_restricted: bool = False
    """Whether its owner, this user, lacks access."""
    others: Sequence[str] | None = ()
    """On Windows the security identifiers of the others; None if its file system has no access lists."""


class FilePlatform(ABC):
    """How an operating system keeps files private."""

    has_modes: ClassVar[bool] = True
    """Whether a file has an owner and a mode, or else an access list."""
    other_store: ClassVar[str]
    """What to do if a file system can't hold tokens, for the cause of an error."""

    @abstractmethod
    def open_private_file(self, path: str, flags: int) -> int:
        """Open a file without following a link or waiting for a writer; raises OSError.

        `flags` are those of `os.open`. No other user can open a file that is created, at any moment.
        """

    @abstractmethod
    def create_file(self, path: str, mode: int) -> int:
        """Create a file with `mode`, and return a descriptor to write it; raises OSError."""

    @abstractmethod
    def make_private_dir(self, path: str) -> None:
        """Create a directory that only this user can enter, from its first moment; raises OSError."""

    @abstractmethod
    def close_directory(self, path: str) -> None:
        """Deny other users access to a directory, and on Windows to the files in it; raises OSError."""

    @abstractmethod
    def find_access(self, file: str | int) -> FileAccess:
        """Return who else can access a file or directory, given by descriptor or path; raises OSError.

        A link is not followed.
        """

    @abstractmethod
    def find_exposure(self, descriptor: int) -> tuple[str, Sequence[str] | None] | None:
        """Return who can do what with an open file, as a message says it, and `FileAccess.others`.

        None if that is only this user or, on POSIX systems, a group that was given the file. Raises
        OSError.
        """

    @abstractmethod
    def is_bound_by_permissions(self) -> bool:
        """Tell whether this user can't change what belongs to others: not root."""

    @abstractmethod
    def name_others(self, others: Sequence[str] | None) -> str | None:
        """Return the names of `FileAccess.others`, for a message; None if they are unknown."""

    @abstractmethod
    def retry_busy(self, call: Callable[[], T]) -> T:
        """Call again, for a moment, while another program keeps a file open; raises OSError."""

    @abstractmethod
    def extend_path(self, path: str) -> str:
        """Return a spelling of a directory's path that allows long names inside."""

    @abstractmethod
    def explain_file_error(self, error: OSError, path: str) -> str | None:
        """Return why a file can't be used, if `error.errno` doesn't tell it or tells it wrongly."""

    @abstractmethod
    def encrypt(self, data: bytes) -> bytes:
        """Return what is written to a disk in place of a token: encrypted for this user, or as it is.

        Raises OSError.
        """

    @abstractmethod
    def is_encrypted(self, data: bytes) -> bool:
        """Tell whether `encrypt` would have nothing to add to stored data."""

    @abstractmethod
    def decrypt(self, data: bytes, path: str) -> bytes:
        """Return what was encrypted; data that never was is returned as it is. `path` is for messages.

        Raises:
            ValueError: the data is damaged.
            StorageError: it was encrypted by another user or on another machine.
        """

    @abstractmethod
    def encrypted_dir(self) -> str | None:
        """Return the user's directory on a disk for copies of tokens, which are encrypted there.

        None if they have to be in memory instead.
        """

    @abstractmethod
    def restrict_command(self, path: str, others: Sequence[str] | None) -> str | None:
        """Return the command that closes a file or directory to others, who are those of `find_access`.

        None if there is none.
        """

    @abstractmethod
    def deny_writing_command(self, path: str, others: Sequence[str] | None) -> str | None:
        """Return the command that lets others only read; None if there is none."""

    @abstractmethod
    def allow_owner_command(self, path: str) -> str:
        """Return the command that gives this user full access."""

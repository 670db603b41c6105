"""The decisions that depend on the operating system."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from socket import socket
from typing import Any, ClassVar

_REMOTE_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")


class Platform(ABC):
    """One operating system. Its classes differ in nothing but what is declared here.

    A class gets the system calls that the others don't have as an argument, so that tests run it
    anywhere with a fake of them.
    """

    name: ClassVar[str]
    """The name in messages, e.g. `macOS`."""
    browser_opener: ClassVar[Sequence[str]] = ()
    """The command that opens the URL that follows it; empty if Python's `webbrowser` finds one."""

    pipe_encoding: ClassVar[str | None] = None
    """The encoding of stdout and stderr in pipes and files; None if it is the locale's."""

    @abstractmethod
    def has_screen(self, environ: Mapping[str, str]) -> bool:
        """Tell whether a window can be expected to open on the user's screen."""

    @abstractmethod
    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        """Return the clipboards that the user may paste from, best first; see `terminal/clipboard.py`."""

    @abstractmethod
    def prepare_listener(self, listener: socket) -> None:
        """Set the option, before `bind`, by which a port is free again at once and can't be shared."""

    @abstractmethod
    def split_command(self, text: str) -> list[str]:
        """Split a command line into its arguments as this system's shell or programs do.

        Raises:
            ValueError: a quotation mark is unmatched.
        """

    @abstractmethod
    def detach_options(self) -> dict[str, Any]:
        """Return the arguments of `Popen` for a process that outlives this one and its terminal."""

    @abstractmethod
    def sync_file(self, descriptor: int) -> None:
        """Write an open file through to the disk, so that it survives a power cut; raises OSError."""

    @abstractmethod
    def sync_dir(self, path: str) -> None:
        """Write the names in a directory through to the disk; raises OSError if the disk fails."""


def is_remote(environ: Mapping[str, str]) -> bool:
    """Tell whether this is an SSH session."""
    return any(environ.get(name) for name in _REMOTE_VARIABLES)


def has_display(environ: Mapping[str, str]) -> bool:
    """Tell whether there is an X11 or Wayland display, which SSH may have forwarded."""
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

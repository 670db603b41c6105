"""macOS, by Apple's documentation: it has not been run."""

import sys

assert sys.platform != "win32"  # for mypy, which checks for Windows as well

import os
from collections.abc import Callable, Mapping, Sequence

from tokencli.platforms.platform import has_display, is_remote
from tokencli.platforms.posix import Posix

_F_FULLFSYNC = 51
"""See fcntl(2) of macOS; the module `fcntl` of Python has it there alone."""


def _control_file(descriptor: int, command: int) -> None:
    import fcntl

    fcntl.fcntl(descriptor, command)


class MacOS(Posix):
    """macOS; `control_file` is fcntl(2), and `sync` is fsync(2)."""

    name = "macOS"
    browser_opener = ("/usr/bin/open",)
    keyring_deletes_before_adding = True
    keyring_lists_items = False

    def __init__(
        self,
        control_file: Callable[[int, int], None] = _control_file,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        self._control_file = control_file
        self._sync = sync

    def clock_command(self) -> str:
        return "sudo sntp -sS time.apple.com"

    def keyring_delete_command(self, service: str, username: str) -> list[str]:
        account = ["-a", username] if username else []
        return ["security", "delete-generic-password", "-s", service, *account]

    def has_screen(self, environ: Mapping[str, str]) -> bool:
        return has_display(environ) or not is_remote(environ)

    def can_keyring_prompt(self, environ: Mapping[str, str], *, is_interactive: bool) -> bool:
        """In a terminal, unless this is an SSH session: the Keychain itself asks who may read an item.

        A pipe may be part of a terminal's command line; cron has no TERM.
        """
        return not is_remote(environ) and (is_interactive or bool(environ.get("TERM")))

    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        return ("macos",)

    def sync_file(self, descriptor: int) -> None:
        """Let the drive write as well: fsync(2) of macOS leaves the data in the drive's cache.

        Network and foreign file systems have no F_FULLFSYNC, with various error codes, so fsync(2)
        decides whether it is an error.
        """
        try:
            self._control_file(descriptor, _F_FULLFSYNC)
        except OSError:
            self._sync(descriptor)

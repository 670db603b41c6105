"""Linux, including WSL."""

import sys

assert sys.platform != "win32"  # for mypy, which checks for Windows as well

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from tokencli.platforms.platform import has_display
from tokencli.platforms.posix import Posix

_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CLOCK_UNSYNCHRONIZED = 5
"""TIME_ERROR, see adjtimex(2)."""


class Linux(Posix):
    """Linux."""

    name = "Linux"
    uses_xdg_directories = True
    keyring_name = "Secret Service on a D-Bus session bus"
    has_secret_service = True
    has_memory_directories = True

    def describe_session(self, environ: Mapping[str, str]) -> Iterator[str]:
        yield from super().describe_session(environ)
        if environ.get("container") or any(map(os.path.exists, _CONTAINER_FILES)):
            yield "this is a container, which usually has no keyring"
        if (
            not environ.get("DBUS_SESSION_BUS_ADDRESS")
            and not pathlib.Path(f"/run/user/{os.geteuid()}/bus").exists()
        ):
            yield "there is no D-Bus session, so no desktop keyring can be reached"

    def is_clock_synchronized(self) -> bool | None:
        """Ask the kernel, which NTP tells; see adjtimex(2)."""
        import ctypes

        try:
            # Larger than struct timex; modes = 0 only reads.
            timex = ctypes.create_string_buffer(512)
            state = ctypes.CDLL(None).adjtimex(timex)
        except (OSError, AttributeError):
            return None
        return None if state < 0 else state != _CLOCK_UNSYNCHRONIZED

    def clock_command(self) -> str | None:
        """Name that of systemd, if it runs here."""
        has_systemd = pathlib.Path("/run/systemd/system").is_dir()
        return "sudo timedatectl set-ntp true" if has_systemd else None

    def keyring_delete_command(self, service: str, username: str) -> list[str]:
        attribute = ["username", username] if username else []
        return ["secret-tool", "clear", "service", service, *attribute]

    def has_screen(self, environ: Mapping[str, str]) -> bool:
        return has_display(environ)

    def can_keyring_prompt(self, environ: Mapping[str, str], *, is_interactive: bool) -> bool:
        """Only on a desktop, and only if tokencli lets it: a locked one is an error otherwise."""
        return is_interactive and has_display(environ)

    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        found = []
        if environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"):
            found.append("windows")
        if environ.get("WAYLAND_DISPLAY"):
            found.append("wayland")
        if environ.get("DISPLAY"):
            found += ["xclip", "xsel"]
        if environ.get("TMUX"):
            found.append("tmux")
        elif environ.get("SSH_TTY") and not environ.get("STY"):
            found.append("terminal")
        return found

"""Linux, and WSL, whose user sits at Windows."""

import sys

assert sys.platform != "win32"  # for mypy, which checks for Windows as well

from collections.abc import Mapping, Sequence

from tokencli.platforms.platform import has_display
from tokencli.platforms.posix import Posix


class Linux(Posix):
    """Linux."""

    name = "Linux"

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

"""Which clipboard is chosen on each system."""

import pytest

from tokencli.errors import StorageError
from tokencli.platforms import select_platform
from tokencli.platforms.linux import Linux
from tokencli.terminal.clipboard import (
    MACOS,
    TERMINAL,
    TMUX,
    WAYLAND,
    WINDOWS,
    XCLIP,
    XSEL,
    Clipboard,
    find_clipboard,
)

X11 = {"DISPLAY": ":0"}
BOTH = {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}


@pytest.mark.parametrize(
    ("platform", "environ", "installed", "chosen"),
    [
        ("darwin", {}, "pbcopy", MACOS),
        ("win32", {}, "powershell.exe", WINDOWS),
        ("linux", X11, "xclip xsel", XCLIP),
        ("linux", X11, "xsel", XSEL),
        ("linux", BOTH, "xclip wl-copy", WAYLAND),
        ("linux", BOTH, "xclip", XCLIP),
        ("linux", {**BOTH, "WSL_DISTRO_NAME": "Debian"}, "wl-copy powershell.exe", WINDOWS),
        ("linux", {**X11, "TMUX": "x"}, "xclip tmux", XCLIP),
        ("linux", {"TMUX": "x", "SSH_TTY": "x"}, "tmux", TMUX),
        ("linux", {"SSH_TTY": "x"}, "", TERMINAL),
    ],
)
def test_the_users_clipboard_is_chosen(
    platform: str, environ: dict[str, str], installed: str, chosen: Clipboard
) -> None:
    """A desktop's clipboard comes before that of a terminal, and WSL's user sits at Windows."""
    found = find_clipboard(
        environ,
        platform=select_platform(platform),
        find=lambda name: name if name in installed.split() else None,
    )
    assert found.read == chosen.read and found.name == chosen.name


@pytest.mark.parametrize("environ", [{}, {"SSH_TTY": "x", "STY": "x"}, {"WAYLAND_DISPLAY": ""}])
def test_no_clipboard_is_an_error(environ: dict[str, str]) -> None:
    """There is nothing to install, so there is no fix; screen passes nothing on to the terminal."""
    with pytest.raises(StorageError, match="there is none") as caught:
        find_clipboard(environ, platform=Linux(), find=lambda name: name)
    assert caught.value.fix is None


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, "neither tmux nor SSH"),
        ({"SSH_TTY": "x", "STY": "x"}, "screen doesn't pass on"),
        ({"SSH_CONNECTION": "x"}, "SSH session has no terminal"),
    ],
)
def test_the_cause_of_no_clipboard_is_true(environ: dict[str, str], reason: str) -> None:
    """What is missing in an SSH session isn't SSH."""
    with pytest.raises(StorageError) as caught:
        find_clipboard(environ, platform=Linux(), find=lambda name: name)
    assert reason in (caught.value.cause or "")

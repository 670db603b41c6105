"""The clipboard of the user's desktop or terminal, by the programs that each system has for it.

A text goes through a pipe to a program, never onto a command line. The program, and the helper that
clears the clipboard, each run in a new session, so that they outlive this process and its terminal.
pyperclip knows the same programs, but neither clears the clipboard nor times out.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from tokencli import platforms
from tokencli.errors import StorageError
from tokencli.fast_dataclass import dataclass
from tokencli.platforms.platform import Platform
from tokencli.sanitize import sanitize_text

PROGRAM_TIMEOUT_S = 10.0
"""How long a program may take for a text; PowerShell starts slowly."""
_HELPER = Path(__file__).with_name("clear_clipboard.py")
_TMUX_BUFFER = "tokencli"
_POWERSHELL = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command")
_INSTALL_COMMANDS = {
    "apt-get": "apt-get install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
    "apk": "apk add",
}
"""Package manager -> its command that installs a package."""
Find = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Clipboard:
    """The command lines for one clipboard."""

    name: str
    write: tuple[str, ...]
    """Takes the text on stdin; empty if the terminal itself is told."""
    read: tuple[str, ...] = ()
    """Prints the text; empty if it can't be read back, and so isn't cleared."""
    clear: tuple[str, ...] = ()
    """Empties the clipboard; it is `write` with an empty text if there is no command for it."""
    package: str = ""
    """The package that has the program."""
    is_copied_on: bool = False
    """Whether the text is passed on to a clipboard that can't be read back."""

    @property
    def is_cleared(self) -> bool:
        """Whether the text is gone everywhere after the clipboard was cleared."""
        return bool(self.read) and not self.is_copied_on

    def copy(self, text: str, seconds: float) -> None:
        """Put `text` on the clipboard, and clear it after so many seconds if it still has that text.

        Raises:
            StorageError: the program fails or doesn't answer, or there is no terminal.
        """
        if not self.write:
            _write_to_terminal(text)
            return
        _run_program(self.write, text)
        if self.read:
            _start_helper(
                {
                    "text": text,
                    "seconds": seconds,
                    "read": self.read,
                    "clear": self.clear or self.write,
                }
            )


WAYLAND = Clipboard(
    "Wayland",
    ("wl-copy", "--type", "text/plain"),
    ("wl-paste", "--no-newline"),
    ("wl-copy", "--clear"),
    package="wl-clipboard",
)
XCLIP = Clipboard(
    "X11",
    ("xclip", "-selection", "clipboard"),
    ("xclip", "-selection", "clipboard", "-out"),
    package="xclip",
)
XSEL = Clipboard(
    "X11",
    ("xsel", "--clipboard", "--input"),
    ("xsel", "--clipboard", "--output"),
    ("xsel", "--clipboard", "--clear"),
    package="xsel",
)
MACOS = Clipboard("macOS", ("pbcopy",), ("pbpaste",))
WINDOWS = Clipboard(
    "Windows",
    (*_POWERSHELL, "Set-Clipboard -Value ([Console]::In.ReadToEnd())"),
    (*_POWERSHELL, "[Console]::Out.Write((Get-Clipboard -Raw))"),
    (*_POWERSHELL, "Set-Clipboard -Value $null"),
)
TMUX = Clipboard(
    "tmux",
    ("tmux", "load-buffer", "-w", "-b", _TMUX_BUFFER, "-"),
    ("tmux", "save-buffer", "-b", _TMUX_BUFFER, "-"),
    ("tmux", "delete-buffer", "-b", _TMUX_BUFFER),
    is_copied_on=True,
)
TERMINAL = Clipboard("terminal", (), is_copied_on=True)
CLIPBOARDS = {
    "wayland": WAYLAND,
    "xclip": XCLIP,
    "xsel": XSEL,
    "macos": MACOS,
    "windows": WINDOWS,
    "tmux": TMUX,
    "terminal": TERMINAL,
}
"""Name in `Platform.list_clipboards` -> clipboard."""


def find_clipboard(
    environ: Mapping[str, str],
    *,
    platform: Platform | None = None,
    find: Find | None = None,
) -> Clipboard:
    """Return the clipboard that the user can paste from.

    Raises:
        StorageError: there is none, or its program isn't installed. The fix installs it.
    """
    find = find or (lambda program: shutil.which(program, path=environ.get("PATH")))
    names = (platform or platforms.current()).list_clipboards(environ)
    candidates = [CLIPBOARDS[name] for name in names]
    for clipboard in candidates:
        if not clipboard.write or find(clipboard.write[0]):
            return _mark_as_sensitive(clipboard)
    if not candidates:
        raise StorageError(
            "can't copy to the clipboard: there is none",
            cause=_explain_no_clipboard(environ),
        )
    missing = candidates[0]
    raise StorageError(
        f"can't copy to the clipboard: {missing.write[0]} is not installed",
        cause=f"it is the program for the clipboard of {missing.name}",
        fix=_build_install_command(missing.package, find),
    )


def _explain_no_clipboard(environ: Mapping[str, str]) -> str:
    """Say what keeps a terminal's clipboard from being used, where there is no display."""
    display = "neither WAYLAND_DISPLAY nor DISPLAY is set"
    if environ.get("SSH_TTY"):
        return f"{display}, and GNU screen doesn't pass on what is copied over SSH"
    if environ.get("SSH_CONNECTION"):
        return f"{display}, and this SSH session has no terminal (ssh -t opens one)"
    return f"{display}, and this is neither tmux nor SSH"


def _mark_as_sensitive(clipboard: Clipboard) -> Clipboard:
    """Let wl-copy say that the text is a secret, if it can, so that clipboard managers don't store it."""
    if clipboard is not WAYLAND:
        return clipboard
    try:
        done = subprocess.run(  # noqa: S603 - a row of the table above
            [WAYLAND.write[0], "--help"],
            capture_output=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return clipboard
    if b"--sensitive" not in done.stdout + done.stderr:
        return clipboard
    from dataclasses import replace

    return replace(clipboard, write=("wl-copy", "--sensitive", *clipboard.write[1:]))


def _build_install_command(package: str, find: Find) -> str | None:
    manager = next((name for name in _INSTALL_COMMANDS if find(name)), None)
    if not package or manager is None:
        return None
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return f"{'' if is_root else 'sudo '}{_INSTALL_COMMANDS[manager]} {package}"


def _run_program(command: tuple[str, ...], text: str) -> None:
    # X11 and Wayland programs leave a process behind that has the text and keeps stderr open, so
    # stderr is a file: reading a pipe to its end would not return.
    with TemporaryFile() as errors:
        try:
            status = subprocess.run(  # noqa: S603 - a row of the table above
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=PROGRAM_TIMEOUT_S,
                check=False,
                cwd=os.sep,
                **platforms.current().detach_options(),
            ).returncode
        except subprocess.TimeoutExpired:
            raise StorageError(
                f"can't copy to the clipboard: {command[0]} doesn't answer",
                cause="the display that WAYLAND_DISPLAY or DISPLAY names may be gone"
                if command[0] in ("wl-copy", "xclip", "xsel")
                else None,
            ) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StorageError(f"can't copy to the clipboard: {command[0]}: {reason}") from None
        if status == 0:
            return
        errors.seek(0)
        message = sanitize_text(errors.read(2048).decode("utf-8", "replace").strip(), 200)
    raise StorageError(
        f"can't copy to the clipboard: {command[0]} failed with exit code {status}",
        cause=message or None,
    )


def _start_helper(task: Mapping[str, object]) -> None:
    helper = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-I", str(_HELPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=os.sep,
        **platforms.current().detach_options(),
    )
    assert helper.stdin is not None
    with helper.stdin as pipe:
        pipe.write(json.dumps(task).encode())
    helper.returncode = 0  # it outlives this process, so it isn't waited for


def _write_to_terminal(text: str) -> None:
    """Let the terminal copy `text` (OSC 52); whether it did can't be found out."""
    try:
        with Path("/dev/tty").open("wb", buffering=0) as tty:
            tty.write(b"\x1b]52;c;" + base64.b64encode(text.encode()) + b"\x07")
    except OSError:
        raise StorageError("can't copy to the clipboard: there is no terminal") from None

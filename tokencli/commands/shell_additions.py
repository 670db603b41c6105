"""Find out whether hook and completion are installed in the user's shell, for `doctor`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from shlex import quote
from typing import Literal

from tokencli import __version__
from tokencli.commands.completions import (
    COMPLETION_FILES,
    INSTALL_COMMANDS,
    SCRIPT_RENDERERS,
    render_completion_script,
)
from tokencli.fastpath.hooks import HOOK_SHELLS
from tokencli.machine import ShellAddition

MAX_FILE_BYTES = 1 << 20
"""Bytes of a shell's file that are looked at."""
STARTUP_FILES = {
    "bash": ("{home}/.bashrc", "{home}/.bash_profile", "{home}/.profile", "/etc/bash.bashrc"),
    "zsh": ("{zdotdir}/.zshrc", "/etc/zsh/zshrc", "/etc/zshrc"),
    "fish": ("{config}/fish/config.fish", "{config}/fish/conf.d/tokencli.fish"),
}
"""Shell -> the files that it reads when it starts."""
_HOOK_LINE = r"(?m)^[^#\n]*\btokencli hook {shell}\b"


def inspect_shell_addition(
    kind: Literal["hook", "completion"],
    environ: Mapping[str, str],
    *,
    loaded_hook: str | None,
    is_user_present: bool,
) -> ShellAddition:
    """Return whether the shell that SHELL names has the addition.

    `loaded_hook` is the version of the hook through which this command was run.
    """
    # Git Bash names a program of Windows: C:\\…\\bash.exe.
    shell = PureWindowsPath(environ.get("SHELL", "")).name.removesuffix(".exe") or None
    if shell is None or shell not in (HOOK_SHELLS if kind == "hook" else SCRIPT_RENDERERS):
        return ShellAddition(shell)
    if kind == "completion":
        return _inspect_completion(shell, environ)
    path = _find_file(STARTUP_FILES[shell], environ, _HOOK_LINE.format(shell=shell))
    if loaded_hook is not None and loaded_hook != __version__:
        return ShellAddition(
            shell, True, path or "the hook of this shell", False, f"exec {shell}", True
        )
    # A shell that was started without the user reads none of those files.
    is_loaded = True if loaded_hook is not None else False if is_user_present else None
    if path is None and is_loaded:
        path = "loaded by hand"
    statement = f'eval "$(tokencli hook {shell})"'
    if shell == "fish":
        statement = "tokencli hook fish | source"
    file = STARTUP_FILES[shell][0].format(home="~", zdotdir="~", config="~/.config")
    install = _with_directory(f"echo {quote(statement)} >> {file}")
    return ShellAddition(shell, True, path, None, install, is_loaded)


def _with_directory(command: str) -> str:
    """Let a command that writes a file of the home directory create the file's directory."""
    parent = str(Path(command.rpartition("> ")[2]).parent)
    return f"mkdir -p {parent} && {command}" if parent.startswith("~/") else command


def _inspect_completion(shell: str, environ: Mapping[str, str]) -> ShellAddition:
    install = INSTALL_COMMANDS[shell]
    path = _find_file(COMPLETION_FILES.get(shell, ()), environ)
    if path is None:
        return ShellAddition(shell, True, install_command=_with_directory(install))
    from tokencli.commands.completions.command_tree import list_command_specs  # loads every command

    expected = render_completion_script(shell, list_command_specs())
    is_current = _read_start(Path(path)) == expected
    return ShellAddition(shell, True, path, is_current, f"tokencli completion {shell} > {path}")


def _find_file(
    templates: Iterable[str], environ: Mapping[str, str], pattern: str = ""
) -> str | None:
    """Return the first file of those that exists and contains the pattern."""
    home = environ.get("HOME") or str(Path.home())
    places = {
        "home": home,
        "config": environ.get("XDG_CONFIG_HOME") or f"{home}/.config",
        "zdotdir": environ.get("ZDOTDIR") or home,
    }
    data_dirs = (
        environ.get("XDG_DATA_HOME") or f"{home}/.local/share",
        *(environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":"),
    )
    for template in templates:
        for data in data_dirs if "{data}" in template else ("",):
            path = Path(template.format(data=data, **places))
            if re.search(pattern, _read_start(path)) and path.is_file():
                return str(path)
    return None


def _read_start(path: Path) -> str:
    """Return the text of a regular file; empty if there is none."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""

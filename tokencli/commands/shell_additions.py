"""Find out whether hook and completion are installed in the user's shell, for `doctor`."""

import codecs
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from shlex import quote
from typing import Literal

from tokencli import __version__, platforms
from tokencli.commands.completions import (
    COMPLETION_FILES,
    INSTALL_COMMANDS,
    SCRIPT_RENDERERS,
    render_completion_script,
)
from tokencli.fastpath.hooks import HOOK_SHELLS
from tokencli.machine import ShellAddition
from tokencli.shell_words import PowerShell, find_shell

MAX_FILE_BYTES = 1 << 20
"""Bytes of a shell's file that are looked at."""
STARTUP_FILES = {
    "bash": ("{home}/.bashrc", "{home}/.bash_profile", "{home}/.profile", "/etc/bash.bashrc"),
    "zsh": ("{zdotdir}/.zshrc", "/etc/zsh/zshrc", "/etc/zshrc"),
    "fish": ("{config}/fish/config.fish", "{config}/fish/conf.d/tokencli.fish"),
}
"""Shell -> the files that it reads when it starts."""
STARTUP_FILES["powershell"] = STARTUP_FILES["pwsh"] = (
    "{powershell}/Microsoft.PowerShell_profile.ps1",
    "{powershell}/profile.ps1",
)
_LINE = r"(?m)^[^#\n]*\btokencli(?:\.exe)? {kind} (?:{shell})\b"
_POWERSHELL_NAMES = ("powershell", "pwsh")
_POWERSHELL_HOOK = "tokencli hook powershell | Out-String | Invoke-Expression"
HOOK_VARIABLE = "_TOKENCLI_HOOK"
"""Environment variable by which PowerShell's hook tells that it is loaded: `powershell VERSION PID`."""


def inspect_shell_addition(
    kind: Literal["hook", "completion"],
    environ: Mapping[str, str],
    *,
    loaded_hook: str | None,
    is_user_present: bool,
) -> ShellAddition:
    """Return whether the user's shell has the addition.

    It is PowerShell if its hook is loaded where this command was started, else the shell that SHELL
    names; on Windows, PowerShell is also known by its variables. `loaded_hook` is the version of the
    hook through which this command was run.
    """
    shell, version = _find_shell(environ)
    loaded_hook = loaded_hook or version
    is_powershell = shell in _POWERSHELL_NAMES
    supported = HOOK_SHELLS if kind == "hook" or is_powershell else SCRIPT_RENDERERS
    if shell is None or shell not in supported:
        return ShellAddition(shell)
    if kind == "completion" and not is_powershell:
        return _inspect_completion(shell, environ)
    names = "|".join(_POWERSHELL_NAMES) if is_powershell else shell
    path = _find_file(STARTUP_FILES[shell], environ, _LINE.format(kind=kind, shell=names))
    if kind == "completion":
        return ShellAddition(shell, True, path, None, INSTALL_COMMANDS["powershell"])
    if loaded_hook is not None and loaded_hook != __version__:
        reload = _POWERSHELL_HOOK if is_powershell else f"exec {shell}"
        return ShellAddition(shell, True, path or "the hook of this shell", False, reload, True)
    # A shell that was started without the user reads none of those files.
    is_loaded = True if loaded_hook is not None else False if is_user_present else None
    if path is None and is_loaded:
        path = "loaded by hand"
    if is_powershell:
        install = INSTALL_COMMANDS["powershell"].replace(" completion ", " hook ")
        return ShellAddition(shell, True, path, None, install, is_loaded)
    statement = f'eval "$(tokencli hook {shell})"'
    if shell == "fish":
        statement = "tokencli hook fish | source"
    file = STARTUP_FILES[shell][0].format(home="~", zdotdir="~", config="~/.config")
    install = _with_directory(f"echo {quote(statement)} >> {file}")
    return ShellAddition(shell, True, path, None, install, is_loaded)


def _find_shell(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the user's shell, and the version of PowerShell's hook if that has started this command."""
    # Git Bash names a program of Windows: C:\\…\\bash.exe.
    shell = PureWindowsPath(environ.get("SHELL", "")).name.removesuffix(".exe") or None
    is_windows = platforms.current().has_windows_shells
    if is_windows:
        found = find_shell(environ, is_windows=True)
        if isinstance(found, PowerShell):
            shell = "powershell" if found.is_legacy else "pwsh"
    match environ.get(HOOK_VARIABLE, "").split():
        # A shell that was started from PowerShell inherits the variable. On Windows there are
        # processes between PowerShell and this one.
        case ["powershell", version, process] if (
            shell in _POWERSHELL_NAMES if is_windows else process == str(os.getppid())
        ):
            return (shell if is_windows else "pwsh"), version
    return shell, None


def _find_powershell_folder(environ: Mapping[str, str], config: str) -> str:
    """Return the folder of PowerShell's profile files.

    On Windows it is beside the modules of the user, because the documents may have been moved.
    """
    is_windows = platforms.current().has_windows_shells
    for folder in environ.get("PSModulePath", "").split(";") if is_windows else ():
        parent = Path(folder).parent
        is_users = not folder.lower().startswith(
            tuple(environ.get(name, "?").lower() for name in ("ProgramFiles", "SystemRoot"))
        )
        if is_users and parent.name.lower() in ("powershell", "windowspowershell"):
            return str(parent)
    return f"{config}/powershell"


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
    config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    places = {
        "home": home,
        "config": config,
        "powershell": _find_powershell_folder(environ, config),
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
            content = file.read(MAX_FILE_BYTES)
    except OSError:
        return ""
    # Windows PowerShell writes UTF-16.
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")

"""The shell functions that `tokencli hook` prints, from the templates `hook.<shell>`."""

import os
from collections.abc import Sequence
from pathlib import Path

from tokencli import __version__
from tokencli.errors import UsageError
from tokencli.fast_dataclass import dataclass
from tokencli.fastpath import reader


@dataclass(frozen=True, slots=True)
class HookShell:
    """What differs between hooked shells."""

    dialect: str
    """The module of `tokencli.formats` that quotes its values; empty if they are printed as they are."""
    schedule_statement: str
    """Sets the epoch second (`%d`) of the next renewal."""
    profiles_statement: str
    """Sets the profiles whose variables are renewed."""
    example: str
    """How to install the hook, as the help shows it."""
    update_statement: str
    """Defines the functions again in a shell that has those of 0.1, which lack some."""
    user_id: str = "$EUID"
    """The variable with the effective user ID; empty if the shell has none."""
    set_statement: str = "_tokencli_set {variable} {value};"
    """Exports a `variable` with the token of a `profile` as its `value`."""
    unset_statement: str = "_tokencli_set {variable};"
    separator: str = " "
    """Stands between two statements."""
    template: str = ""
    """The file with its functions; by default `hook.SHELL`."""
    profile_separator: str = " "
    """Stands between two quoted profile names in the template."""
    message_statement: str = ""
    """Shows a line of `text`, in a shell that hides stderr while it makes its prompt."""


POWERSHELL = HookShell(
    "",
    "next %d",
    "profiles %s",
    "tokencli hook powershell corp | Out-String | Invoke-Expression    in $PROFILE",
    "",
    set_statement="set {profile} {variable} {value}",
    unset_statement="unset {variable}",
    separator="\n",
    template="hook.ps1",
    profile_separator=", ",
    message_statement="show {text}",
)
HOOK_SHELLS = {
    "bash": HookShell(
        "sh",
        "_tokencli_next=%d;",
        "_tokencli_profiles=(%s);",
        'eval "$(tokencli hook bash)"                 in ~/.bashrc',
        r'\builtin typeset -f _tokencli_set >/dev/null || \builtin eval "$(\command tokencli hook bash)";',
    ),
    "zsh": HookShell(
        "sh",
        "_tokencli_next=%d;",
        "_tokencli_profiles=(%s);",
        'eval "$(tokencli hook zsh groupid corp)"     in ~/.zshrc, with the variables of two profiles',
        r'\builtin typeset -f _tokencli_set >/dev/null || \builtin eval "$(\command tokencli hook zsh)";',
    ),
    "fish": HookShell(
        "fish",
        "set -g _tokencli_next %d;",
        "set -g _tokencli_profiles %s;",
        "tokencli hook fish | source                  in ~/.config/fish/config.fish",
        "builtin functions --query _tokencli_set; or command tokencli hook fish | builtin source;",
        user_id="",
    ),
    # PowerShell gets data instead of statements, because it can log what it evaluates.
    "powershell": POWERSHELL,
    "pwsh": POWERSHELL,
}


def render_hook_script(shell: str, profiles: Sequence[str]) -> str:
    """Return a shell's functions, which keep the variables of these profiles fresh.

    Raises:
        UsageError: the shell is not supported, or a profile name is invalid.
    """
    check_hook_arguments(shell, profiles)
    hook_shell = HOOK_SHELLS[shell]
    text = (
        Path(__file__).with_name(hook_shell.template or f"hook.{shell}").read_text(encoding="utf-8")
    )
    # Windows has no user IDs, and the hook reads no copies there.
    user_id = hook_shell.user_id or str(os.geteuid() if hasattr(os, "geteuid") else 0)
    base_dirs = reader.records_base_dirs("$XDG_RUNTIME_DIR", user_id)
    placeholders = {
        "@RECORD_FORMAT@": reader.RECORD_FORMAT,
        "@VERSION@": __version__,
        "@PROFILES@": hook_shell.profile_separator.join(f"'{name}'" for name in profiles),
        "@BASE_DIRS@": " ".join(f'"{path}"' for path in base_dirs),
        "@APP_DIR@": reader.APP_DIR,
        "@RECORDS_PATH@": f"{reader.APP_DIR}/{reader.RECORDS_DIR}",
        "@SLASH@": reader.SLASH_IN_NAME,
    }
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return text


def check_hook_arguments(shell: str, profiles: Sequence[str]) -> None:
    """Raise UsageError for an unsupported shell or an invalid profile name."""
    if shell not in HOOK_SHELLS:
        raise UsageError(
            f"no hook for shell {shell[:40]!r}: use {', '.join(HOOK_SHELLS)}",
            fix="tokencli hook --help",
        )
    for name in profiles:
        if not name[:1].isalnum() or name.strip(reader.NAME_CHARACTERS):
            raise UsageError(f"invalid profile name: {name[:80]!r}", fix="tokencli profiles")

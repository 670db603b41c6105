"""Replace this process by a command that has tokens in its environment.

A warm `exec` imports this, `reader` and `_signal`, which the interpreter has loaded at its start.
"""

import os
import sys

from tokencli.fastpath import reader

TYPE_CHECKING = False  # importing typing would cost more than everything here
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

EXPIRY_SUFFIX = "_EXPIRES_AT"
FILE_SUFFIX = "_FILE"
DESCRIPTOR_SUFFIX = "_FD"
TOKEN_SUFFIXES = (
    "", "_TYPE", EXPIRY_SUFFIX, "_SCOPE", "_HEADER", "_QUERY", FILE_SUFFIX, DESCRIPTOR_SUFFIX,
)  # fmt: skip
"""What follows the name of a token's variable in the names of those that belong to it."""
MAX_LIFETIME_S = 1e9
"""A token with a longer lifetime may be one that never expires, which the full program knows."""
IGNORED_SIGNALS = ("SIGPIPE", "SIGXFSZ")
"""Signals that Python ignores, and other programs usually don't."""


def launch_with_cached_tokens(argv: "list[str]", environ: "Mapping[str, str]") -> None:
    """Run `exec PROFILE… -- COMMAND…` in place of this process; return if in doubt.

    Nothing has changed if this returns.
    """
    if "--" not in argv or sys.platform != "linux" or reader.has_unknown_variables(environ):
        return
    end = argv.index("--")
    names: list[str | None] = [*argv[1:end]] or [None]
    command = argv[end + 1 :]
    if not command:
        return
    variables: dict[str, str] = {}
    count = 0
    try:
        for name in dict.fromkeys(names):
            found = reader.find_token_record(name, environ)
            fields = None if found is None else reader.read_fresh_token(*found, environ)
            if fields is None:
                return
            _, _, variable, token, obtained_at, expires_at = fields[:6]
            if not variable.isascii() or not variable.isidentifier():
                return
            if float(expires_at) - float(obtained_at) > MAX_LIFETIME_S:
                return
            variables[variable] = token
            variables[variable + EXPIRY_SUFFIX] = str(int(float(expires_at)))
            count += 2
        if len(variables) == count:  # else the full program says which profiles share a variable
            stripped = strip_variables(environ, variables)
            replace_process(command, {**stripped, **variables})
    except (OSError, ValueError, OverflowError):
        return


def strip_variables(environ: "Mapping[str, str]", names: "Iterable[str]") -> dict[str, str]:
    """Return the environment with which this process was started, without the variables of tokens.

    `names` are the tokens' variables. Those that belong to them go as well, whoever set them. The
    others stay as they are: a LC_CTYPE that Python has set (PEP 538) is removed.
    """
    kept = dict(environ)
    kept.pop("", None)  # can't be passed on
    for name in names:
        for suffix in TOKEN_SUFFIXES:
            kept.pop(name + suffix, None)
        number = 2
        while kept.pop(f"{name}_HEADER_{number}", None) is not None:
            number += 1
    if kept.get("LC_CTYPE", "").upper() in ("C.UTF-8", "C.UTF8", "UTF-8") and not _had_locale():
        del kept["LC_CTYPE"]
    return kept


def _had_locale() -> bool:
    """Tell whether LC_CTYPE was set when this process was started; True if that is unknown."""
    try:
        with open("/proc/self/environ", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib isn't loaded
            data = file.read()
    except OSError:
        return True
    return data.startswith(b"LC_CTYPE=") or b"\0LC_CTYPE=" in data


def replace_process(command: "list[str]", environ: "Mapping[str, str]") -> "NoReturn":
    """Run a command in place of this process, found in PATH as the C library's execvp does.

    Signals that Python ignores get their default action again; those that were ignored otherwise
    stay so.

    Raises:
        OSError: the command doesn't exist or can't be run. ValueError: a word has a NUL character.
    """
    import _signal  # type: ignore[import-not-found]  # `signal` would import enum

    program = command[0]
    if "/" in program:
        paths = [program]
    else:
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        paths = [f"{folder}/{program}" if folder else f"./{program}" for folder in folders]
    numbers = [getattr(_signal, name) for name in IGNORED_SIGNALS if hasattr(_signal, name)]
    refusal: OSError | None = None
    before = [(number, _signal.signal(number, _signal.SIG_DFL)) for number in numbers]
    try:
        for path in paths if program else ():
            if len(paths) > 1 and not os.access(path, os.F_OK):
                continue
            try:
                os.execve(path, command, environ)  # noqa: S606 - the user's own command
            except (FileNotFoundError, NotADirectoryError) as error:
                if os.path.lexists(path):  # its interpreter is missing
                    refusal = error
                    break
            except PermissionError as error:
                refusal = refusal or error
            except OSError as error:
                from tokencli import platforms
                from tokencli.system.child_process import is_shell_script  # start-up cost

                shell = platforms.current().shell
                if shell is None or not is_shell_script(error, path):
                    raise
                os.execve(shell, [shell, path, *command[1:]], environ)  # noqa: S606 - likewise
    finally:
        for number, handler in before:
            _signal.signal(number, handler)
    raise refusal or FileNotFoundError(2, "not found", program)

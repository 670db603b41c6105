"""Report an error: as `error:`, `cause:` and `fix:` on stderr, or as a JSON object."""

import re
import sys
from collections.abc import Iterable, Sequence

from tokencli.errors import (
    ConfigError,
    ConfigProblem,
    KeyringError,
    RefusedError,
    TokencliError,
    UsageError,
)
from tokencli.sanitize import sanitize_text
from tokencli.terminal.console import is_user_present, write_stderr_line

MAX_PROBLEMS_SHOWN = 20
"""Problems of a configuration that are printed; the rest are counted."""
_EDITOR_COMMAND = r"tokencli profiles edit(?: (?!-)\S+)?(?: --config .*)?"
"""The command that opens an editor: it sets nothing itself."""
_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "fish"})
_FLAG = r"-[A-Za-z]{1,4}|--[a-z][a-z0-9-]*"


def build_missing_dashes_error(name: str, own: Sequence[str], command: Sequence[str]) -> UsageError:
    """Return the error for `tokencli NAME` without the `--` that divides its words from the command."""
    from tokencli.shell_words import join

    start = join(["tokencli", name, *own, "--"])
    can_repeat = is_repeatable(command)
    what = "curl's options and its URL" if name == "curl" else "the command and its arguments"
    return UsageError(
        "there is no URL for curl" if name == "curl" else "there is no command to run",
        cause=f"{what} follow `--`" if can_repeat else f"{what} follow `--`, as in {start} …",
        fix=f"{start} {join(command)}" if can_repeat else None,
    )


def is_repeatable(words: Sequence[str]) -> bool:
    """Tell whether a message may repeat another program's arguments, because none can be a secret.

    These are flags, URLs without a user name and a query, and words that can't be an option's value.
    What a shell is to run (`sh -c TEXT`) consists of such words as well.
    """
    if len(words) == 3 and words[0].rpartition("/")[2] in _SHELLS and words[1] == "-c":
        from shlex import split

        try:
            return bool(words[2].strip()) and is_repeatable(split(words[2]))
        except ValueError:
            return False
    is_value = False
    for word in words:
        if re.fullmatch(_FLAG, word):
            is_value = True
        elif "://" in word:
            if "?" in word or "@" in word:
                return False
        elif is_value or not re.fullmatch(r"[^-@=:?][^@=:?]*", word):
            return False
    return True


def format_in_one_line(error: TokencliError) -> str:
    """Return an error's message, with its fix in parentheses."""
    fix = _usable_fix(error)
    return f"error: {error.message}" + (f" (fix: {fix})" if fix else "")


def report_error(error: TokencliError, *, as_json: bool = False) -> None:
    """Print an error to stderr: the message, every problem of a file, the cause and the fix."""
    if as_json:
        from tokencli.formats.json import dump_json_line  # rarely needed

        write_stderr(dump_json_line({"error": error_to_dict(error)}))
        return
    write_stderr_line(f"error: {error.message}")
    if isinstance(error, ConfigError):
        for problem in error.problems[:MAX_PROBLEMS_SHOWN]:
            write_stderr_line(f"  {format_problem(problem)}")
        if len(error.problems) > MAX_PROBLEMS_SHOWN:
            write_stderr_line(f"  and {len(error.problems) - MAX_PROBLEMS_SHOWN} more")
    if error.cause:
        write_stderr_line(f"cause: {error.cause}")
    if fix := _usable_fix(error):
        write_stderr_line(f"fix: {fix}")
    for alternative in error.alternatives if isinstance(error, KeyringError) else ():
        write_stderr_line(f"fix with {alternative.source}:")
        write_stderr_line(f"  {alternative.command}")


def _usable_fix(error: TokencliError) -> str | None:
    """Return the fix, unless it opens an editor and there is no terminal for one."""
    fix = error.fix
    if fix is None or not re.fullmatch(_EDITOR_COMMAND, fix) or is_user_present():
        return fix
    return None


def error_to_dict(error: TokencliError) -> dict[str, object]:
    """Return an error as the object that `--json` prints."""
    usable_fix = _usable_fix(error)
    fix = sanitize_text(usable_fix) if usable_fix else None
    members: dict[str, object] = {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": sanitize_text(error.message),
        "cause": sanitize_text(error.cause) if error.cause else None,
        "fix": fix,
        "hint": fix,  # the name of `fix` in release 0.1
    }
    for name in ("status", "error", "description", "retry_after"):  # of a RefusedError
        value = getattr(error, name, None)
        if value is not None:
            members[name] = sanitize_text(value) if isinstance(value, str) else value
    if isinstance(error, RefusedError) and error.request_ids:
        members["request_ids"] = {
            name: sanitize_text(value) for name, value in error.request_ids.items()
        }
    if isinstance(error, ConfigError) and error.problems:
        members["problems"] = problems_to_dicts(error.problems)
    return members


def problems_to_dicts(problems: Iterable[ConfigProblem]) -> list[dict[str, object]]:
    """Return problems of a configuration as the objects that `--json` prints."""
    return [{"where": p.where, "line": p.line, "what": p.what, "right": p.right} for p in problems]


def format_problem(problem: ConfigProblem) -> str:
    """Return a problem as one line: line number, key path, what is wrong, what would be right."""
    line = f"line {problem.line}: " if problem.line else ""
    where = f"{problem.where}: " if problem.where else ""
    right = f"; {problem.right}" if problem.right else ""
    return f"{line}{where}{problem.what}{right}"


def write_stderr(text: str) -> None:
    """Write text to stderr as it is; a closed or failing stderr is ignored."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return

"""The boundary: every failure becomes one or two lines on stderr and an exit code, nothing else."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from tokencli.commands import output
from tokencli.errors import ConfigError, ConfigProblem, StorageError, TokencliError, UsageError
from tokencli.sanitize import sanitize_text
from tokencli.system.termination import (
    Terminated,
    find_signal_cause,
    install_signal_handlers,
    resend_dropped_signal,
)
from tokencli.terminal.console import write_stderr_line

EXIT_INTERRUPTED = 130
MAX_PROBLEMS_SHOWN = 20
"""Problems of a file that are printed at most; the rest is counted."""

OUT_OF_RESOURCES = "the system has no more memory or threads for this"


def _reserve_standard_descriptors() -> None:
    """Let no file or socket get the number of a closed stdin, stdout or stderr.

    A closed stdout stays an error for whoever writes to it; what is said to a closed stderr is lost.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - a descriptor, for good


def run_command_line(argv: Sequence[str]) -> int:
    """Run the command line and return its exit code; nothing is raised."""
    # A library's warnings and log records are its developers' business, and may quote URLs.
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.excepthook = _report_uncaught
    sys.unraisablehook = resend_dropped_signal
    _reserve_standard_descriptors()
    install_signal_handlers()
    try:
        code = _run_and_report(argv)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
        write_stderr_line("interrupted", anew=True)
    except Terminated as end:
        code = 128 + end.args[0]
    if code != 0 and _is_export_intended(argv, code) and not output.has_written():
        _print_eval_failure(argv)
    return code


def _run_and_report(argv: Sequence[str]) -> int:
    try:
        return _dispatch_command(argv)
    except output.ReaderClosedError:
        return output.EXIT_BROKEN_PIPE
    except TokencliError as error:
        report_error(error, as_json="--json" in argv)
        return error.exit_code
    except BrokenPipeError:
        return output.EXIT_BROKEN_PIPE
    except OSError as error:  # of a stream or a file that nobody saw fail closer by
        refused = StorageError(f"the system refused: {error.strerror or type(error).__name__}")
        report_error(refused, as_json="--json" in argv)
        return refused.exit_code
    except Exception as error:  # noqa: BLE001 - the catch-all that keeps tracebacks from people
        ending = find_signal_cause(error)
        if ending is not None:
            raise ending from None
        if _is_resource_exhaustion(error):
            scarce = StorageError(
                OUT_OF_RESOURCES, fix="see what is allowed and left: ulimit -a; free -m"
            )
            report_error(scarce, as_json="--json" in argv)
            return scarce.exit_code
        report_error(
            _build_internal_error(error, frames=any(w.startswith("-v") for w in argv)),
            as_json=False,
        )
        return TokencliError.exit_code


def _is_resource_exhaustion(error: Exception) -> bool:
    """Tell whether an error is the machine's, which gave no more memory or no more threads."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    if isinstance(error, ImportError):  # of a compiled module
        return "failed to map segment" in text or "allocate memory" in text
    return isinstance(error, RuntimeError) and text == "can't start new thread"


def _dispatch_command(argv: Sequence[str]) -> int:
    from tokencli.commands.fast_commands import find_fast_command

    at_once = find_fast_command(argv)
    if at_once is not None:
        at_once()
        return 0
    import typer

    from tokencli.commands.registry import build_cli

    try:
        result = build_cli()(args=list(argv), prog_name="tokencli", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else _command_path_in(argv)
        raise UsageError(message, fix=f"{command} --help") from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    return result if isinstance(result, int) else 0


def _command_path_in(argv: Sequence[str]) -> str:
    """Name the command that a command line means, as far as it goes."""
    from tokencli.commands.registry import COMMANDS

    return "tokencli" + next((f" {word}" for word in argv if word in COMMANDS), "")


def _build_internal_error(error: Exception, *, frames: bool) -> TokencliError:
    """Name the place, not the text: an exception's text may quote a secret."""
    trace = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in trace if "tokencli" in frame.filename] or trace
    steps = [f"{frame.name}:{frame.lineno}" for frame in (trace if frames else own[-1:])]
    place = f" at {' > '.join(steps)}" if steps else ""
    return TokencliError(
        f"internal error: {type(error).__name__}{place}; this is a fault of tokencli itself",
        fix="the same command with -v, and report what it says",
    )


def report_error(error: TokencliError, *, as_json: bool = False) -> None:
    """Print an error to stderr: what happened, every problem of a file, and what to type next."""
    if as_json:
        from tokencli.formats.json import dump_json_line

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
    if error.fix:
        write_stderr_line(f"fix: {error.fix}")


def error_to_dict(error: TokencliError) -> dict[str, object]:
    """Return an error as the object that `--json` prints."""
    found: dict[str, object] = {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": sanitize_text(error.message),
        "cause": sanitize_text(error.cause) if error.cause else None,
        "fix": sanitize_text(error.fix) if error.fix else None,
        "hint": sanitize_text(error.fix) if error.fix else None,  # the name in release 0.1
    }
    for name in ("status", "error"):
        if getattr(error, name, None) is not None:
            value = getattr(error, name)
            found[name] = sanitize_text(value) if isinstance(value, str) else value
    if isinstance(error, ConfigError) and error.problems:
        found["problems"] = [
            {"where": p.where, "line": p.line, "what": p.what, "right": p.right}
            for p in error.problems
        ]
    return found


def format_problem(problem: ConfigProblem) -> str:
    """Return a problem as one line: line number, key path, what is wrong, what would be right."""
    place = f"line {problem.line}: " if problem.line else ""
    where = f"{problem.where}: " if problem.where else ""
    right = f"; {problem.right}" if problem.right else ""
    return f"{place}{where}{problem.what}{right}"


def write_stderr(line: str) -> None:
    """Write one line of JSON to stderr."""
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def _is_export_intended(argv: Sequence[str], code: int) -> bool:
    """Tell whether the output may be for `eval`: of an `export`, or of what was likely meant as one."""
    if "export" in argv or code != UsageError.exit_code:
        return "export" in argv
    from difflib import get_close_matches

    from tokencli.commands.registry import COMMANDS

    word = next((word for word in argv if not word.startswith("-")), "")
    return word not in COMMANDS and get_close_matches(word.lower(), COMMANDS, 1) == ["export"]


def _print_eval_failure(argv: Sequence[str]) -> None:
    """Print what makes `eval $(tokencli export)` fail: an empty output would count as success."""
    from tokencli.formats import eval_failure_text

    try:
        output.write_stdout(eval_failure_text(argv))
    except (TokencliError, output.ReaderClosedError):
        return


def _report_uncaught(kind: type[BaseException], *_: object) -> None:
    """Stand in for Python's traceback, which could print what nobody should see."""
    if issubclass(kind, MemoryError):
        write_stderr_line(f"error: {OUT_OF_RESOURCES}")
        return
    write_stderr_line(f"error: internal error: {kind.__name__}; this is a fault of tokencli itself")

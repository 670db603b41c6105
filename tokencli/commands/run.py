"""Run the command line: every failure becomes a report on stderr and an exit code."""

import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from signal import Signals
from typing import Any

from tokencli.commands import output
from tokencli.commands.error_report import report_error
from tokencli.commands.fast_commands import find_fast_command
from tokencli.errors import StorageError, TokencliError, UsageError
from tokencli.platforms import current
from tokencli.shell_words import join
from tokencli.system.signals import (
    Terminated,
    find_raised_signal,
    find_signal_cause,
    install_signal_handlers,
    resend_dropped_signal,
)
from tokencli.terminal.console import is_terminal, note_interrupt, write_stderr_line

OUT_OF_RESOURCES = "the system is out of memory or threads"
_UNKNOWN_COMMAND = r"No such command '[^']*'\.(?: Did you mean '([a-z-]+)'\?)?"
"""The message for an unknown command, with the command that was probably meant."""


def _reserve_standard_descriptors() -> None:
    """Open /dev/null in place of a closed stdin, stdout or stderr, so that no file gets its number.

    Writing the result to a closed stdout stays an error; messages to a closed stderr are lost.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open until the process ends


def _use_own_encoding_in_pipes() -> None:
    """Let pipes and files get UTF-8, unless PYTHONIOENCODING names another encoding.

    On Windows it would be the system's code page, which lacks most characters.
    """
    encoding = current().pipe_encoding
    if encoding is None or os.environ.get("PYTHONIOENCODING"):
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not is_terminal(stream):
            stream.reconfigure(encoding=encoding)


def run_command_line(argv: Sequence[str]) -> int:
    """Run the command line and return its exit code; no exception leaves it."""
    # Warnings and log records of libraries are of no use to users, and may quote URLs.
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.excepthook = _report_uncaught
    sys.unraisablehook = resend_dropped_signal
    _reserve_standard_descriptors()
    _use_own_encoding_in_pipes()
    install_signal_handlers(note_interrupt)
    try:
        code = _run_and_report(argv)
    except KeyboardInterrupt:
        code = output.EXIT_INTERRUPTED
        write_stderr_line("interrupted")
    except Terminated as end:
        code = 128 + end.args[0]
        write_stderr_line(f"ended by {Signals(end.args[0]).name}")
    if code != 0 and _is_export_intended(_own_options(argv), code) and not output.has_written():
        _print_eval_failure(argv)
    return code


def _run_and_report(argv: Sequence[str]) -> int:
    try:
        return _dispatch_command(argv)
    except output.ReaderClosedError:
        return output.EXIT_BROKEN_PIPE
    except TokencliError as error:
        if config := _find_config_option(argv):
            error.name_config(config)
        report_error(error, as_json=_wants_json(argv))
        return error.exit_code
    except OSError as error:  # of a stream or a file, not handled closer to its cause
        if output.is_reader_gone(error):
            output.discard_unwritten()
            return output.EXIT_BROKEN_PIPE
        failure = StorageError(f"system error: {error.strerror or type(error).__name__}")
        report_error(failure, as_json=_wants_json(argv))
        return failure.exit_code
    except Exception as error:  # noqa: BLE001 - the catch-all that keeps tracebacks from users
        signal_cause = find_signal_cause(error) or find_raised_signal()
        if signal_cause is not None:
            raise signal_cause from None
        if _is_resource_exhaustion(error):
            exhaustion = StorageError(OUT_OF_RESOURCES, fix="ulimit -a; free -m")
            report_error(exhaustion, as_json=_wants_json(argv))
            return exhaustion.exit_code
        report_error(
            _build_internal_error(
                error, all_frames=any(w.startswith("-v") for w in _own_options(argv))
            )
        )
        return TokencliError.exit_code


def _own_options(argv: Sequence[str]) -> Sequence[str]:
    """Return the command line without what follows `--`, which may be another program's."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _wants_json(argv: Sequence[str]) -> bool:
    """Tell whether errors are reported as JSON; for `request`, --json is the data to send."""
    return "--json" in _own_options(argv) and argv[0] != "request"


def _find_config_option(argv: Sequence[str]) -> str | None:
    """Return the file that `--config` names, or None."""
    options = _own_options(argv)
    for word, value in zip(options, [*options[1:], ""], strict=True):
        if word == "--config":
            return value
        if word.startswith("--config="):
            return word.partition("=")[2]
    return None


def _is_resource_exhaustion(error: Exception) -> bool:
    """Tell whether the system refused more memory or another thread."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    if isinstance(error, ImportError):  # of a compiled module that could not be mapped
        return "failed to map segment" in text or "allocate memory" in text
    return isinstance(error, RuntimeError) and text == "can't start new thread"


def _dispatch_command(argv: Sequence[str]) -> int:
    run_fast = find_fast_command(argv)
    if run_fast is not None:
        return run_fast() or 0
    import typer  # only if needed: it takes as long as everything else together

    from tokencli.commands.registry import COMMANDS, build_cli

    if list(argv[:1]) == ["--version"]:
        names: Iterable[str] = ()
    else:
        names = argv[:1] if argv and argv[0] in COMMANDS else COMMANDS
    cli = build_cli(names)
    try:
        result = cli(args=list(argv), prog_name="tokencli", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else _command_path_in(argv)
        if misplaced := _find_misplaced_option(context, error, argv):
            raise misplaced from None
        if match := re.match(_UNKNOWN_COMMAND, message):
            message = message[0].lower() + message[1:]
            command += f" {match[1]}" if match[1] else ""
        raise UsageError(message, fix=f"{command} --help") from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    return result if isinstance(result, int) else 0


def _find_misplaced_option(
    context: Any, error: Exception, argv: Sequence[str]
) -> UsageError | None:
    """Return the error for an option that stands before the command that has it."""
    from tokencli.commands.registry import COMMANDS

    option = getattr(error, "option_name", None)
    start = next((i for i, word in enumerate(argv) if word in COMMANDS), 0)
    if context is None or context.parent is not None or option is None or not start:
        return None
    end = argv.index("--") if "--" in argv[start:] else len(argv)
    command = context.command
    for word in argv[start:end]:
        found = getattr(command, "commands", {}).get(word)
        if found is None:
            break
        command = found
    if not any(option in parameter.opts for parameter in command.params):
        return None
    words = ["tokencli", *argv[start:end], *argv[:start], *argv[end:]]
    return UsageError(f"{option} must come after the command", fix=join(words))


def _command_path_in(argv: Sequence[str]) -> str:
    """Return the command of a command line that could not be parsed: `tokencli get`, or `tokencli`."""
    from tokencli.commands.registry import COMMANDS

    return "tokencli" + next((f" {word}" for word in argv if word in COMMANDS), "")


def _build_internal_error(error: Exception, *, all_frames: bool) -> TokencliError:
    """Name the exception's type and code location, but not its text, which may quote a secret."""
    trace = traceback.extract_tb(error.__traceback__)
    own_frames = [frame for frame in trace if "tokencli" in frame.filename] or trace
    shown = trace if all_frames else own_frames[-1:]
    steps = [f"{frame.name}:{frame.lineno}" for frame in shown]
    location = f" at {' > '.join(steps)}" if steps else ""
    return TokencliError(
        f"internal error: {type(error).__name__}{location}",
        cause="this is a bug in tokencli; run the same command with -v and report what it prints",
    )


def _is_export_intended(argv: Sequence[str], code: int) -> bool:
    """Tell whether stdout may be read by `eval`: the command is `export`, or a likely typo of it."""
    if "export" in argv or code != UsageError.exit_code:
        return "export" in argv
    from difflib import get_close_matches

    from tokencli.commands.registry import COMMANDS

    word = next((word for word in argv if not word.startswith("-")), "")
    return word not in COMMANDS and get_close_matches(word.lower(), COMMANDS, 1) == ["export"]


def _print_eval_failure(argv: Sequence[str]) -> None:
    """Print a statement that fails in `eval "$(tokencli export)"`; empty output would succeed."""
    from tokencli.formats import eval_failure_text

    try:
        output.write_stdout(eval_failure_text(argv))
    except (TokencliError, output.ReaderClosedError):
        return


def _report_uncaught(kind: type[BaseException], *_: object) -> None:
    """Replace Python's traceback, which could print secrets."""
    if issubclass(kind, MemoryError):
        write_stderr_line(f"error: {OUT_OF_RESOURCES}")
        return
    write_stderr_line(f"error: internal error: {kind.__name__}")
    write_stderr_line("cause: this is a bug in tokencli")

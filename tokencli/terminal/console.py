"""The terminal: questions and messages on stderr, answers from stdin."""

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from tokencli import platforms
from tokencli.errors import LoginRequiredError
from tokencli.models import Secret
from tokencli.protocols import Choice, WaitStatus
from tokencli.sanitize import sanitize_text

if TYPE_CHECKING:
    from tokencli.terminal.line_reader import LineReader
    from tokencli.terminal.wait_line import WaitLine

MAX_LINE_CHARS = 2048
"""Limit of a line, which may quote a server."""
MAX_UNCUT_LINE_CHARS = 64 * 1024
"""Limit of a line that is useless if it is cut, e.g. the URL of a page to open."""
_ERASE_LINE = "\r\x1b[2K"
LABEL_STYLES = {
    "error": "bold red",
    "warning": "bold magenta",
    "cause": "bold",
    "fix": "green",
}
"""How a line begins -> the style of that word, from `terminal.colors`."""


class StderrTerminal:
    """Prints to stderr and asks only if a user can answer; stdout is not touched."""

    def __init__(
        self, environ: Mapping[str, str], *, no_input: bool, quiet: bool, verbose: int
    ) -> None:
        self._environ = environ
        self._no_input = no_input
        self._quiet = quiet
        self._verbose = verbose
        self._warned: set[str] = set()
        self._unread_input = bytearray()
        """What was typed after the line that was read last."""

    @property
    def interactive(self) -> bool:
        """Whether a user can answer: stdin and stderr are terminals, without `--no-input` or CI."""
        return not self._no_input and not self._is_in_ci and is_user_present()

    @property
    def can_user_type(self) -> bool:
        """Whether a suggested command may ask the user something."""
        return self.interactive

    def print_note(self, text: str, *, whole: bool = False) -> None:
        """Print a note unless `-q` is given; a long one is cut unless it is `whole`."""
        if not self._quiet:
            write_stderr_line(text, MAX_UNCUT_LINE_CHARS if whole else MAX_LINE_CHARS)

    def print_warning(self, text: str) -> None:
        """Print a warning, each text once."""
        if text not in self._warned:
            self._warned.add(text)
            write_stderr_line(f"warning: {text}")

    def print_detail(self, text: str) -> None:
        """Print details if `-v` is given."""
        if self._verbose:
            write_stderr_line(text)

    def ask_line(
        self,
        question: str,
        *,
        default: str | None = None,
        validate: Callable[[str], str | None] | None = None,
        help: str | None = None,
    ) -> str:
        """Ask for a line until it is valid; an empty answer means the default."""
        from tokencli.terminal.prompts import REQUIRED

        def check(text: str) -> str | None:
            text = text.strip()
            if not text:
                return REQUIRED if default is None else None
            if any(char < " " or "\x7f" <= char <= "\x9f" for char in text):
                return "the answer must be one line without control characters"
            return validate(text) if validate else None

        suggestion = f" [{default}]" if default else ""
        answer = self._ask(question, suggestion, check, help=help)
        return answer.strip() or default or ""

    def ask_choice(
        self,
        question: str,
        options: Sequence[Choice],
        *,
        default: str | None = None,
        help: str | None = None,
    ) -> str:
        """Ask for one of the options."""
        from tokencli.terminal.prompts import check_option

        values = [option.value for option in options]
        default_option = values.index(default) if default in values else None

        def check(text: str) -> str | None:
            if not text.strip() and default_option is not None:
                return None
            return check_option(options, text)

        suggestion = "" if default_option is None else f" [{options[default_option].label}]"
        return self._ask(
            question,
            suggestion,
            check,
            help=help,
            options=options,
            default_option=default_option or 0,
        )

    def ask_secret(self, question: str, *, required: bool = False) -> Secret:
        """Ask for a secret, masked."""
        from tokencli.terminal.prompts import check_secret

        def check(text: str) -> str | None:
            return check_secret(text, required=required)

        return Secret(self._ask(question, "", check, is_secret=True))

    def ask_yes_no(self, question: str, *, default: bool, help: str | None = None) -> bool:
        """Ask a yes-or-no question."""

        def check(text: str) -> str | None:
            known = text.strip().lower() in ("", "y", "yes", "n", "no")
            return None if known else "answer y or n"

        answer = self._ask(question, " [Y/n]" if default else " [y/N]", check, help=help)
        return default if not answer.strip() else answer.strip().lower().startswith("y")

    def _ask(
        self,
        question: str,
        suggestion: str,
        check: Callable[[str], str | None],
        *,
        help: str | None = None,
        options: Sequence[Choice] = (),
        default_option: int = 0,
        is_secret: bool = False,
    ) -> str:
        """Ask until the answer is valid: with a line editor if the terminal is capable of it.

        Ctrl-D cancels like Ctrl-C.
        """
        self._require_interactive(question)
        erase_wait_line()
        from tokencli.terminal.prompts import Prompt, ask_plainly

        prompt = Prompt(
            sanitize_text(question + suggestion),
            check, help, options, default_option, is_secret,
        )  # fmt: skip
        if self._is_terminal_capable() and platforms.current().has_line_editor():
            from tokencli.terminal.colors import is_color_wanted
            from tokencli.terminal.line_editor import edit_answer

            color = is_color_wanted(self._environ)
            return edit_answer(prompt, sys.stdin, sys.stderr, color=color)
        return ask_plainly(prompt, self._read_line, write_stderr_line)

    def _read_line(self, prompt: str, is_secret: bool) -> str:
        from tokencli.terminal.line_reader import open_line_reader

        sys.stderr.flush()
        try:
            with open_line_reader(
                sys.stdin.fileno(), self._unread_input, prompt=prompt, is_secret=is_secret
            ) as reader:
                return reader.read_line() or ""
        except KeyboardInterrupt:
            _screen.is_line_unfinished = True
            raise

    def _is_terminal_capable(self) -> bool:
        """Whether the terminal at stderr can move the cursor."""
        return is_capable_terminal(sys.stderr, self._environ)

    def show_message(self, text: str, *, qr: str | None = None) -> bool:
        """Print what the user needs to go on, even under `-q`; draw `qr` as a QR code.

        Returns whether the QR code was drawn.
        """
        write_stderr_line(text, MAX_UNCUT_LINE_CHARS)
        if qr is None or not is_terminal(sys.stderr):
            return False
        return _draw_qr_code(qr)

    def show_wait(
        self,
        describe: Callable[[], WaitStatus],
        /,
        *,
        note_after: float | None = None,
        shares_terminal: bool = False,
    ) -> AbstractContextManager[object]:
        """Show on a terminal what the block waits for, if it takes more than a second.

        See `protocols.Terminal`. There is no line in a pipe, in CI, with `-q` or if TERM is dumb.
        """
        if self._quiet:
            return nullcontext()
        if self._is_in_ci or not self._is_terminal_capable():
            return nullcontext() if note_after is None else self._note_once(describe, note_after)
        from tokencli.terminal.wait_line import SHOW_AFTER_S

        if shares_terminal:
            return self._note_once(describe, SHOW_AFTER_S, unless_modes_differ=True)
        return _get_wait_line().show(describe)

    @contextmanager
    def _note_once(
        self, describe: Callable[[], WaitStatus], delay: float, *, unless_modes_differ: bool = False
    ) -> Iterator[None]:
        """Print a note if the block takes longer than `delay` seconds.

        A program that asks for a password turns the terminal's echo off, and one that draws a dialog
        changes more. With `unless_modes_differ`, it isn't disturbed.
        """
        from threading import Timer

        before = _read_terminal_modes() if unless_modes_differ else None

        def print_status() -> None:
            if not unless_modes_differ or _read_terminal_modes() == before:
                status = describe()
                self.print_note(f"{status.doing} ({status.hint})")

        timer = Timer(delay, print_status)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def _is_in_ci(self) -> bool:
        return self._environ.get("CI", "").lower() not in ("", "0", "false")

    @contextmanager
    def open_line_reader(self) -> Iterator[Callable[[float], str | None]]:
        """Yield a function that returns a line typed within so many seconds, or None.

        Lines may have any length. If no user can type, it always returns None.
        """
        if not self.interactive:
            yield lambda _: None
            return
        from tokencli.terminal.line_reader import open_line_reader

        with open_line_reader(
            sys.stdin.fileno(), self._unread_input, erase_wait_line
        ) as _screen.keyboard:
            try:
                yield _screen.keyboard.read_line
            finally:
                _screen.keyboard = None

    def _require_interactive(self, question: str) -> None:
        if self._no_input:
            raise LoginRequiredError(
                f"can't ask {question!r}: prompts are turned off",
                cause="--no-input is set, or the token is renewed in the background",
            )
        if not self.interactive:
            raise LoginRequiredError(
                f"can't ask {question!r}: there is no terminal, or CI is set",
                cause="run the command in a terminal, without CI",
            )


class _Screen:
    """The terminal at stderr, of which a process has one."""

    line: "WaitLine | None" = None
    keyboard: "LineReader | None" = None
    is_line_unfinished: bool = False
    """Whether the cursor is behind the echo of Ctrl-C or a cancelled prompt."""
    has_output: bool = False
    """Whether stdout shows a result on the same terminal, of which the wait line would erase a part."""


_screen = _Screen()


def erase_wait_line() -> None:
    """Remove the line that shows what the program is waiting for, before anything else is written."""
    if _screen.line is not None:
        _screen.line.erase()


def begin_output() -> None:
    """Show no wait line any more if stdout is a terminal: a result comes there piece by piece."""
    erase_wait_line()
    _screen.has_output = _screen.has_output or is_terminal(sys.stdout)


def _get_wait_line() -> "WaitLine":
    from tokencli.terminal.wait_line import WaitLine

    _screen.line = _screen.line or WaitLine(_is_line_in_use, _note_line_erased)
    return _screen.line


def note_interrupt() -> None:
    """Begin a line before the next output if the terminal has echoed ^C."""
    with suppress(OSError, ValueError, AttributeError):
        if platforms.current().is_echo_off(sys.stderr.fileno()):
            return
    _screen.is_line_unfinished = True


def _note_line_erased() -> None:
    _screen.is_line_unfinished = False


def _is_line_in_use() -> bool:
    """Tell whether what a user types or what stdout shows may be on the cursor's line."""
    if _screen.has_output:
        return True
    return _screen.keyboard is not None and _screen.keyboard.has_unfinished_line


def write_stderr_line(text: str, limit: int = MAX_LINE_CHARS) -> None:
    """Write a sanitized line to stderr; a closed stderr is ignored."""
    if sys.stderr is None:  # closed: the line must not go to stdout instead
        return
    erase_wait_line()
    try:
        start = ""
        if is_terminal(sys.stderr):
            if _screen.is_line_unfinished:
                start = "\n"
            elif _get_wait_line().is_drawn_by_another():
                start = _ERASE_LINE
        _screen.is_line_unfinished = False
        sys.stderr.write(f"{start}tokencli: {_color_label(sanitize_text(text, limit))}\n")
        sys.stderr.flush()
    except OSError:
        _forget_unwritten()
    except (ValueError, AttributeError):
        return


def _forget_unwritten() -> None:
    """Open stderr anew without what it couldn't write, which would change the exit code to 120."""
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.fileno() == 2:
            sys.stderr = open(  # noqa: SIM115 - stays open
                2, "w", encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False
            )


def _color_label(line: str) -> str:
    """Color the label of an error or warning, if stderr is a terminal and colors are wanted."""
    label, colon, rest = line.partition(":")
    if label not in LABEL_STYLES or not is_capable_terminal(sys.stderr, os.environ):
        return line
    from tokencli.terminal.colors import is_color_wanted, style_text

    if not is_color_wanted(os.environ):
        return line
    return style_text(label + colon, LABEL_STYLES[label]) + rest


def _draw_qr_code(text: str) -> bool:
    """Draw a QR code if it fits and the terminal's encoding has block characters."""
    import segno  # start-up: only the device flow needs it

    drawing = io.StringIO()
    try:
        # Half of the border that the standard requires, which phones are fine with.
        segno.make_qr(text, error="l").terminal(drawing, border=2, compact=True)
        drawing.getvalue().encode(sys.stderr.encoding)
    except (segno.DataOverflowError, LookupError, UnicodeEncodeError):
        return False
    lines = drawing.getvalue().splitlines()
    if len(lines[0]) + 2 > shutil.get_terminal_size((80, 24)).columns:
        return False
    sys.stderr.write("".join(f"  {line}\n" for line in lines))
    sys.stderr.flush()
    return True


def is_user_present() -> bool:
    """Tell whether stdin and stderr are terminals."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def is_terminal(stream: object) -> bool:
    """Tell whether a stream is open and a terminal."""
    return platforms.current().is_terminal_stream(stream)


def is_capable_terminal(stream: object, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal that can move its cursor and interprets escape sequences."""
    platform = platforms.current()
    kind = environ.get("TERM", "").lower()
    if kind in ("dumb", "unknown") or (not kind and platform.needs_term):
        return False
    return is_terminal(stream) and platform.enable_escapes(stream.fileno())  # type: ignore[attr-defined]  # a terminal has it


def _read_terminal_modes() -> Any:
    """Return the modes of the terminal at stderr, or None if they are unknown."""
    with suppress(OSError, ValueError, AttributeError):
        return platforms.current().read_terminal_modes(sys.stderr.fileno())
    return None

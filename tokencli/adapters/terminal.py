"""The conversation with a person: questions and notes on stderr, answers from the terminal."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tokencli.errors import LoginNeeded
from tokencli.model import Secret
from tokencli.printable import printable

USUAL = 2048
"""Characters of a line, at most: it may quote what a server says."""
WHOLE = 64 * 1024
"""And of one that is of no use unless it is whole, such as the address of a page to open."""


class StderrTerminal:
    """Speak on stderr; ask only where somebody can answer, and never touch stdout."""

    def __init__(
        self, environ: Mapping[str, str], *, no_input: bool, quiet: bool, verbose: int
    ) -> None:
        self._environ = environ
        self._no_input = no_input
        self._quiet = quiet
        self._verbose = verbose
        self._warned: set[str] = set()
        self._status = False

    @property
    def interactive(self) -> bool:
        """Whether stdin and stderr are terminals, and neither `--no-input` nor CI says otherwise."""
        if self._no_input or self._environ.get("CI", "").lower() not in ("", "0", "false"):
            return False
        return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)

    def note(self, text: str, *, whole: bool = False) -> None:
        """Say something worth knowing; silent under `-q`, and cut where it is long and not `whole`."""
        if not self._quiet:
            self._say(text, WHOLE if whole else USUAL)

    def warn(self, text: str) -> None:
        """Say something that has to be known, once."""
        if text not in self._warned:
            self._warned.add(text)
            self._say(f"warning: {text}")

    def detail(self, text: str) -> None:
        """Say something for those who asked with `-v`."""
        if self._verbose:
            self._say(text)

    def ask(self, question: str, *, default: str | None = None, choices: Sequence[str] = ()) -> str:
        """Ask for a line; an empty answer is the default, and a choice is asked for until it fits."""
        self._require(question)
        offer = f" ({' | '.join(choices)})" if choices else ""
        usual = f" [{default}]" if default is not None else ""
        while True:
            answer = _read_line(f"{printable(question)}{printable(offer)}{printable(usual)}: ")
            answer = answer.strip() or (default or "")
            if answer and (not choices or answer in choices):
                return answer
            self._say("one of these, please" if choices else "an answer is needed; Ctrl-C leaves")

    def ask_secret(self, question: str) -> Secret:
        """Ask for a secret without showing it."""
        self._require(question)
        from tokencli.adapters.hidden import hidden_line

        try:
            sys.stderr.flush()
            return Secret(hidden_line(f"{printable(question)} (hidden): "))
        except EOFError:
            raise KeyboardInterrupt from None

    def confirm(self, question: str, *, default: bool) -> bool:
        """Ask yes or no."""
        self._require(question)
        while True:
            answer = _read_line(f"{printable(question)} [{'Y/n' if default else 'y/N'}]: ")
            match answer.strip().lower():
                case "":
                    return default
                case "y" | "yes":
                    return True
                case "n" | "no":
                    return False

    def show(self, text: str, *, qr: str | None = None) -> bool:
        """Say all of what a person has to see to go on, even under `-q`; draw `qr` as a code to scan
        and tell whether that could be."""
        self.status("")
        self._say(text, WHOLE)
        if qr is None or not _is_terminal(sys.stderr):
            return False
        from tokencli.adapters.qr import drawn

        return _draw(drawn(qr))

    def status(self, text: str) -> None:
        """Replace the line that says how things stand; only on a terminal, and not under `-q`."""
        if self._quiet or self._environ.get("TERM") == "dumb" or not _is_terminal(sys.stderr):
            return
        if text or self._status:
            width = max(shutil.get_terminal_size((80, 24)).columns - 1, 1)
            sys.stderr.write("\r\x1b[K" + (printable(f"tokencli: {text}", width) if text else ""))
            sys.stderr.flush()
        self._status = bool(text)

    @contextmanager
    def keyboard(self) -> Iterator[Callable[[float], str | None]]:
        """Hand out what returns a line typed within so many seconds, or None; lines of any length,
        and none where nobody can type."""
        if not self.interactive or sys.platform == "win32":  # no select() on a console there
            yield lambda _: None
            return
        from tokencli.adapters.keyboard import Keyboard

        with Keyboard(sys.stdin.fileno()) as keyboard:
            yield keyboard.typed

    def _require(self, question: str) -> None:
        if not self.interactive:
            raise LoginNeeded(
                f"{question!r} would have to be asked, but there is no terminal to ask at"
                " (or --no-input or CI forbids it)",
                hint="run the command in a terminal, without --no-input and CI",
            )

    def _say(self, text: str, limit: int = USUAL) -> None:
        self.status("")
        say(text, limit)


def say(text: str, limit: int = USUAL, *, anew: bool = False) -> None:
    """Write one line to stderr, made harmless; a stderr that is closed is no reason to fail."""
    if sys.stderr is None:  # closed: what is said must not end up on stdout
        return
    try:
        begin = "\n" if anew and _is_terminal(sys.stderr) else ""  # after the ^C of an interrupt
        sys.stderr.write(f"{begin}tokencli: {printable(text, limit)}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def _draw(picture: Sequence[str]) -> bool:
    """Draw lines of block characters, if they fit and the terminal's encoding has them."""
    text = "".join(f"  {line}\n" for line in picture)
    if not picture or len(picture[0]) + 2 > shutil.get_terminal_size((80, 24)).columns:
        return False
    try:
        text.encode(sys.stderr.encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    sys.stderr.write(text)
    sys.stderr.flush()
    return True


def _is_terminal(stream: object) -> bool:
    try:
        return os.isatty(stream.fileno())  # type: ignore[attr-defined]  # None has no fileno: caught
    except (AttributeError, OSError, ValueError):
        return False


def _read_line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:  # end of input at a question is a person leaving
        raise KeyboardInterrupt
    return line.rstrip("\n")

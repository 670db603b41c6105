"""The conversation with a person: questions and notes on stderr, answers from the terminal."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from tokencli.errors import LoginNeeded
from tokencli.model import Secret
from tokencli.printable import printable


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

    def note(self, text: str) -> None:
        """Say something worth knowing; silent under `-q`."""
        if not self._quiet:
            self._say(text)

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
        from getpass import getpass

        try:
            return Secret(getpass(f"{printable(question)} (hidden): ", stream=sys.stderr))
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

    def show(self, text: str, *, qr: str | None = None) -> None:
        """Say what a person has to see to go on, even under `-q`; draw `qr` as a code to scan."""
        self.status("")
        self._say(text)
        if qr is not None and _is_terminal(sys.stderr):
            from tokencli.adapters.qr import drawn

            _draw(drawn(qr))

    def status(self, text: str) -> None:
        """Replace the line that says how things stand; only on a terminal, and not under `-q`."""
        if self._quiet or self._environ.get("TERM") == "dumb" or not _is_terminal(sys.stderr):
            return
        if text or self._status:
            width = max(shutil.get_terminal_size((80, 24)).columns - 1, 1)
            sys.stderr.write("\r\x1b[K" + (printable(f"tokencli: {text}", width) if text else ""))
            sys.stderr.flush()
        self._status = bool(text)

    def typed(self, seconds: float) -> str | None:
        """Return a line that is typed within `seconds`, or None; never where nobody can type."""
        if not self.interactive or sys.platform == "win32":  # no select() on a console there
            return None
        import select

        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return _read_line("") if ready else None

    def _require(self, question: str) -> None:
        if not self.interactive:
            raise LoginNeeded(
                f"{question!r} would have to be asked, but there is no terminal to ask at"
                " (or --no-input or CI forbids it)",
                hint="give it as an option, or run the command in a terminal",
            )

    def _say(self, text: str) -> None:
        self.status("")
        say(text)


def say(text: str) -> None:
    """Write one line to stderr, made harmless; a stderr that is closed is no reason to fail."""
    if sys.stderr is None:  # closed: what is said must not end up on stdout
        return
    try:
        sys.stderr.write(f"tokencli: {printable(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def _draw(picture: Sequence[str]) -> None:
    """Draw lines of block characters, where they fit and the terminal's encoding has them."""
    text = "".join(f"  {line}\n" for line in picture)
    if len(picture[0] if picture else "") + 2 > shutil.get_terminal_size((80, 24)).columns:
        return
    try:
        text.encode(sys.stderr.encoding)
    except (LookupError, UnicodeEncodeError):
        return
    sys.stderr.write(text)
    sys.stderr.flush()


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

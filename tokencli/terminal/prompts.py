"""Prompts: what is asked, which answers are valid, and how they are asked for without a line editor."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokencli.errors import CredentialsError
from tokencli.protocols import Choice
from tokencli.sanitize import sanitize_text
from tokencli.secret_sources import normalize_secret

HELP_KEY = "?"
HELP_HINT = "? for help"
REQUIRED = "required (Ctrl-C to cancel)"
SHOWN_MASK = "*" * 8
"""Left on the screen for any secret, so that its length isn't."""
MAX_LISTED_MATCHES = 5
"""Number of matching labels that a message lists."""
_PASTE_MARKS = re.compile(r"\x1b\[20[01]~")
"""How some terminals enclose what is pasted, although nobody has asked them to."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to the user. The answer is what was typed, or the value of the chosen option."""

    question: str
    """Shown before the answer, e.g. `Host [localhost]`; sanitized."""
    check: Callable[[str], str | None]
    """Returns why an answer isn't valid, or None."""
    help: str | None = None
    """Shown for `?`, so that no answer can begin with it; if None, `?` is an answer like any other."""
    options: Sequence[Choice] = ()
    """The answers to choose from; any text if there are none."""
    default_option: int = 0
    """Index of the option that is selected at first."""
    is_secret: bool = False
    """Whether the answer is masked."""


def match_options(options: Sequence[Choice], typed: str) -> list[int]:
    """Return the indexes of the options that `typed` selects; all of them if it is empty.

    A whole value or label comes first, then the option's number, then a part of a value or label, and
    finally a part of a hint. Case doesn't matter.
    """
    text = typed.strip().casefold()
    folded = [
        (option.value.casefold(), option.label.casefold(), option.hint.casefold())
        for option in options
    ]
    whole = [index for index, (value, label, _) in enumerate(folded) if text in (value, label)]
    if whole:
        return whole
    if text.isdecimal() and 1 <= int(text[:9]) <= len(options):
        return [int(text) - 1]
    named = [i for i, (value, label, _) in enumerate(folded) if text in value or text in label]
    return named or [index for index, (_, _, hint) in enumerate(folded) if text in hint]


def check_option(options: Sequence[Choice], typed: str) -> str | None:
    """Return why `typed` doesn't select exactly one option, or None if it does."""
    matches = match_options(options, typed)
    if len(matches) == 1:
        return None
    if not typed.strip():
        return "enter a number, or a part of a name"
    if not matches:
        return f"no option contains {sanitize_text(typed.strip(), 40)!r}"
    labels = [options[index].label for index in matches[:MAX_LISTED_MATCHES]]
    more = len(matches) - len(labels)
    return f"more than one matches: {', '.join(labels)}" + (f" and {more} more" if more else "")


def check_secret(text: str, *, required: bool) -> str | None:
    """Return why the text can't be a secret, or None: e.g. an arrow key was pressed."""
    if not text:
        return REQUIRED if required else None
    try:
        normalize_secret(text, "the input")
    except CredentialsError as error:
        return f"{error.message}; type it again"
    return None


def list_options(options: Sequence[Choice]) -> list[str]:
    """Return a line for each option: number, label and hint."""
    width = max(len(option.label) for option in options)
    return [
        f"{number:>{len(str(len(options)))}}. {option.label:<{width}}  {option.hint}".rstrip()
        for number, option in enumerate(options, 1)
    ]


def ask_plainly(
    prompt: Prompt, read_line: Callable[[str, bool], str], print_line: Callable[[str], None]
) -> str:
    """Ask until the answer is valid, at a terminal that can only print lines.

    `read_line` shows a question and returns the line that is typed, masked if that is true.
    """
    for line in list_options(prompt.options) if prompt.options else ():
        print_line(line)
    question = prompt.question + (f" ({HELP_HINT})" if prompt.help else "")
    while True:
        answer = _PASTE_MARKS.sub("", read_line(f"{question}: ", prompt.is_secret))
        if prompt.help and answer.lstrip().startswith(HELP_KEY):
            print_line(prompt.help)
        elif reason := prompt.check(answer):
            print_line(reason)
        elif prompt.options:
            matches = match_options(prompt.options, answer) if answer.strip() else ()
            return prompt.options[matches[0] if matches else prompt.default_option].value
        else:
            return answer

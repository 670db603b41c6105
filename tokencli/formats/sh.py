"""POSIX shells: `eval "$(tokencli export)"`, and unquoted as people type it.

An unquoted `eval $(…)` splits the text at white space, expands `*`, `?` and `[`, and joins the words
with single spaces; zsh may replace `~name` and `=command` as well. So everything stands on one line,
each statement ends with `;`, there is no comment, single spaces are the only ones, and no word of a
value begins with what is replaced.
"""

import re
from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.value_checks import B64TOKEN_CHARACTERS, check_variables
from tokencli.formats.variable_names import check_variable_names

FAILURE_TEXT = "false\n"

_SAFE_CHARACTERS = B64TOKEN_CHARACTERS | frozenset(':,;@%&"')
"""What no shell changes in the words of an unquoted eval, whatever its options."""
_ZSH_EXPANSIONS = "(?<=[ =:])[~=]+"
"""What zsh may replace, where it begins a word, or follows an `=` or `:` in one."""


def render(variables: Variables) -> str:
    """Return `export NAME='value';` for each, on one line."""
    done = check_variables(variables, "a shell")
    return " ".join(f"export {name}={quote_value(value)};" for name, value in done) + "\n"


def quote_value(value: str) -> str:
    r"""Return the value in single quotes, where `'\''` stands for one.

    Among several words, what a shell could replace follows a quotation mark: `'Bearer '"~"'x'`.
    """
    quoted = "'" + value.replace("'", "'\\''") + "'"
    return re.sub(_ZSH_EXPANSIONS, _quote_separately, quoted) if " " in value else quoted


def _quote_separately(found: re.Match[str]) -> str:
    """Return each character in double quotes of its own, between two parts in single ones."""
    return "'" + "".join(f'"{char}"' for char in found.group()) + "'"


def render_unset(names: Sequence[str]) -> str:
    """Return `unset NAME;` for each, on one line."""
    return " ".join(f"unset {name};" for name in check_variable_names(names)) + "\n"


def unquoted_eval_warning(variables: Variables) -> str | None:
    """Name the values that an unquoted eval might change: shells and their options differ there."""
    fragile = [
        name
        for place, (name, value) in enumerate(variables)
        if _is_fragile(value, first=place == 0)
    ]
    if not fragile:
        return None
    return (
        'use the quoted form, eval "$(tokencli export …)": unquoted, a shell may change'
        f" {' and '.join(fragile)}"
    )


def _is_fragile(value: str, *, first: bool) -> bool:
    """Tell whether the value is more than a token (`first`), or than words of harmless characters."""
    if first:
        return not B64TOKEN_CHARACTERS.issuperset(value)
    return not (_SAFE_CHARACTERS | {" "}).issuperset(value)


DIALECT = Dialect(
    render, render_unset, failure_text=FAILURE_TEXT, find_warning=unquoted_eval_warning
)

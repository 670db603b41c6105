"""POSIX shells: `eval "$(tokencli export)"`, also without the quotes that people forget.

An unquoted `eval $(…)` splits the text at white space, expands `*`, `?` and `[`, and joins the words
with single spaces; zsh may also replace `~name` and `=command`. So all statements are on one line,
each ends with `;`, there are no comments and only single spaces, and no word of a value starts with
a character that is replaced.
"""

import re
from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import (
    B64TOKEN_CHARACTERS,
    check_variable_names,
    check_variables,
)

FAILURE_TEXT = "false\n"

_SAFE_CHARACTERS = B64TOKEN_CHARACTERS | frozenset(':,;@%&"')
"""Characters that no shell changes in an unquoted eval, whatever its options."""
_ZSH_EXPANSIONS = "(?<=[ =:])[~=]+"
"""Characters that zsh may replace at the start of a word, or after an `=` or `:` in one."""


def render(variables: Variables) -> str:
    """Return `export NAME='value';` for each variable, on one line."""
    checked = check_variables(variables, "a shell")
    return " ".join(f"export {name}={quote_value(value)};" for name, value in checked) + "\n"


def quote_value(value: str) -> str:
    r"""Return the value in single quotes; a single quote in it becomes `'\''`.

    If it has several words, characters that zsh could replace get their own quotes: `'Bearer '"~"'x'`.
    """
    quoted = "'" + value.replace("'", "'\\''") + "'"
    return re.sub(_ZSH_EXPANSIONS, _quote_separately, quoted) if " " in value else quoted


def _quote_separately(match: re.Match[str]) -> str:
    """End the single quotes, put each character into its own double quotes, and reopen them."""
    return "'" + "".join(f'"{char}"' for char in match.group()) + "'"


def render_unset(names: Sequence[str]) -> str:
    """Return `unset NAME;` for each variable, on one line."""
    return " ".join(f"unset {name};" for name in check_variable_names(names)) + "\n"


def unquoted_eval_warning(variables: Variables) -> str | None:
    """Return a warning that names the variables that an unquoted eval might change, or None."""
    fragile = [
        name
        for index, (name, value) in enumerate(variables)
        if _is_fragile(value, is_token=index == 0)
    ]
    if not fragile:
        return None
    return (
        'quote the command: eval "$(tokencli export …)"; without the quotes a shell may change'
        f" {' and '.join(fragile)}"
    )


def _is_fragile(value: str, *, is_token: bool) -> bool:
    """Tell whether the value has characters that an unquoted eval might change."""
    if is_token:
        return not B64TOKEN_CHARACTERS.issuperset(value)
    return not (_SAFE_CHARACTERS | {" "}).issuperset(value)


DIALECT = Dialect(
    render, render_unset, failure_text=FAILURE_TEXT, find_warning=unquoted_eval_warning
)

"""POSIX shells: `eval "$(tokencli export)"`, and unquoted as people type it.

An unquoted `eval $(…)` splits the text at white space, expands `*`, `?` and `[`, and joins the words
with single spaces. So everything stands on one line, each statement ends with `;`, there is no
comment, and single spaces are the only ones.
"""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.names import checked_names
from tokencli.formats.values import B64TOKEN, checked

FAILURE = "false\n"

_HARMLESS = B64TOKEN | {":", ","}


def render(variables: Variables) -> str:
    """Return `export NAME='value';` for each, on one line."""
    done = checked(variables, "a shell")
    return " ".join(f"export {name}={quote(value)};" for name, value in done) + "\n"


def quote(value: str) -> str:
    r"""Return the value in single quotes, where `'\''` stands for one."""
    return "'" + value.replace("'", "'\\''") + "'"


def unset(names: Sequence[str]) -> str:
    """Return `unset NAME;` for each, on one line."""
    return " ".join(f"unset {name};" for name in checked_names(names)) + "\n"


def caution(variables: Variables) -> str | None:
    """Name the values that an unquoted eval might change: shells and their options differ there."""
    fragile = [
        name for place, (name, value) in enumerate(variables) if _fragile(value, first=place == 0)
    ]
    if not fragile:
        return None
    return (
        'use the quoted form, eval "$(tokencli export …)": unquoted, a shell may change'
        f" {' and '.join(fragile)}"
    )


def _fragile(value: str, *, first: bool) -> bool:
    """Tell whether the value is more than a token (`first`), or than words that start harmlessly."""
    if first:
        return not B64TOKEN.issuperset(value)
    words = value.split(" ")
    return any(
        not _HARMLESS.issuperset(word) or (place > 0 and word[:1] in "~=")
        for place, word in enumerate(words)
    )


DIALECT = Dialect(render, unset, failure=FAILURE, caution=caution)

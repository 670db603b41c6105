r"""fish: `tokencli export --shell fish | source`. In '…' a `\` escapes only itself and `'`."""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variable_names, check_variables

FAILURE_TEXT = "false\n"


def render(variables: Variables) -> str:
    """Return `set -gx NAME 'value';` for each variable, on one line."""
    checked = check_variables(variables, "fish")
    return " ".join(f"set -gx {name} {quote_value(value)};" for name, value in checked) + "\n"


def quote_value(value: str) -> str:
    """Return the value in single quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def render_unset(names: Sequence[str]) -> str:
    """Return `set -e NAME;` for each variable, on one line."""
    return " ".join(f"set -e {name};" for name in check_variable_names(names)) + "\n"


DIALECT = Dialect(render, render_unset, failure_text=FAILURE_TEXT)

"""PowerShell: `tokencli export --shell powershell | Invoke-Expression`."""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variable_names, check_variables

FAILURE_TEXT = "throw 'tokencli export failed';\n"
SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
"""Any of these ends a single-quoted string in PowerShell; doubled, it stands for itself."""


def render(variables: Variables) -> str:
    """Return `$env:NAME = 'value';` for each variable, on one line."""
    checked = check_variables(variables, "PowerShell")
    return " ".join(f"$env:{name} = {quote_value(value)};" for name, value in checked) + "\n"


def quote_value(value: str) -> str:
    """Return the value in single quotes, inside which nothing is expanded."""
    return "'" + "".join(mark * 2 if mark in SINGLE_QUOTES else mark for mark in value) + "'"


def render_unset(names: Sequence[str]) -> str:
    """Return `$env:NAME = $null;` for each variable, on one line."""
    return " ".join(f"$env:{name} = $null;" for name in check_variable_names(names)) + "\n"


DIALECT = Dialect(render, render_unset, failure_text=FAILURE_TEXT)

"""PowerShell: `tokencli export --shell powershell | Invoke-Expression`."""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.names import checked_names
from tokencli.formats.values import checked

FAILURE = "throw 'tokencli export failed';\n"
QUOTES = "'\u2018\u2019\u201a\u201b"
"""PowerShell ends a single-quoted string at any of these; doubled, each stands for itself."""


def render(variables: Variables) -> str:
    """Return `$env:NAME = 'value';` for each, on one line."""
    done = checked(variables, "PowerShell")
    return " ".join(f"$env:{name} = {quote(value)};" for name, value in done) + "\n"


def quote(value: str) -> str:
    """Return the value in single quotes, which expand nothing."""
    return "'" + "".join(mark * 2 if mark in QUOTES else mark for mark in value) + "'"


def unset(names: Sequence[str]) -> str:
    """Return `$env:NAME = $null;` for each, on one line."""
    return " ".join(f"$env:{name} = $null;" for name in checked_names(names)) + "\n"


DIALECT = Dialect(render, unset, failure=FAILURE)

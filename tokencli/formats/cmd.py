"""cmd.exe: `for /f "delims=" %i in ('tokencli export --shell cmd') do @call %i`.

cmd has no reliable quoting, so values with its special characters are refused.
"""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variable_names, check_variables

FAILURE_TEXT = "cmd /c exit 1\n"  # sets errorlevel; `exit /b 1` would close an interactive window
FORBIDDEN_CHARACTERS = '%!"^&|<>'


def render(variables: Variables) -> str:
    """Return `set "NAME=value"`, one per line."""
    return "".join(
        f'set "{name}={value}"\n'
        for name, value in check_variables(variables, "cmd", FORBIDDEN_CHARACTERS)
    )


def render_unset(names: Sequence[str]) -> str:
    """Return `set "NAME="`, one per line."""
    return "".join(f'set "{name}="\n' for name in check_variable_names(names))


DIALECT = Dialect(render, render_unset, failure_text=FAILURE_TEXT)

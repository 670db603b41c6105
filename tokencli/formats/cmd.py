"""cmd.exe: `for /f "delims=" %i in ('tokencli export --shell cmd') do @%i`.

cmd has no quoting that holds, so whatever it could take for more than text is refused.
"""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.names import checked_names
from tokencli.formats.values import checked

FAILURE = "cmd /c exit 1\n"  # sets errorlevel; `exit /b 1` would close an interactive window
REFUSED = '%!"^&|<>'


def render(variables: Variables) -> str:
    """Return `set "NAME=value"`, a line each."""
    return "".join(f'set "{name}={value}"\n' for name, value in checked(variables, "cmd", REFUSED))


def unset(names: Sequence[str]) -> str:
    """Return `set "NAME="`, a line each."""
    return "".join(f'set "{name}="\n' for name in checked_names(names))


DIALECT = Dialect(render, unset, failure=FAILURE)

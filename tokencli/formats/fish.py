r"""fish: `tokencli export --shell fish | source`. Inside '…', `\` escapes itself and `'`, nothing else."""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.names import checked_names
from tokencli.formats.values import checked

FAILURE = "false\n"


def render(variables: Variables) -> str:
    """Return `set -gx NAME 'value';` for each, on one line."""
    done = checked(variables, "fish")
    return " ".join(f"set -gx {name} {quote(value)};" for name, value in done) + "\n"


def quote(value: str) -> str:
    """Return the value in single quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def unset(names: Sequence[str]) -> str:
    """Return `set -e NAME;` for each, on one line."""
    return " ".join(f"set -e {name};" for name in checked_names(names)) + "\n"


DIALECT = Dialect(render, unset, failure=FAILURE)

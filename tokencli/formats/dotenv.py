r"""A .env file; its readers treat escapes and `$` differently even inside '…', so both are refused."""

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables

FORBIDDEN_CHARACTERS = "'\\$`"


def render(variables: Variables) -> str:
    """Return `NAME='value'`, one per line."""
    return "".join(
        f"{name}='{value}'\n"
        for name, value in check_variables(variables, "dotenv", FORBIDDEN_CHARACTERS)
    )


DIALECT = Dialect(render)

r"""A .env file. Its readers differ on escapes and on `$` even inside '…', so these are refused."""

from tokencli.formats import Dialect, Variables
from tokencli.formats.value_checks import check_variables

FORBIDDEN_CHARACTERS = "'\\$`"


def render(variables: Variables) -> str:
    """Return `NAME='value'`, a line each."""
    return "".join(
        f"{name}='{value}'\n"
        for name, value in check_variables(variables, "dotenv", FORBIDDEN_CHARACTERS)
    )


DIALECT = Dialect(render)

r"""A .env file. Its readers differ on escapes and on `$` even inside '…', so these are refused."""

from tokencli.formats import Dialect, Variables
from tokencli.formats.values import checked

REFUSED = "'\\$`"


def render(variables: Variables) -> str:
    """Return `NAME='value'`, a line each."""
    return "".join(f"{name}='{value}'\n" for name, value in checked(variables, "dotenv", REFUSED))


DIALECT = Dialect(render)

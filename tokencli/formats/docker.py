"""`docker run --env-file`: the value is everything after `=`, without quotes."""

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables


def render(variables: Variables) -> str:
    """Return `NAME=value`, one per line."""
    return "".join(f"{name}={value}\n" for name, value in check_variables(variables, "docker"))


DIALECT = Dialect(render)

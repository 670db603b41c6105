"""A Bruno environment: `bru run --env-file token.bru`."""

from tokencli.formats import Dialect, Variables
from tokencli.formats.postman import TEMPLATE_CHARACTERS
from tokencli.formats.variable_checks import check_variables


def render(variables: Variables) -> str:
    """Return a block `vars`; a value reaches from the colon to the end of its line."""
    lines = [
        f"  {name}: {value}\n".replace(": \n", ":\n")
        for name, value in check_variables(variables, "bruno", TEMPLATE_CHARACTERS + "'")
    ]
    return f"vars {{\n{''.join(lines)}}}\n"


DIALECT = Dialect(render)

"""Private variables of the HTTP clients that run `.http` files: `http-client.private.env.json`."""

import json

from tokencli.formats import Dialect, Variables
from tokencli.formats.postman import TEMPLATE_CHARACTERS
from tokencli.formats.variable_checks import check_variables

ENVIRONMENT = "tokencli"
"""The environment that is chosen with `--env`, or from the list of an editor."""


def render(variables: Variables) -> str:
    """Return an object with one environment."""
    checked = check_variables(variables, "http_client", TEMPLATE_CHARACTERS)
    return json.dumps({ENVIRONMENT: dict(checked)}, ensure_ascii=True, indent=2) + "\n"


DIALECT = Dialect(render)

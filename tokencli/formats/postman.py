"""A Postman environment, which newman reads as well: `newman run … --environment token.json`."""

import json

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables

TEMPLATE_CHARACTERS = "{}"
"""Postman, Bruno and HTTP clients replace `{{NAME}}` in the values of variables as well."""


def render(variables: Variables) -> str:
    """Return an environment whose variables are of the type `secret`, which Postman masks."""
    environment = {
        "name": "tokencli",
        "values": [
            {"key": name, "value": value, "type": "secret", "enabled": True}
            for name, value in check_variables(variables, "postman", TEMPLATE_CHARACTERS)
        ],
        "_postman_variable_scope": "environment",
    }
    return json.dumps(environment, ensure_ascii=True, indent=2) + "\n"


DIALECT = Dialect(render)

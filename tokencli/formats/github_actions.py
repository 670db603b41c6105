"""GitHub Actions: blocks for $GITHUB_ENV, and the command that masks a value in the log.

With a fixed delimiter a value could end its own block (CVE-2020-15228), so it has 128 random bits.
"""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables


def render(variables: Variables) -> str:
    """Return one block per variable, with a random delimiter."""
    checked = check_variables(variables, "GitHub Actions")
    delimiter = _random_delimiter([value for _, value in checked])
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in checked)


def mask_command(value: str) -> str:
    """Return the workflow command that masks `value` in the log; `%` is its escape character."""
    return "".join(f"::add-mask::{line.replace('%', '%25')}\n" for line in value.splitlines())


def _random_delimiter(values: Sequence[str]) -> str:
    from secrets import token_hex

    while True:
        delimiter = f"end_{token_hex(16)}"
        if not any(delimiter in value for value in values):
            return delimiter


DIALECT = Dialect(render)

"""GitHub Actions: blocks for $GITHUB_ENV, and the command that masks a value in the log.

A fixed delimiter lets a value end its own block (CVE-2020-15228), so it is 128 random bits.
"""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.value_checks import check_variables


def render(variables: Variables) -> str:
    """Return a block with a random delimiter for each variable."""
    done = check_variables(variables, "GitHub Actions")
    delimiter = _random_delimiter([value for _, value in done])
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in done)


def mask_command(value: str) -> str:
    """Return the workflow command that keeps `value` out of the log; `%` is its escape character."""
    return "".join(f"::add-mask::{line.replace('%', '%25')}\n" for line in value.splitlines())


def _random_delimiter(values: Sequence[str]) -> str:
    from secrets import token_hex

    while True:
        found = f"end_{token_hex(16)}"
        if not any(found in value for value in values):
            return found


DIALECT = Dialect(render)

"""GitHub Actions: blocks for $GITHUB_ENV, and the command that masks a value in the log.

A fixed delimiter lets a value end its own block (CVE-2020-15228), so it is 128 random bits.
"""

from collections.abc import Sequence

from tokencli.formats import Dialect, Variables
from tokencli.formats.values import checked


def render(variables: Variables) -> str:
    """Return a block with a random delimiter for each variable."""
    done = checked(variables, "GitHub Actions")
    delimiter = _delimiter([value for _, value in done])
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in done)


def mask(value: str) -> str:
    """Return the workflow command that keeps `value` out of the log; `%` is its escape character."""
    return "".join(f"::add-mask::{line.replace('%', '%25')}\n" for line in value.splitlines())


def _delimiter(values: Sequence[str]) -> str:
    from secrets import token_hex

    while True:
        found = f"end_{token_hex(16)}"
        if not any(found in value for value in values):
            return found


DIALECT = Dialect(render)

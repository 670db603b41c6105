"""A dotenv report of GitLab CI (`artifacts:reports:dotenv`).

GitLab's documentation allows no quotes, spaces, comments and empty lines, and limits the file's size
and the number of variables.
"""

from tokencli.errors import ReplyError
from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables

MAX_BYTES = 5 * 1024
MAX_VARIABLES = 50
"""The limit of GitLab Free; paid plans allow more."""


def render(variables: Variables) -> str:
    """Return `NAME=value`, one per line."""
    checked = check_variables(variables, "GitLab")
    for name, value in checked:
        if " " in value:
            raise ReplyError(
                f"the value of {name} contains a space, so it can't be written safely for GitLab",
                cause="a dotenv report can't have spaces; without --all-vars only the token is written",
            )
    text = "".join(f"{name}={value}\n" for name, value in checked)
    if len(text) > MAX_BYTES:
        raise ReplyError(
            f"GitLab can't take this token: its dotenv report would have {len(text)} bytes",
            cause=f"GitLab accepts at most {MAX_BYTES} bytes; get the token in the job that needs it",
        )
    if len(checked) > MAX_VARIABLES:
        raise ReplyError(
            f"GitLab can't take {len(checked)} variables",
            cause=f"GitLab accepts at most {MAX_VARIABLES}; without --all-vars only the token is written",
        )
    return text


DIALECT = Dialect(render)

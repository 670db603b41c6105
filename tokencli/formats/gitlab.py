"""A dotenv report of GitLab CI (`artifacts:reports:dotenv`).

GitLab splits each line at the first `=` and strips both sides; a value is not quoted and may contain
spaces. The runner expands `$NAME` in the values of such variables, so `$` is refused.
"""

from tokencli.errors import ReplyError
from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables

MAX_BYTES = 5 * 1024 - 1
MAX_VARIABLES = 20
"""What every GitLab accepts by default; plans of GitLab.com allow 50 and more."""


def render(variables: Variables) -> str:
    """Return `NAME=value`, one per line; raises ReplyError if GitLab doesn't accept so long a report."""
    checked = check_variables(variables, "GitLab", "$")
    text = "".join(f"{name}={value}\n" for name, value in checked)
    if len(text) > MAX_BYTES:
        raise ReplyError(
            f"GitLab can't take this token: its dotenv report would have {len(text)} bytes",
            cause="GitLab accepts less than 5 KB; get the token in the job that needs it",
        )
    return text


def find_warning(variables: Variables) -> str | None:
    """Warn about more variables than GitLab may accept; the limit depends on the plan and the server."""
    if len(variables) <= MAX_VARIABLES:
        return None
    return f"this dotenv report has {len(variables)} variables, and GitLab may accept only {MAX_VARIABLES}"


DIALECT = Dialect(render, find_warning=find_warning)

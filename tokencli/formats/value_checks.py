"""Which values may be written: what every dialect refuses, and how it says so."""

from tokencli.errors import ReplyError
from tokencli.formats import Variables
from tokencli.formats.variable_names import check_variable_name

B64TOKEN_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
)
"""The characters of a bearer token (RFC 6750 section 2.1); each is itself in every dialect."""


def check_variables(variables: Variables, dialect: str, refused: str = "") -> Variables:
    """Return the variables, or raise for a name or value that `dialect` can't take safely.

    A value is visible ASCII with single spaces inside, and without the characters in `refused`.

    Raises:
        UsageError: a name. ReplyError: a value.
    """
    for name, value in variables:
        check_variable_name(name)
        reason = _rejection_reason(value, refused)
        if reason is not None:
            raise ReplyError(
                f"the value for {name} {reason}, which can't be written safely for {dialect};"
                " the server that issued the token, or the profile, chose it",
                fix="tokencli get --format json, and a program that reads JSON",
            )
    return variables


def require_one_word(value: str, what: str) -> None:
    """Raise ReplyError unless `value` is visible ASCII without a space."""
    reason = "holds a space" if " " in value else None if value else "is empty"
    reason = reason or _rejection_reason(value, "")
    if reason is not None:
        raise ReplyError(
            f"the {what} {reason}, which no header can carry; the server that issued it chose it",
            fix="tokencli inspect",
        )


def _rejection_reason(value: str, refused: str) -> str | None:
    if not value.isascii():
        return "holds a character outside ASCII"
    if not value.isprintable():
        return "holds a control character or a line break"
    if value != " ".join(value.split()):
        return "begins, ends or is spread with spaces"
    found = sorted(set(value) & set(refused))
    return f"holds {' '.join(found)}" if found else None

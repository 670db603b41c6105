"""Check that a value can be written safely: the rules that all formats share."""

from tokencli.errors import ReplyError
from tokencli.fastpath.reader import B64TOKEN_CHARACTERS as _B64TOKEN_TEXT
from tokencli.formats import Variables
from tokencli.formats.variable_names import check_variable_name

B64TOKEN_CHARACTERS = frozenset(_B64TOKEN_TEXT)
"""The characters of a bearer token (RFC 6750 section 2.1); no dialect has to escape them."""


def check_variables(variables: Variables, dialect: str, refused: str = "") -> Variables:
    """Return the variables, or raise for a name or value that `dialect` can't represent safely.

    A value is printable ASCII with only single spaces inside, and without the characters in `refused`.

    Raises:
        UsageError: a name is not allowed. ReplyError: a value can't be written.
    """
    for name, value in variables:
        check_variable_name(name)
        reason = _rejection_reason(value, refused)
        if reason is not None:
            raise ReplyError(
                f"the value of {name} {reason}, so it can't be written safely for {dialect}",
                cause="the value comes from the server's reply or from the profile",
                fix="tokencli get --format json",
            )
    return variables


def require_one_word(value: str, what: str) -> None:
    """Raise ReplyError unless `value` is printable ASCII without a space."""
    reason = "contains a space" if " " in value else None if value else "is empty"
    reason = reason or _rejection_reason(value, "")
    if reason is not None:
        raise ReplyError(
            f"the {what} {reason}, so it can't be sent in a header",
            cause="the server issued it like this",
            fix="tokencli get --format json",
        )


def _rejection_reason(value: str, refused: str) -> str | None:
    if not value.isascii():
        return "contains a character outside ASCII"
    if not value.isprintable():
        return "contains a control character or a line break"
    if value != " ".join(value.split()):
        return "has spaces at its start or end, or several in a row"
    forbidden = sorted(set(value) & set(refused))
    return f"contains {' '.join(forbidden)}" if forbidden else None

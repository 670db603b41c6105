"""Turn a token into variables for a shell or another consumer."""

from math import floor

from tokencli.actions.get import Obtained, get
from tokencli.errors import UsageError
from tokencli.formats import dialect
from tokencli.formats.names import check_variable
from tokencli.formats.values import require_one_word
from tokencli.frozen import dataclass
from tokencli.model import Profile, TokenSet
from tokencli.ports import Edges

SUFFIXES = ("_TYPE", "_EXPIRES_AT", "_SCOPE")
"""What `--all-vars` adds to the token's variable, in order."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What is to be printed, and the token that it is about."""

    text: str
    obtained: Obtained


def export(
    profile: Profile,
    edges: Edges,
    *,
    to: str,
    variable: str | None = None,
    all_variables: bool = False,
    min_ttl: float | None = None,
    force: bool = False,
) -> Exported:
    """Get a token as `get` does and write it for the dialect `to`, into `variable`.

    Whatever the command line has wrong is found before anything is sent.

    Raises:
        UsageError: the dialect or the variable. ReplyError: the token can't be written safely.
        TokencliError: whatever `get` raises.
    """
    way = dialect(to)
    names(profile, variable, all_variables=all_variables)
    obtained = get(profile, edges, min_ttl=min_ttl, force=force)
    variables = variables_of(obtained.token, variable or profile.export)
    if not all_variables:
        variables = variables[:1]
    text = way.render(variables)
    warning = way.caution(variables) if way.caution else None
    if warning is not None:
        edges.terminal.warn(warning)
    return Exported(text, obtained)


def unset(profile: Profile, *, to: str, variable: str | None, all_variables: bool) -> str:
    """Return what unsets the variables; nothing is fetched. Raises UsageError."""
    way = dialect(to)
    if way.unset is None:
        raise UsageError(
            f"{to} is data, and data unsets nothing: --unset goes with a shell",
            hint="tokencli export --unset --shell sh",
        )
    return way.unset(names(profile, variable, all_variables=all_variables))


def names(profile: Profile, variable: str | None, *, all_variables: bool) -> list[str]:
    """Return the variables that would be set, the token's own first; raises UsageError."""
    name = variable or profile.export
    found = [name, *(name + suffix for suffix in SUFFIXES)] if all_variables else [name]
    for each in found:
        check_variable(each)
    return found


def variables_of(token: TokenSet, name: str) -> list[tuple[str, str]]:
    """Return the token, its type, its end in epoch seconds and its scope as variables.

    What is not known is empty rather than missing, so that no older value stays in its place.

    Raises:
        ReplyError: the token is no single word of visible ASCII.
    """
    value = token.access_token.reveal()
    require_one_word(value, "token")
    ends = "" if token.expires_at is None else str(floor(token.expires_at))
    values = (token.token_type, ends, " ".join((token.scope or "").split()))
    return [
        (name, value),
        *((name + suffix, v) for suffix, v in zip(SUFFIXES, values, strict=True)),
    ]

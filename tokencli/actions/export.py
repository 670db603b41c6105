"""Turn a token into variables for a shell or another consumer."""

from collections.abc import Sequence

from tokencli.actions.get import Obtained, get
from tokencli.actions.use import beside
from tokencli.actions.variables import every_name, everything, likely_names, token_alone
from tokencli.errors import UsageError
from tokencli.formats import dialect
from tokencli.formats.names import check_variable
from tokencli.frozen import dataclass
from tokencli.model import Profile, Secret
from tokencli.ports import Edges


@dataclass(frozen=True, slots=True)
class Exported:
    """What is to be printed, and the token that it is about."""

    text: str
    obtained: Obtained
    secrets: tuple[Secret, ...]
    """What in it nobody may read, as it is written there."""


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
    token, name = obtained.token, variable or profile.export
    held = (
        everything(profile, token, name, edges.clock.now(), lambda: beside(profile, edges))
        if all_variables
        else token_alone(token, name)
    )
    text = way.render(held.variables)
    warning = way.caution(held.variables) if way.caution else None
    for remark in (*held.remarks, *([] if warning is None else [warning])):
        edges.terminal.warn(remark)
    return Exported(text, obtained, held.secrets)


def unset(profile: Profile, *, to: str, variable: str | None, all_variables: bool) -> str:
    """Return what unsets the variables; nothing is fetched. Raises UsageError."""
    return unsetting(names(profile, variable, all_variables=all_variables), to=to)


def unset_by_name(variable: str, *, to: str, all_variables: bool) -> str:
    """Return what unsets the variables as far as they follow from the name. Raises UsageError."""
    return unsetting(likely_names(variable) if all_variables else [variable], to=to)


def unsetting(variables: Sequence[str], *, to: str) -> str:
    """Return what unsets these variables in a shell. Raises UsageError."""
    way = dialect(to)
    if way.unset is None:
        raise UsageError(
            f"{to} is data, and data unsets nothing: --unset goes with a shell",
            hint="tokencli export --unset --shell sh",
        )
    for each in variables:
        check_variable(each)
    return way.unset(variables)


def names(profile: Profile, variable: str | None, *, all_variables: bool) -> list[str]:
    """Return the variables that would be set, the token's own first; raises UsageError."""
    name = variable or profile.export
    found = every_name(profile, name) if all_variables else [name]
    for each in found:
        check_variable(each)
    return found

"""Turn a token into variables for a shell or another consumer."""

from collections.abc import Sequence

from tokencli.core.export_variables import (
    build_all_variables,
    build_token_variable,
    list_all_variables,
    list_likely_variables,
)
from tokencli.core.get_token import TokenResult, get_token
from tokencli.core.usage_secrets import resolve_usage_secrets
from tokencli.errors import UsageError
from tokencli.fast_dataclass import dataclass
from tokencli.formats import load_dialect
from tokencli.formats.variable_names import check_variable_name
from tokencli.models import Profile, Secret
from tokencli.protocols import Context


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What is to be printed, and the token that it is about."""

    text: str
    token_result: TokenResult
    secrets: tuple[Secret, ...]
    """What in it nobody may read, as it is written there."""


def export_token(
    profile: Profile,
    ctx: Context,
    *,
    to: str,
    variable: str | None = None,
    all_variables: bool = False,
    min_ttl: float | None = None,
    force: bool = False,
) -> ExportResult:
    """Get a token as `get` does and write it for the dialect `to`, into `variable`.

    Whatever the command line has wrong is found before anything is sent.

    Raises:
        UsageError: the dialect or the variable. ReplyError: the token can't be written safely.
        TokencliError: whatever `get` raises.
    """
    way = load_dialect(to)
    list_export_variables(profile, variable, all_variables=all_variables)
    obtained = get_token(profile, ctx, min_ttl=min_ttl, force=force)
    token, name = obtained.token, variable or profile.export
    held = (
        build_all_variables(
            profile, token, name, ctx.clock.now(), lambda: resolve_usage_secrets(profile, ctx)
        )
        if all_variables
        else build_token_variable(token, name)
    )
    text = way.render(held.variables)
    warning = way.find_warning(held.variables) if way.find_warning else None
    for remark in (*held.remarks, *([] if warning is None else [warning])):
        ctx.terminal.print_warning(remark)
    return ExportResult(text, obtained, held.secrets)


def unset_profile_variables(
    profile: Profile, *, to: str, variable: str | None, all_variables: bool
) -> str:
    """Return what unsets the variables; nothing is fetched. Raises UsageError."""
    return render_unset(
        list_export_variables(profile, variable, all_variables=all_variables), to=to
    )


def unset_named_variables(variable: str, *, to: str, all_variables: bool) -> str:
    """Return what unsets the variables as far as they follow from the name. Raises UsageError."""
    return render_unset(list_likely_variables(variable) if all_variables else [variable], to=to)


def render_unset(variables: Sequence[str], *, to: str) -> str:
    """Return what unsets these variables in a shell. Raises UsageError."""
    way = load_dialect(to)
    if way.render_unset is None:
        raise UsageError(
            f"{to} is data, and data unsets nothing: --unset goes with a shell",
            fix="tokencli export --unset --shell sh",
        )
    for each in variables:
        check_variable_name(each)
    return way.render_unset(variables)


def list_export_variables(
    profile: Profile, variable: str | None, *, all_variables: bool
) -> list[str]:
    """Return the variables that would be set, the token's own first; raises UsageError."""
    name = variable or profile.export
    found = list_all_variables(profile, name) if all_variables else [name]
    for each in found:
        check_variable_name(each)
    return found

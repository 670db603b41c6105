"""Export a token: render shell variables, or data for another consumer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from math import floor

from tokencli.core.get_token import TokenResult, get_token
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.errors import UsageError
from tokencli.fast_dataclass import dataclass
from tokencli.formats import load_dialect
from tokencli.formats.value_checks import require_one_word
from tokencli.formats.variable_names import check_variable_name
from tokencli.models import Profile, Secret, TokenSet
from tokencli.protocols import Context

VARIABLE_SUFFIXES = ("_TYPE", "_EXPIRES_AT", "_SCOPE")
"""What `--all-vars` adds to the token's variable for every profile, in order."""
_RESERVED_NAMES = ("type", "expires_at", "scope", "header", "query")
_RESERVED_PREFIXES = ("header_", "output_")
"""Names and beginnings of names that other variables have; an output `type` is NAME_OUTPUT_TYPE."""


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


@dataclass(frozen=True, slots=True)
class ExportVariables:
    """Variables with their values, and what has to be known about them."""

    variables: list[tuple[str, str]]
    """Names and values in order; the token's own comes first."""
    secrets: tuple[Secret, ...]
    """What nobody may read in them, as it is written there."""
    remarks: list[str] = field(default_factory=list)
    """What somebody who counts on them should be told."""


def list_all_variables(profile: Profile, name: str) -> list[str]:
    """Return the variables that `--all-vars` sets; the profile alone decides which these are."""
    return [
        name,
        *(name + suffix for suffix in VARIABLE_SUFFIXES),
        *(_output_variable(name, output) for output in profile.provider.output_names),
        *(each for each, _ in _usage_variables(profile, name)),
    ]


def list_likely_variables(name: str) -> list[str]:
    """Return the variables that `--all-vars` sets whatever the profile, or for most of them."""
    return [
        name,
        *(name + suffix for suffix in VARIABLE_SUFFIXES),
        f"{name}_HEADER",
        f"{name}_QUERY",
    ]


def build_token_variable(token: TokenSet, name: str) -> ExportVariables:
    """Return the token as the one variable.

    Raises:
        ReplyError: the token is no single word of visible ASCII.
    """
    value = token.access_token.reveal()
    require_one_word(value, "token")
    return ExportVariables([(name, value)], (token.access_token,))


def build_all_variables(
    profile: Profile,
    token: TokenSet,
    name: str,
    now: float,
    beside: Callable[[], dict[str, Secret]],
) -> ExportVariables:
    """Return the token, its type, end (epoch seconds) and scope, its outputs and what carries it.

    What is not known is empty rather than missing, so that no older value stays in its place.
    `beside` brings the profile's secrets that go with the token; it is asked if there are any.

    Raises:
        ReplyError: a value can't stand in a header. ConfigError: the profile lacks one.
        TokencliError: whatever `beside` raises.
    """
    held = build_token_variable(token, name)
    ends = "" if token.expires_at is None else str(floor(token.expires_at))
    values = (token.token_type, ends, " ".join((token.scope or "").split()))
    held.variables.extend(
        (name + end, value) for end, value in zip(VARIABLE_SUFFIXES, values, strict=True)
    )
    secrets = [*held.secrets]
    for output in profile.provider.output_names:
        secret = token.outputs.get(output, Secret(""))
        held.variables.append((_output_variable(name, output), secret.reveal()))
        secrets.append(secret)
    used = (
        _build_usage_parts(profile, token, now, beside)
        if profile.provider.use
        else _bearer_header(profile, token)
    )
    for variable, places in _usage_variables(profile, name):
        pieces = [used[place] for place in places]
        held.variables.append((variable, "&".join(piece.text for piece in pieces if piece.text)))
        secrets += (secret for piece in pieces for secret in piece.secrets)
        held.remarks.extend(
            f"{variable} lacks the {piece.label}: the server's reply did not bring {piece.missing_outputs}"
            for piece in pieces
            if piece.missing_outputs
        )
    shown = dict.fromkeys(secret for secret in secrets if secret)
    return ExportVariables(held.variables, tuple(shown), held.remarks)


@dataclass(frozen=True, slots=True)
class _HeaderOrQuery:
    """A header line or a query parameter; empty where it is left out."""

    text: str
    secrets: tuple[Secret, ...] = ()
    label: str = ""
    missing_outputs: str = ""


def _output_variable(name: str, output: str) -> str:
    taken = output in _RESERVED_NAMES or output.startswith(_RESERVED_PREFIXES)
    return f"{name}_{'OUTPUT_' if taken else ''}{output.upper()}"


def _usage_variables(profile: Profile, name: str) -> Iterator[tuple[str, list[int]]]:
    """Yield the variables for what carries the token, each with its places among the lines of `use`.

    A header has one of its own, whose number is its place among the headers, so that it stays the
    same where an optional one before it is left out. All parameters of a query are in one.
    """
    lines = profile.provider.use or ("Authorization",)
    query = [place for place, line in enumerate(lines) if line.startswith("?")]
    headers = [place for place in range(len(lines)) if place not in query]
    for number, place in enumerate(headers, 1):
        yield f"{name}_HEADER" if number == 1 else f"{name}_HEADER_{number}", [place]
    if query:
        yield f"{name}_QUERY", query


def _bearer_header(profile: Profile, token: TokenSet) -> list[_HeaderOrQuery]:
    """Return the one header that carries a token by default; none carries what is no access token."""
    from tokencli.formats import header
    from tokencli.oauth.grants.token_exchange import TOKEN_TYPE_NOT_APPLICABLE

    if token.token_type.lower() == TOKEN_TYPE_NOT_APPLICABLE:
        return [_HeaderOrQuery("")]
    line = header.render(profile.name, token, token.obtained_at).rstrip("\n")
    return [_HeaderOrQuery(line, (Secret(line.partition(": ")[2]),))]


def _build_usage_parts(
    profile: Profile, token: TokenSet, now: float, beside: Callable[[], dict[str, Secret]]
) -> list[_HeaderOrQuery]:
    """Return what carries the token by the provider's `use`, a piece for each line of it."""
    from tokencli.oauth.token_usage import fill_usage_lines, missing_value_error

    outputs, pieces = profile.provider.output_names, []
    for carrier in fill_usage_lines(profile, token, beside(), now):
        what = f"{'parameter' if carrier.is_query else 'header'} {carrier.name}"
        if not set(carrier.missing_values).issubset(outputs):
            raise missing_value_error(profile, carrier)
        if carrier.value is None:
            pieces.append(
                _HeaderOrQuery("", label=what, missing_outputs=" and ".join(carrier.missing_values))
            )
        else:
            mark = "=" if carrier.is_query else ": "
            pieces.append(_HeaderOrQuery(f"{carrier.name}{mark}{carrier.value}", carrier.secrets))
    return pieces

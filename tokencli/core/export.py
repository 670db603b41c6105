"""Export a token: as shell variables, or as data for another consumer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from math import floor

from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.core.token_renewal import TokenResult
from tokencli.errors import ConfigError, UsageError
from tokencli.fast_dataclass import dataclass
from tokencli.formats import header, load_dialect
from tokencli.formats.variable_checks import check_variable_name, require_one_word
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.token_exchange import TOKEN_TYPE_NOT_APPLICABLE
from tokencli.oauth.token_usage import fill_usage_lines, missing_value_error
from tokencli.protocols import Context

VARIABLE_SUFFIXES = ("_TYPE", "_EXPIRES_AT", "_SCOPE")
"""What `--all-vars` adds to the token's variable for every profile, in order."""
_RESERVED_NAMES = ("type", "expires_at", "scope", "header", "query")
_RESERVED_PREFIXES = ("header_", "output_")
"""Names and prefixes of other variables. An output `type` is therefore exported as NAME_OUTPUT_TYPE."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The text to print, and the token in it."""

    text: str
    token_result: TokenResult
    secrets: tuple[Secret, ...]
    """The secrets that the text contains, as they are written there."""


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
    """Get a token as `get` does and render it for the dialect `to`, as `variable`.

    Errors in the command line are found before a request is sent.

    Raises:
        UsageError: the dialect or the variable is wrong. ReplyError: the token can't be rendered
            safely. TokencliError: the token can't be obtained.
    """
    dialect = load_dialect(to, profile.name)
    list_export_variables(profile, variable, all_variables=all_variables)
    result = get_token(profile, ctx, min_ttl=min_ttl, force=force)
    token, name = result.token, variable or profile.export
    exported = (
        build_all_variables(
            profile, token, name, ctx.clock.now(), lambda: resolve_usage_secrets(profile, ctx)
        )
        if all_variables
        else build_token_variable(token, name)
    )
    text = dialect.render(exported.variables)
    warning = dialect.find_warning(exported.variables) if dialect.find_warning else None
    for remark in (*exported.remarks, *([] if warning is None else [warning])):
        ctx.terminal.print_warning(remark)
    return ExportResult(text, result, exported.secrets)


def unset_profile_variables(
    profile: Profile, *, to: str, variable: str | None, all_variables: bool
) -> str:
    """Render the command that unsets the profile's variables, without fetching a token.

    Raises:
        UsageError: the dialect or the variable is wrong.
    """
    return render_unset(
        list_export_variables(profile, variable, all_variables=all_variables), to=to
    )


def unset_named_variables(variable: str, *, to: str, all_variables: bool) -> str:
    """Render the command that unsets a variable and those that follow from its name.

    Raises:
        UsageError: the dialect or the variable is wrong.
    """
    return render_unset(list_likely_variables(variable) if all_variables else [variable], to=to)


def render_unset(variables: Sequence[str], *, to: str) -> str:
    """Render the command that unsets these variables in a shell.

    Raises:
        UsageError: the dialect isn't a shell, or a variable name is wrong.
    """
    dialect = load_dialect(to)
    if dialect.render_unset is None:
        raise UsageError(
            f"--unset requires a shell, and {to} is a data format",
            fix="tokencli export --unset --shell sh",
        )
    for name in variables:
        check_variable_name(name, "tokencli export --unset")
    return dialect.render_unset(variables)


def list_export_variables(
    profile: Profile, variable: str | None, *, all_variables: bool
) -> list[str]:
    """Return the variables that an export sets, the token's own first.

    Raises:
        UsageError: a variable name is wrong.
    """
    name = variable or profile.export
    names = list_all_variables(profile, name) if all_variables else [name]
    for each in names:
        check_variable_name(each, f"tokencli export {profile.command_line_name}")
    return names


def check_distinct_variables(
    profiles: Iterable[Profile], *, cause: str, only: str | None = None
) -> None:
    """Raise ConfigError if two of the profiles, or `only` and another one, set the same variable."""
    names_by_variable: dict[str, list[str]] = {}
    for profile in profiles:
        names_by_variable.setdefault(profile.export, []).append(profile.name)
    for variable, names in names_by_variable.items():
        if len(names) > 1 and only in (None, *names):
            last = names[-1]
            own_name = "".join(c if c.isalnum() else "_" for c in last.upper())
            raise ConfigError(
                f"profiles {' and '.join(names)} set the same variable, {variable}",
                cause=cause,
                fix=f"tokencli profiles edit {last} --set export={own_name}_TOKEN",
            )


@dataclass(frozen=True, slots=True)
class ExportVariables:
    """Variables and their values."""

    variables: list[tuple[str, str]]
    """Names and values in order, the token's own first."""
    secrets: tuple[Secret, ...]
    """The secrets in the values, as they are written there."""
    remarks: list[str] = field(default_factory=list)
    """Warnings for the user."""


def list_all_variables(profile: Profile, name: str) -> list[str]:
    """Return the variables that `--all-vars` sets. They depend on the profile only."""
    return [
        name,
        *(name + suffix for suffix in VARIABLE_SUFFIXES),
        *(_output_variable(name, output) for output in profile.provider.output_names),
        *(variable for variable, _ in _usage_variables(profile, name)),
    ]


def list_likely_variables(name: str) -> list[str]:
    """Return the variables that `--all-vars` sets for every profile, or for most of them."""
    return [
        name,
        *(name + suffix for suffix in VARIABLE_SUFFIXES),
        f"{name}_HEADER",
        f"{name}_QUERY",
    ]


def build_token_variable(token: TokenSet, name: str) -> ExportVariables:
    """Return one variable with the token.

    Raises:
        ReplyError: the token isn't a single word of visible ASCII characters.
    """
    value = token.access_token.reveal()
    require_one_word(value, "token")
    return ExportVariables([(name, value)], (token.access_token,))


def build_all_variables(
    profile: Profile,
    token: TokenSet,
    name: str,
    now: float,
    resolve_secrets: Callable[[], dict[str, Secret]],
) -> ExportVariables:
    """Return the token, its type, expiry (epoch seconds), scope, outputs, and headers or query.

    An unknown value is set to an empty string, so that no older value is left in the variable.
    `resolve_secrets` returns the profile's secrets that are sent with the token.

    Raises:
        ReplyError: a value can't be sent in a header. ConfigError: a secret isn't configured.
        TokencliError: `resolve_secrets` failed.
    """
    exported = build_token_variable(token, name)
    expiry = "" if token.known_expiry is None else str(floor(token.known_expiry))
    values = (token.token_type, expiry, " ".join((token.scope or "").split()))
    exported.variables.extend(
        (name + suffix, value) for suffix, value in zip(VARIABLE_SUFFIXES, values, strict=True)
    )
    secrets = [*exported.secrets]
    for output in profile.provider.output_names:
        secret = token.outputs.get(output, Secret(""))
        exported.variables.append((_output_variable(name, output), secret.reveal()))
        secrets.append(secret)
    parts = (
        _build_usage_parts(profile, token, now, resolve_secrets)
        if profile.provider.use
        else _bearer_header(profile, token)
    )
    for variable, indexes in _usage_variables(profile, name):
        chosen = [parts[index] for index in indexes]
        exported.variables.append((variable, "&".join(part.text for part in chosen if part.text)))
        secrets += (secret for part in chosen for secret in part.secrets)
        exported.remarks.extend(
            f"{variable} lacks the {part.label}: the server's reply has no {part.missing_outputs}"
            for part in chosen
            if part.missing_outputs
        )
    shown = dict.fromkeys(secret for secret in secrets if secret)
    return ExportVariables(exported.variables, tuple(shown), exported.remarks)


@dataclass(frozen=True, slots=True)
class _HeaderOrQuery:
    """A header line or a query parameter; empty if it is left out."""

    text: str
    secrets: tuple[Secret, ...] = ()
    label: str = ""
    missing_outputs: str = ""


def _output_variable(name: str, output: str) -> str:
    is_reserved = output in _RESERVED_NAMES or output.startswith(_RESERVED_PREFIXES)
    return f"{name}_{'OUTPUT_' if is_reserved else ''}{output.upper()}"


def _usage_variables(profile: Profile, name: str) -> Iterator[tuple[str, list[int]]]:
    """Yield the variables for the headers and the query, each with its indexes in the lines of `use`.

    Each header has its own variable. Its number is its position among the headers, so it stays the
    same if an optional header before it is left out. All query parameters share one variable.
    """
    lines = profile.provider.use or ("Authorization",)
    query = [index for index, line in enumerate(lines) if line.startswith("?")]
    headers = [index for index in range(len(lines)) if index not in query]
    for number, index in enumerate(headers, 1):
        yield f"{name}_HEADER" if number == 1 else f"{name}_HEADER_{number}", [index]
    if query:
        yield f"{name}_QUERY", query


def _bearer_header(profile: Profile, token: TokenSet) -> list[_HeaderOrQuery]:
    """Return the default header; it is empty if the token isn't an access token."""
    if token.token_type.lower() == TOKEN_TYPE_NOT_APPLICABLE:
        return [_HeaderOrQuery("")]
    line = header.render(profile.name, token, token.obtained_at).rstrip("\n")
    return [_HeaderOrQuery(line, (Secret(line.partition(": ")[2]),))]


def _build_usage_parts(
    profile: Profile, token: TokenSet, now: float, resolve_secrets: Callable[[], dict[str, Secret]]
) -> list[_HeaderOrQuery]:
    """Return one header or query parameter for each line of the provider's `use`."""
    outputs, parts = profile.provider.output_names, []
    for line in fill_usage_lines(profile, token, resolve_secrets(), now):
        label = f"{'parameter' if line.is_query else 'header'} {line.name}"
        if not set(line.missing_values).issubset(outputs):
            raise missing_value_error(profile, line)
        if line.value is None:
            missing = " and ".join(line.missing_values)
            parts.append(_HeaderOrQuery("", label=label, missing_outputs=missing))
        else:
            separator = "=" if line.is_query else ": "
            parts.append(_HeaderOrQuery(f"{line.name}{separator}{line.value}", line.secrets))
    return parts

"""The headers and query parameters that carry a token to a resource server."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from tokencli.errors import ConfigError, ReplyError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile, Secret, TokenSet
from tokencli.providers import template
from tokencli.providers.template_values import (
    GENERATED_VALUES,
    complete_values,
    expand_value_names,
)

AUTH_SCHEMES = {"bearer": "Bearer", "dpop": "DPoP", "mac": "MAC"}
"""Token type in lower case -> scheme in the case that servers expect, though RFC 9110 ignores case."""
_CHALLENGE_ERROR = r"(?i)\berror\s*=\s*\"?([\w.-]+)"
_HEADER_VALUE = r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?"


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One header or query parameter of the provider's `use`, filled in."""

    name: str
    is_query: bool
    value: str | None
    """None if it contains a value that is missing. Percent-encoded in a query."""
    missing_values: tuple[str, ...] = ()
    """The missing values that are not optional."""
    secrets: tuple[Secret, ...] = ()
    """The secrets in the value as they appear in it, and the whole value if there are any."""


def list_usage_templates(profile: Profile, token: TokenSet) -> tuple[str, ...]:
    """Return the provider's `use`, or by default an Authorization header with the token's type."""
    if profile.provider.use:
        return profile.provider.use
    scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    return (f"Authorization: {scheme.replace('{', '{{').replace('}', '}}')} {{token}}",)


def list_usage_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the profile's secrets in the provider's `use`, e.g. an API key besides the token."""
    names = [
        name for line in profile.provider.use for name in expand_value_names(profile.provider, line)
    ]
    return tuple(dict.fromkeys(name for name in names if name in profile.secrets))


def is_usage_constant(profile: Profile) -> bool:
    """Tell whether the headers and parameters stay the same as long as the token does."""
    names = {
        name for line in profile.provider.use for name in expand_value_names(profile.provider, line)
    }
    return names.isdisjoint(GENERATED_VALUES) and names.isdisjoint(profile.secrets)


def build_headers_and_query(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the headers and the query parameters that carry the token, as pairs of name and value.

    Raises:
        ReplyError: a value from the token response can't be sent in a header.
        ConfigError: a value is missing.
    """
    headers: list[tuple[str, str]] = []
    query: list[tuple[str, str]] = []
    for line in fill_usage_lines(profile, token, secrets, now):
        if line.missing_values:
            raise missing_value_error(profile, line)
        if line.value is not None:
            (query if line.is_query else headers).append((line.name, line.value))
    return headers, query


def append_query(url: str, query: Sequence[tuple[str, str]]) -> str:
    """Return a URL with the query parameters that carry a token, whose values are encoded already."""
    for name, value in query:
        url += f"{'&' if '?' in url else '?'}{quote(name, safe='')}={value}"
    return url


def fill_usage_lines(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[UsageLine, ...]:
    """Return every line of the provider's `use` in order, including those with missing values.

    Raises:
        ReplyError: a value from the token response can't be sent in a header.
    """
    given: dict[str, str | Secret] = {**profile.values, **secrets, **token.outputs}
    given["token"] = token.access_token
    values = complete_values(profile, given, now)
    return tuple(
        _fill_usage_line(profile, text, values) for text in list_usage_templates(profile, token)
    )


def may_be_renewed(status: int, challenge: str) -> bool:
    """Tell whether a reply says that another token might be accepted (RFC 6750 section 3.1).

    `challenge` is the reply's WWW-Authenticate. Without an error code, a 401 can mean anything.
    """
    code = re.search(_CHALLENGE_ERROR, challenge)
    return status == 401 and (code is None or code[1].lower() == "invalid_token")


def missing_value_error(profile: Profile, line: UsageLine) -> ConfigError:
    """Return the error for a line with a missing value."""
    return ConfigError(
        f"can't build the {'parameter' if line.is_query else 'header'} {line.name} that carries the"
        f" token: {', '.join(line.missing_values)} missing",
        cause=f"neither profile {profile.name!r} nor the server's reply has it",
        fix=f"tokencli profiles show {profile.name}",
    )


def _fill_usage_line(
    profile: Profile, usage_template: str, values: Mapping[str, str | Secret]
) -> UsageLine:
    is_query = usage_template.startswith("?")
    name, _, text = (
        usage_template[1:].partition("=") if is_query else usage_template.partition(": ")
    )
    revealed = {
        key: value.reveal() if isinstance(value, Secret) else value for key, value in values.items()
    }
    fill = template.fill_cookie_header if name.lower() == "cookie" else template.fill_template
    try:
        value = fill(text, revealed)
    except ConfigError as error:
        raise _invalid_header_error(name, error.message) from None
    if value is None:
        return UsageLine(
            name, is_query, None, missing_values=_list_missing_values(profile, text, values)
        )
    if is_query:
        value = quote(value, safe="")
    elif not re.fullmatch(_HEADER_VALUE, value):
        raise _invalid_header_error(name, "it contains characters that a header can't carry")
    parts = template.list_secret_parts(text, values)
    if is_query:
        parts = [quote(part, safe="") for part in parts]
    secrets = dict.fromkeys((*parts, value) if parts else ())
    return UsageLine(name, is_query, value, secrets=tuple(map(Secret, secrets)))


def _invalid_header_error(name: str, problem: str) -> ReplyError:
    return ReplyError(
        f"the value of the header {name} can't be sent: {problem}",
        cause="the value comes from the server's reply or from the profile",
        fix="tokencli inspect",
    )


def _list_missing_values(
    profile: Profile, text: str, values: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the missing values that are not optional."""
    fields = profile.provider.fields
    missing = [name for name in template.list_value_names(text) if name not in values]
    return tuple(name for name in missing if name not in fields or not fields[name].optional)

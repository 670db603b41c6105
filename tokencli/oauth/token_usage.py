"""How a token is carried by the requests that it is for."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from tokencli.errors import ConfigError, ReplyError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile, Secret, TokenSet
from tokencli.providers import template
from tokencli.providers.template_values import complete_values, expand_value_names

AUTH_SCHEMES = {"bearer": "Bearer", "dpop": "DPoP", "mac": "MAC"}
"""token_type in lower case -> the scheme as servers expect it, though RFC 9110 ignores its case."""
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def list_usage_templates(profile: Profile, token: TokenSet) -> tuple[str, ...]:
    """Return the templates by which the token is used, with the scheme of its type by default."""
    if profile.provider.use:
        return profile.provider.use
    scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    return (f"Authorization: {scheme.replace('{', '{{').replace('}', '}}')} {{token}}",)


def list_usage_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the profile's secrets that the use of a token takes beside it."""
    found = [
        name for line in profile.provider.use for name in expand_value_names(profile.provider, line)
    ]
    return tuple(dict.fromkeys(name for name in found if name in profile.secrets))


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One header or query parameter that carries a token, or something beside it."""

    name: str
    is_query: bool
    value: str | None
    """None where a value that it names is absent. Of a query, percent-encoded."""
    missing_values: tuple[str, ...] = ()
    """The absent values among those that no profile may leave out."""
    secrets: tuple[Secret, ...] = ()
    """The secrets in it as they are written, and the whole where there are any."""


def build_headers_and_query(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the headers and the query parameters that carry the token, each a name and a value.

    Raises:
        ReplyError: a value that came with the token can't stand in a header.
        ConfigError: a value is missing.
    """
    headers: list[tuple[str, str]] = []
    query: list[tuple[str, str]] = []
    for carrier in fill_usage_lines(profile, token, secrets, now):
        if carrier.missing_values:
            raise missing_value_error(profile, carrier)
        if carrier.value is not None:
            (query if carrier.is_query else headers).append((carrier.name, carrier.value))
    return headers, query


def fill_usage_lines(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[UsageLine, ...]:
    """Return one carrier for each line of the provider's `use`, in order, whatever is absent.

    Raises:
        ReplyError: a value that came with the token can't stand in a header.
    """
    given: dict[str, str | Secret] = {**profile.values, **secrets, **token.outputs}
    given["token"] = token.access_token
    known = complete_values(profile, given, now)
    return tuple(
        _fill_usage_line(profile, line, known) for line in list_usage_templates(profile, token)
    )


def missing_value_error(profile: Profile, carrier: UsageLine) -> ConfigError:
    """Return what is to be said where a carrier lacks something."""
    return ConfigError(
        f"the use of the token ({carrier.name}) needs a value that profile {profile.name!r} and the"
        " server's reply don't have",
        fix=f"tokencli profiles show {profile.name}",
    )


def _fill_usage_line(profile: Profile, line: str, known: Mapping[str, str | Secret]) -> UsageLine:
    is_query = line.startswith("?")
    name, _, text = line[1:].partition("=") if is_query else line.partition(": ")
    plain = {
        n: value.reveal() if isinstance(value, Secret) else value for n, value in known.items()
    }
    try:
        value = (
            template.fill_cookie_header if name.lower() == "cookie" else template.fill_template
        )(text, plain)
    except ConfigError as error:
        raise ReplyError(
            f"the value of the header {name} is none: {error.message}; the server that issued the"
            " token, or the profile, chose it",
            fix="tokencli inspect",
        ) from None
    if value is None:
        return UsageLine(
            name, is_query, None, missing_values=_list_missing_values(profile, text, known)
        )
    if is_query:
        value = quote(value, safe="")
    elif not _HEADER_VALUE.fullmatch(value):
        raise ReplyError(
            f"the value of the header {name} holds what no header can carry; the server that"
            " issued the token, or the profile, chose it",
            fix="tokencli inspect",
        )
    parts = template.list_secret_parts(text, known)
    if is_query:
        parts = [quote(part, safe="") for part in parts]
    found = dict.fromkeys((*parts, value) if parts else ())
    return UsageLine(name, is_query, value, secrets=tuple(map(Secret, found)))


def _list_missing_values(
    profile: Profile, text: str, known: Mapping[str, object]
) -> tuple[str, ...]:
    """Name what is missing, unless all of it is what a profile may leave out."""
    fields = profile.provider.fields
    absent = [name for name in template.list_value_names(text) if name not in known]
    return tuple(name for name in absent if name not in fields or not fields[name].optional)

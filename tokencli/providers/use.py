"""How a token is carried by the requests that it is for."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from tokencli.errors import ConfigError, ReplyError
from tokencli.frozen import dataclass
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers import template

LINE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: \S.*|\?[A-Za-z0-9._~-]+=.*")
"""`Header-Name: template`, or `?name=template`."""
SCHEMES = {"bearer": "Bearer", "dpop": "DPoP", "mac": "MAC"}
"""token_type in lower case -> the scheme as servers expect it, though RFC 9110 ignores its case."""
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def lines(profile: Profile, token: TokenSet) -> tuple[str, ...]:
    """Return the templates by which the token is used, with the scheme of its type by default."""
    if profile.provider.use:
        return profile.provider.use
    scheme = SCHEMES.get(token.token_type.lower(), token.token_type)
    return (f"Authorization: {scheme.replace('{', '{{').replace('}', '}}')} {{token}}",)


def named_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the profile's secrets that the use of a token takes beside it."""
    from tokencli.providers.call import expanded

    found = [name for line in profile.provider.use for name in expanded(profile.provider, line)]
    return tuple(dict.fromkeys(name for name in found if name in profile.secrets))


@dataclass(frozen=True, slots=True)
class Carrier:
    """One header or query parameter that carries a token, or something beside it."""

    name: str
    is_query: bool
    value: str | None
    """None where a value that it names is absent. Of a query, percent-encoded."""
    lacking: tuple[str, ...] = ()
    """The absent values among those that no profile may leave out."""
    secrets: tuple[Secret, ...] = ()
    """The secrets in it as they are written, and the whole where there are any."""


def carried(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the headers and the query parameters that carry the token, each a name and a value.

    Raises:
        ReplyError: a value that came with the token can't stand in a header.
        ConfigError: a value is missing.
    """
    headers: list[tuple[str, str]] = []
    query: list[tuple[str, str]] = []
    for carrier in carriers(profile, token, secrets, now):
        if carrier.lacking:
            raise missing(profile, carrier)
        if carrier.value is not None:
            (query if carrier.is_query else headers).append((carrier.name, carrier.value))
    return headers, query


def carriers(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[Carrier, ...]:
    """Return one carrier for each line of the provider's `use`, in order, whatever is absent.

    Raises:
        ReplyError: a value that came with the token can't stand in a header.
    """
    from tokencli.providers.values import complete

    given: dict[str, str | Secret] = {**profile.values, **secrets, **token.outputs}
    given["token"] = token.access_token
    known = complete(profile, given, now)
    return tuple(_carrier(profile, line, known) for line in lines(profile, token))


def missing(profile: Profile, carrier: Carrier) -> ConfigError:
    """Return what is to be said where a carrier lacks something."""
    return ConfigError(
        f"the use of the token ({carrier.name}) needs a value that profile {profile.name!r} and the"
        " server's reply don't have",
        hint=f"tokencli profiles show {profile.name}",
    )


def _carrier(profile: Profile, line: str, known: Mapping[str, str | Secret]) -> Carrier:
    is_query = line.startswith("?")
    name, _, text = line[1:].partition("=") if is_query else line.partition(": ")
    plain = {
        n: value.reveal() if isinstance(value, Secret) else value for n, value in known.items()
    }
    try:
        value = (template.fill_cookies if name.lower() == "cookie" else template.fill)(text, plain)
    except ConfigError as error:
        raise ReplyError(
            f"the value of the header {name} is none: {error.message}; the server that issued the"
            " token, or the profile, chose it",
            hint="tokencli inspect",
        ) from None
    if value is None:
        return Carrier(name, is_query, None, lacking=_lacking(profile, text, known))
    if is_query:
        value = quote(value, safe="")
    elif not _VALUE.fullmatch(value):
        raise ReplyError(
            f"the value of the header {name} holds what no header can carry; the server that"
            " issued the token, or the profile, chose it",
            hint="tokencli inspect",
        )
    parts = template.secret_parts(text, known)
    if is_query:
        parts = [quote(part, safe="") for part in parts]
    found = dict.fromkeys((*parts, value) if parts else ())
    return Carrier(name, is_query, value, secrets=tuple(map(Secret, found)))


def _lacking(profile: Profile, text: str, known: Mapping[str, object]) -> tuple[str, ...]:
    """Name what is missing, unless all of it is what a profile may leave out."""
    fields = profile.provider.fields
    absent = [name for name in template.names(text) if name not in known]
    return tuple(name for name in absent if name not in fields or not fields[name].optional)

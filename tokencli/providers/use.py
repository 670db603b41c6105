"""How a token is carried by the requests that it is for."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from tokencli.errors import ConfigError, ReplyError
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


def carried(
    profile: Profile, token: TokenSet, secrets: Mapping[str, Secret], now: float
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the headers and the query parameters that carry the token, each a name and a value.

    Raises:
        ReplyError: a value that came with the token can't stand in a header.
        ConfigError: a value is missing.
    """
    from tokencli.providers.values import complete

    given: dict[str, str | Secret] = {**profile.values, **secrets, **token.outputs}
    given["token"] = token.access_token
    known = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in complete(profile, given, now).items()
    }
    headers, query = [], []
    for line in lines(profile, token):
        is_query = line.startswith("?")
        name, _, text = line[1:].partition("=") if is_query else line.partition(": ")
        value = template.fill(text, known)
        if value is None:
            if _optional(profile, text, known):
                continue
            raise ConfigError(
                f"the use of the token ({name}) needs a value that profile {profile.name!r} and the"
                " server's reply don't have",
                hint=f"tokencli profiles show {profile.name}",
            )
        if is_query:
            query.append((name, quote(value, safe="")))
        elif _VALUE.fullmatch(value):
            headers.append((name, value))
        else:
            raise ReplyError(
                f"the value of the header {name} holds what no header can carry; the server that"
                " issued the token, or the profile, chose it",
                hint="tokencli inspect",
            )
    return headers, query


def _optional(profile: Profile, text: str, known: Mapping[str, str]) -> bool:
    """Tell whether what is missing is what a profile may leave out."""
    fields = profile.provider.fields
    absent = [name for name in template.names(text) if name not in known]
    return all(name in fields and fields[name].optional for name in absent)

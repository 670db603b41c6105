"""Parse WWW-Authenticate (RFC 9110 section 11.6.1). Malformed parts are skipped; nothing raises."""

import re
from collections.abc import Mapping
from dataclasses import field

from tokencli.fast_dataclass import dataclass

MAX_HEADER_LENGTH = 8192
"""Characters of the header that are parsed."""

_TOKEN_PATTERN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_END_OF_ITEM = r"(?=[ \t]*(?:,|\Z))"
_SEPARATOR = re.compile(r"[ \t,]+")
_AUTH_PARAM = re.compile(
    rf'({_TOKEN_PATTERN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN_PATTERN})){_END_OF_ITEM}',
    re.DOTALL,
)
_AUTH_SCHEME = re.compile(
    rf"({_TOKEN_PATTERN})(?=[ \t,]|\Z)(?:[ \t]+([A-Za-z0-9._~+/-]+=*){_END_OF_ITEM})?"
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One authentication scheme that a server accepts."""

    scheme: str
    """In lower case; schemes are case-insensitive."""
    token68: str | None = None
    """What some schemes have instead of parameters."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Name in lower case -> value; the first one counts if a name occurs twice."""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Return the challenges of a header, which may contain several, separated by commas."""
    text = header[:MAX_HEADER_LENGTH]
    challenges: list[tuple[str, str | None, dict[str, str]]] = []
    position = 0
    while position < len(text):
        if separator := _SEPARATOR.match(text, position):
            position = separator.end()
        elif challenges and (param := _AUTH_PARAM.match(text, position)):
            name, quoted, bare = param.groups()
            value = bare if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
            challenges[-1][2].setdefault(name.lower(), value)
            position = param.end()
        elif scheme := _AUTH_SCHEME.match(text, position):
            challenges.append((scheme[1].lower(), scheme[2], {}))
            position = scheme.end()
        else:
            comma = text.find(",", position)
            position = len(text) if comma < 0 else comma
    return tuple(Challenge(*parts) for parts in challenges)


def find_token_error(header: str) -> Mapping[str, str]:
    """Return the parameters of the challenge that says why a token was refused, or nothing.

    RFC 6750 section 3, RFC 9449 section 7.1.
    """
    for challenge in parse_challenges(header):
        if challenge.scheme in ("bearer", "dpop") and "error" in challenge.params:
            return challenge.params
    return {}

"""Read WWW-Authenticate (RFC 9110 section 11.6.1). Total: whatever stands there, nothing raises."""

import re
from collections.abc import Mapping
from dataclasses import field

from tokencli.fast_dataclass import dataclass

MAX_HEADER_LENGTH = 8192
"""Characters that are looked at."""

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
    """One way in which a server wants to be asked."""

    scheme: str
    """In lower case, as it is compared without regard to case."""
    token68: str | None = None
    """What some schemes have instead of parameters (`token68`)."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Name in lower case -> value; of a name given twice the first counts."""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Return the challenges of a header, which may be several joined by commas; nonsense is passed over."""
    text = header[:MAX_HEADER_LENGTH]
    found: list[tuple[str, str | None, dict[str, str]]] = []
    place = 0
    while place < len(text):
        if gap := _SEPARATOR.match(text, place):
            place = gap.end()
        elif found and (param := _AUTH_PARAM.match(text, place)):
            name, quoted, bare = param.groups()
            value = bare if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
            found[-1][2].setdefault(name.lower(), value)
            place = param.end()
        elif scheme := _AUTH_SCHEME.match(text, place):
            found.append((scheme[1].lower(), scheme[2], {}))
            place = scheme.end()
        else:
            comma = text.find(",", place)
            place = len(text) if comma < 0 else comma
    return tuple(Challenge(*one) for one in found)


def find_token_error(header: str) -> Mapping[str, str]:
    """Return what a resource says of the token that it refuses (RFC 6750 section 3, RFC 9449 section 7)."""
    for challenge in parse_challenges(header):
        if challenge.scheme in ("bearer", "dpop") and "error" in challenge.params:
            return challenge.params
    return {}

"""Which variables `export` sets, and what they hold: the token, and all that goes with it."""

from collections.abc import Callable, Iterator
from dataclasses import field
from math import floor

from tokencli.formats.values import require_one_word
from tokencli.frozen import dataclass
from tokencli.model import Profile, Secret, TokenSet

SUFFIXES = ("_TYPE", "_EXPIRES_AT", "_SCOPE")
"""What `--all-vars` adds to the token's variable for every profile, in order."""
_TAKEN = ("type", "expires_at", "scope", "header", "query")
_RESERVED = ("header_", "output_")
"""Names and beginnings of names that other variables have; an output `type` is NAME_OUTPUT_TYPE."""


@dataclass(frozen=True, slots=True)
class Held:
    """Variables with their values, and what has to be known about them."""

    variables: list[tuple[str, str]]
    """Names and values in order; the token's own comes first."""
    secrets: tuple[Secret, ...]
    """What nobody may read in them, as it is written there."""
    remarks: list[str] = field(default_factory=list)
    """What somebody who counts on them should be told."""


def every_name(profile: Profile, name: str) -> list[str]:
    """Return the variables that `--all-vars` sets; the profile alone decides which these are."""
    return [
        name,
        *(name + suffix for suffix in SUFFIXES),
        *(_of_output(name, output) for output in profile.provider.outputs),
        *(each for each, _ in _of_use(profile, name)),
    ]


def likely_names(name: str) -> list[str]:
    """Return the variables that `--all-vars` sets whatever the profile, or for most of them."""
    return [name, *(name + suffix for suffix in SUFFIXES), f"{name}_HEADER", f"{name}_QUERY"]


def token_alone(token: TokenSet, name: str) -> Held:
    """Return the token as the one variable.

    Raises:
        ReplyError: the token is no single word of visible ASCII.
    """
    value = token.access_token.reveal()
    require_one_word(value, "token")
    return Held([(name, value)], (token.access_token,))


def everything(
    profile: Profile,
    token: TokenSet,
    name: str,
    now: float,
    beside: Callable[[], dict[str, Secret]],
) -> Held:
    """Return the token, its type, end (epoch seconds) and scope, its outputs and what carries it.

    What is not known is empty rather than missing, so that no older value stays in its place.
    `beside` brings the profile's secrets that go with the token; it is asked if there are any.

    Raises:
        ReplyError: a value can't stand in a header. ConfigError: the profile lacks one.
        TokencliError: whatever `beside` raises.
    """
    held = token_alone(token, name)
    ends = "" if token.expires_at is None else str(floor(token.expires_at))
    values = (token.token_type, ends, " ".join((token.scope or "").split()))
    held.variables.extend((name + end, value) for end, value in zip(SUFFIXES, values, strict=True))
    secrets = [*held.secrets]
    for output in profile.provider.outputs:
        secret = token.outputs.get(output, Secret(""))
        held.variables.append((_of_output(name, output), secret.reveal()))
        secrets.append(secret)
    used = (
        _as_used(profile, token, now, beside) if profile.provider.use else _bearer(profile, token)
    )
    for variable, places in _of_use(profile, name):
        pieces = [used[place] for place in places]
        held.variables.append((variable, "&".join(piece.text for piece in pieces if piece.text)))
        secrets += (secret for piece in pieces for secret in piece.secrets)
        held.remarks.extend(
            f"{variable} lacks the {piece.what}: the server's reply did not bring {piece.lacking}"
            for piece in pieces
            if piece.lacking
        )
    shown = dict.fromkeys(secret for secret in secrets if secret)
    return Held(held.variables, tuple(shown), held.remarks)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A header line or a query parameter; empty where it is left out."""

    text: str
    secrets: tuple[Secret, ...] = ()
    what: str = ""
    lacking: str = ""


def _of_output(name: str, output: str) -> str:
    taken = output in _TAKEN or output.startswith(_RESERVED)
    return f"{name}_{'OUTPUT_' if taken else ''}{output.upper()}"


def _of_use(profile: Profile, name: str) -> Iterator[tuple[str, list[int]]]:
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


def _bearer(profile: Profile, token: TokenSet) -> list[_Piece]:
    """Return the one header that carries a token by default; none carries what is no access token."""
    from tokencli.formats import header
    from tokencli.providers.reply import NOT_APPLICABLE

    if token.token_type.lower() == NOT_APPLICABLE:
        return [_Piece("")]
    line = header.render(profile.name, token, token.obtained_at).rstrip("\n")
    return [_Piece(line, (Secret(line.partition(": ")[2]),))]


def _as_used(
    profile: Profile, token: TokenSet, now: float, beside: Callable[[], dict[str, Secret]]
) -> list[_Piece]:
    """Return what carries the token by the provider's `use`, a piece for each line of it."""
    from tokencli.providers.use import carriers, missing

    outputs, pieces = profile.provider.outputs, []
    for carrier in carriers(profile, token, beside(), now):
        what = f"{'parameter' if carrier.is_query else 'header'} {carrier.name}"
        if not set(carrier.lacking).issubset(outputs):
            raise missing(profile, carrier)
        if carrier.value is None:
            pieces.append(_Piece("", what=what, lacking=" and ".join(carrier.lacking)))
        else:
            mark = "=" if carrier.is_query else ": "
            pieces.append(_Piece(f"{carrier.name}{mark}{carrier.value}", carrier.secrets))
    return pieces

"""Judge what a token says of itself: its times, its scopes, and what is odd about it."""

from collections.abc import Mapping
from math import isfinite

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import format_utc, humanize_duration, humanize_relative_time
from tokencli.jwt.decode import DecodedToken

TIME_CLAIMS = ("iat", "nbf", "exp", "auth_time", "updated_at")
"""Claims that are NumericDates (RFC 7519 section 2; OpenID Connect Core sections 2 and 5.1)."""
LONG_LIFETIME_S = 24 * 3600
"""A bearer token that lives longer than this is remarked on."""
CLOCK_TOLERANCE_S = 60.0
"""How far clocks may be apart before a time in the future is called one."""
_MILLISECONDS_THRESHOLD = 1e11
"""A date beyond this many seconds (year 5138) was most likely meant in milliseconds."""


@dataclass(frozen=True, slots=True)
class ClaimTime:
    """A time that a token names."""

    name: str
    epoch: float

    def as_text(self, now: float) -> str:
        """Return it in UTC and in words."""
        return f"{format_utc(self.epoch)}, {humanize_relative_time(self.epoch, now)}"


def finite_number(value: object) -> float | None:
    """Return a JSON number as a float; None for text, booleans, and what no float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None


def read_time_claims(claims: Mapping[str, object]) -> tuple[ClaimTime, ...]:
    """Return the times that the claims name, in the order of TIMES."""
    found = ((name, finite_number(claims.get(name))) for name in TIME_CLAIMS)
    return tuple(ClaimTime(name, epoch) for name, epoch in found if epoch is not None)


def strings_of_claim(value: object) -> tuple[str, ...]:
    """Return the strings of a claim that is one string or a list of them, such as `aud`."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def collect_scopes(claims: Mapping[str, object]) -> tuple[str, ...]:
    """Return every scope that `scope`, `scp` and `scopes` name (RFC 9068 section 2.2.3), once each."""
    found: dict[str, None] = {}
    for name in ("scope", "scp", "scopes"):
        for text in strings_of_claim(claims.get(name)):
            found.update(dict.fromkeys(text.split()))
    return tuple(found)


def collect_remarks(decoded: DecodedToken, now: float) -> tuple[str, ...]:
    """Return what somebody should know about the token, as sentences without a full stop."""
    if decoded.kind not in ("jwt", "sd-jwt"):
        return decoded.problems
    return (
        *decoded.problems,
        *_header_remarks(decoded.header),
        *_claim_remarks(decoded.claims, now),
    )


def _header_remarks(header: Mapping[str, object]) -> list[str]:
    found = []
    alg = header.get("alg")
    if not isinstance(alg, str):
        found.append("the header names no alg, which every signed token must")
    elif alg.lower() == "none":
        found.append("alg is none: nobody signed this token, and nothing should accept it")
    elif alg.upper().startswith("HS"):
        found.append(f"alg is {alg[:20]}: whoever can check this token can also make one")
    if "crit" in header:
        names = ", ".join(strings_of_claim(header["crit"]))[:200] or "nothing that can be read"
        found.append(f"crit names {names}: who doesn't know them must refuse the token")
    keys = [name for name in ("jwk", "jku", "x5u", "x5c") if name in header]
    if keys:
        found.append(f"the header brings its own key ({', '.join(keys)}): not used, not fetched")
    return found


def _claim_remarks(claims: Mapping[str, object], now: float) -> list[str]:
    found = []
    for name in TIME_CLAIMS:
        if name in claims and finite_number(claims[name]) is None:
            found.append(f"{name} is not a number of seconds, so it may count for nothing")
    at = {moment.name: moment.epoch for moment in read_time_claims(claims)}
    for name, epoch in at.items():
        if epoch > _MILLISECONDS_THRESHOLD:
            found.append(f"{name} looks like milliseconds: it would be {format_utc(epoch / 1000)}")
    exp, iat = at.get("exp"), at.get("iat")
    if claims and "exp" not in claims:
        found.append("there is no exp: only the server knows when it ends")
    if iat is not None and iat > now + CLOCK_TOLERANCE_S:
        found.append(
            f"iat is {humanize_duration(iat - now)} ahead of this machine's clock: one of them is off"
        )
    if exp is not None and iat is not None:
        if exp <= iat:
            found.append("exp is not later than iat: it ended before it began")
        elif exp - iat > LONG_LIFETIME_S:
            life = humanize_duration(
                min(exp - iat, _MILLISECONDS_THRESHOLD * 1000)
            )  # the difference may be infinite
            found.append(f"it lives for {life}, which is long for a bearer token")
    updated = at.get("updated_at")
    if exp is not None and updated is not None and updated > exp:
        found.append("updated_at is later than exp: one of the two can't be right")
    return found

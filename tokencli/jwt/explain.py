"""Explain a decoded token: its times, its scopes, and remarks on what looks wrong."""

import re
from collections.abc import Mapping
from math import isfinite

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import format_rfc3339, format_time, humanize_duration, humanize_relative_time
from tokencli.jwt.decode import DecodedToken
from tokencli.models import CLOCK_TOLERANCE_S

TIME_CLAIMS = ("iat", "nbf", "exp", "auth_time", "updated_at")
"""Claims that are NumericDates (RFC 7519 section 2; OpenID Connect Core sections 2 and 5.1)."""
SIGNATURE_LENGTHS = {
    "HS256": 32,
    "HS384": 48,
    "HS512": 64,
    "ES256": 64,
    "ES384": 96,
    "ES512": 132,
    "Ed25519": 64,
}
"""Algorithm -> bytes of its signatures (RFC 7518 section 3, RFC 8032 section 5.1.6)."""
OPAQUE_FORMATS = {
    r"v[1-4]\.(public|local)\.": "it looks like a PASETO, which tokencli doesn't decode",
    r"ya29\.": "it looks like a Google access token",
    r"gh[opusr]_|github_pat_": "it looks like a GitHub token",
    r"glpat-": "it looks like a GitLab access token",
    r"xox[a-z]-": "it looks like a Slack token",
    r"(MDA|AgE)[\w+/=-]{40}": "it looks like a macaroon, which tokencli doesn't decode",
    r"gAAAAA": "it looks like a Fernet token, which is encrypted",
    r"(?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$": "it is a UUID, e.g. a reference token",
}
"""How well-known opaque tokens start (a regular expression) -> a remark."""
LONG_LIFETIME_S = 24 * 3600
"""A bearer token with a longer lifetime gets a remark."""
MILLISECONDS_THRESHOLD = 1e11
"""A date beyond this many seconds (year 5138) is most likely in milliseconds."""


@dataclass(frozen=True, slots=True)
class ClaimTime:
    """A time in a token's claims."""

    name: str
    epoch: float

    def as_text(self, now: float) -> str:
        """Return it in UTC and relative to `now`."""
        return f"{format_time(self.epoch)}, {humanize_relative_time(self.epoch, now)}"


def finite_number(value: object) -> float | None:
    """Return a JSON number as a float; None for text, booleans and numbers too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def read_time_claims(claims: Mapping[str, object]) -> tuple[ClaimTime, ...]:
    """Return the times in the claims, in the order of `TIME_CLAIMS`."""
    times = ((name, finite_number(claims.get(name))) for name in TIME_CLAIMS)
    return tuple(ClaimTime(name, epoch) for name, epoch in times if epoch is not None)


def strings_of_claim(value: object) -> tuple[str, ...]:
    """Return the strings of a claim that is one string or a list of them, e.g. `aud`."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def collect_scopes(claims: Mapping[str, object]) -> tuple[str, ...]:
    """Return every scope in `scope`, `scp` and `scopes` (RFC 9068 section 2.2.3), once each."""
    texts = [
        text for name in ("scope", "scp", "scopes") for text in strings_of_claim(claims.get(name))
    ]
    return tuple(dict.fromkeys(scope for text in texts for scope in text.split()))


def collect_remarks(decoded: DecodedToken, now: float) -> tuple[str, ...]:
    """Return what looks wrong or risky about the token, as sentences without a full stop."""
    if decoded.kind not in ("jwt", "sd-jwt"):
        return decoded.problems
    return (
        *decoded.problems,
        *_header_remarks(decoded.header),
        *_signature_remarks(decoded),
        *_claim_remarks(decoded.claims, now),
    )


def describe_opaque_format(token: str) -> str | None:
    """Return a remark on an opaque token of a well-known format."""
    return next(
        (remark for start, remark in OPAQUE_FORMATS.items() if re.match(start, token)), None
    )


def _header_remarks(header: Mapping[str, object]) -> list[str]:
    remarks = []
    alg = header.get("alg")
    if not isinstance(alg, str):
        remarks.append("the header has no alg, which every signed token needs")
    elif alg.lower() == "none":
        remarks.append("alg is none: the token is not signed, so nothing should accept it")
    elif alg.upper().startswith("HS"):
        remarks.append(f"alg is {alg[:20]}: anyone who can verify this token can also forge one")
    if "crit" in header:
        names = ", ".join(strings_of_claim(header["crit"]))[:200] or "nothing readable"
        remarks.append(
            f"crit lists {names}: a recipient that doesn't support this must reject the token"
        )
    keys = [name for name in ("jwk", "jku", "x5u", "x5c") if name in header]
    if keys:
        remarks.append(
            f"the header brings its own key ({', '.join(keys)}), which is neither used nor fetched"
        )
    return remarks


def _signature_remarks(decoded: DecodedToken) -> list[str]:
    alg, length = decoded.header.get("alg"), decoded.signature_length
    expected = SIGNATURE_LENGTHS.get(alg) if isinstance(alg, str) else None
    if expected is None or length in (None, expected):
        return []
    return [
        f"its signature has {length} bytes, and one made with {alg} has {expected}:"
        " was it cut off or changed?"
    ]


def _claim_remarks(claims: Mapping[str, object], now: float) -> list[str]:
    remarks = []
    for name in TIME_CLAIMS:
        if name in claims and finite_number(claims[name]) is None:
            remarks.append(f"{name} is not a number of seconds, so recipients may ignore it")
    times = {time.name: time.epoch for time in read_time_claims(claims)}
    for name, epoch in times.items():
        if epoch <= MILLISECONDS_THRESHOLD:
            continue
        remarks.append(
            f"{name} is too large for a number of seconds"
            if format_rfc3339(epoch / 1000) is None
            else f"{name} looks like milliseconds: it would be {format_time(epoch / 1000)}"
        )
    # Times that aren't in seconds say nothing about clocks and lifetimes.
    times = {name: epoch for name, epoch in times.items() if epoch <= MILLISECONDS_THRESHOLD}
    exp, iat = times.get("exp"), times.get("iat")
    if claims and "exp" not in claims:
        remarks.append("there is no exp: only the server knows when it expires")
    if iat is not None and iat > now + CLOCK_TOLERANCE_S:
        remarks.append(
            f"iat is {humanize_duration(iat - now)} ahead of this computer's clock: one of the clocks"
            " is wrong"
        )
    if exp is not None and iat is not None:
        if exp <= iat:
            remarks.append("exp is not later than iat: it expired before it was issued")
        elif exp - iat > LONG_LIFETIME_S:
            # The difference may be infinite.
            lifetime = humanize_duration(min(exp - iat, MILLISECONDS_THRESHOLD * 1000))
            remarks.append(f"its lifetime is {lifetime}, which is long for a bearer token")
    updated = times.get("updated_at")
    if exp is not None and updated is not None and updated > exp:
        remarks.append("updated_at is later than exp: one of the two must be wrong")
    return remarks

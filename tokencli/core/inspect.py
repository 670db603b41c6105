"""Explain a token: what it is, what it says of itself, how much of its life is used up."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from tokencli.core.stored_token import find_stored_token
from tokencli.errors import CredentialsError, InvalidTokenError
from tokencli.jwt.decode import MAX_TOKEN_LENGTH, TokenKind, decode_token
from tokencli.jwt.explain import (
    CLOCK_TOLERANCE_S,
    ClaimTime,
    collect_remarks,
    collect_scopes,
    read_time_claims,
    strings_of_claim,
)
from tokencli.jwt.humanize import format_utc, humanize_duration, humanize_relative_time
from tokencli.models import Profile, TokenSet
from tokencli.protocols import Context
from tokencli.token_store.credential_key import derive_binding

_TOKEN_CHARS = frozenset(map(chr, range(0x21, 0x7F)))
"""What a token is made of: a header carries nothing else (RFC 6750 section 2.1 allows even less)."""

TokenState = Literal["valid", "expired", "not_yet_valid", "unknown"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What can be said of a token without checking its signature."""

    kind: TokenKind
    state: TokenState
    """As its own times have it; `unknown` where it names no end."""
    header: Mapping[str, object]
    claims: Mapping[str, object]
    disclosures: tuple[object, ...]
    times: tuple[ClaimTime, ...]
    valid_from: float | None
    """Epoch seconds at which its life begins, where known."""
    expires_at: float | None
    """Epoch seconds at which its life ends, where known."""
    used_fraction: float | None
    """The share of its life that is over, 0 to 1."""
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    issuer: str | None
    subject: str | None
    remarks: tuple[str, ...]

    @property
    def lifetime(self) -> float | None:
        """Return the whole life in seconds, where it is known and a number can hold it."""
        if self.valid_from is None or self.expires_at is None or self.expires_at < self.valid_from:
            return None
        life = self.expires_at - self.valid_from
        return life if isfinite(life) else None

    def describe_state(self, now: float) -> str:
        """Return one clause: `expired 2 years ago, at 2024-05-23 12:10:18 UTC`."""
        starts = self.valid_from
        if self.state == "not_yet_valid" and starts is not None:
            return (
                f"begins to be valid {humanize_relative_time(starts, now)}, at {format_utc(starts)}"
            )
        if self.expires_at is None:
            return "no end known"
        if self.state == "expired":
            return f"expired {humanize_relative_time(self.expires_at, now)}, at {format_utc(self.expires_at)}"
        return f"expires {humanize_relative_time(self.expires_at, now)}, at {format_utc(self.expires_at)}"

    def suggest_fix_if_not_yet_valid(self, now: float) -> str | None:
        """Return what to do about a token that is not valid yet; None for any other."""
        if self.state != "not_yet_valid" or self.valid_from is None:
            return None
        issued = next((moment.epoch for moment in self.times if moment.name == "iat"), None)
        ahead = self.valid_from if issued is None else issued
        if ahead <= now + CLOCK_TOLERANCE_S:
            return f"wait until {format_utc(self.valid_from)}; or ask its issuer for one that begins at once"
        behind = f"this computer's clock is {humanize_duration(ahead - now)} behind the issuer's, at least"
        if issued is None:
            return f"see whether the clock here is right: date -u; if it is not meant for later, {behind}"
        return f"{behind}, and a new token would be no better: set the wrong one right; see date -u"


def inspect_token(token: str, *, now: float, stored: TokenSet | None = None) -> Inspection:
    """Explain `token`, with the times and scope that were `stored` with it where it says none.

    Raises:
        TokenInvalid: nothing is there, more than any token, or characters that no token has.
    """
    if not token.strip():
        raise InvalidTokenError(
            "there is no token: the text is empty", fix="tokencli inspect --help"
        )
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidTokenError(
            f"this is no token: it is longer than {MAX_TOKEN_LENGTH // 1024} KiB"
        )
    if stored is None and not _TOKEN_CHARS.issuperset(token):
        raise InvalidTokenError(
            "this is not a token: it has spaces, control characters or letters outside ASCII",
            fix="tokencli inspect -   takes the token alone on stdin",
        )
    decoded = decode_token(token)
    claims = decoded.claims
    at = {moment.name: moment for moment in read_time_claims(claims)}
    said = [*collect_remarks(decoded, now)]
    expires = at["exp"].epoch if "exp" in at else None
    not_before = at["nbf"].epoch if "nbf" in at else None
    starts = at["iat"].epoch if "iat" in at else not_before
    if stored is not None:
        if expires is None:
            expires, starts = stored.expires_at, stored.obtained_at
        elif stored.expires_at is not None and abs(stored.expires_at - expires) > CLOCK_TOLERANCE_S:
            said.append(
                f"its exp is {humanize_duration(stored.expires_at - expires)} off what the server's reply said"
            )
    state: TokenState = "unknown" if expires is None else "valid"
    if expires is not None and expires <= now:
        state = "expired"
    elif not_before is not None and not_before > now + CLOCK_TOLERANCE_S:
        state, starts = "not_yet_valid", not_before
    granted = collect_scopes(claims)
    if not granted and stored is not None:
        granted = tuple((stored.scope or "").split())
    return Inspection(
        kind=decoded.kind,
        state=state,
        header=decoded.header,
        claims=claims,
        disclosures=decoded.disclosures,
        times=tuple(at.values()),
        valid_from=starts,
        expires_at=expires,
        used_fraction=_used_fraction(starts, expires, now),
        scopes=granted,
        audience=strings_of_claim(claims.get("aud")),
        issuer=_str_or_none(claims.get("iss")),
        subject=_str_or_none(claims.get("sub")),
        remarks=tuple(said),
    )


def require_stored_token(profile: Profile, ctx: Context) -> TokenSet:
    """Return the token that is stored for the profile, fresh or not; nothing is fetched.

    Raises:
        CredentialsError: none is stored. StorageError, KeyringError: the store can't be read.
    """
    bound = derive_binding(profile)
    stored = find_stored_token(profile, ctx)
    if stored is None or stored.binding != bound:
        raise CredentialsError(
            f"no token is stored for profile {profile.name!r}", fix=f"tokencli get {profile.name}"
        )
    return stored.token


def extract_pasted_token(pasted: str) -> str:
    """Return the token in what somebody pasted: without header name, `Bearer`, quotes and line breaks,
    and without spaces where that makes it one that can be read."""
    text = pasted.strip().strip("\"'").strip()
    for prefix in ("authorization:", "bearer ", "dpop "):
        if f"{text} "[: len(prefix)].lower() == prefix:
            text = text[len(prefix) :].strip()
    text = text.strip("\"'")
    joined = "".join(text.split())
    lines = "".join(line.strip() for line in text.split("\n"))
    return lines if decode_token(joined).kind == "opaque" else joined


def _used_fraction(starts: float | None, expires: float | None, now: float) -> float | None:
    if starts is None or expires is None:
        return None
    if expires <= starts:
        return 1.0 if expires <= now else 0.0
    life = expires - starts
    return min(1.0, max(0.0, (now - starts) / life)) if isfinite(life) else None


def _str_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None

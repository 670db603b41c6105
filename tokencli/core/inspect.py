"""Inspect a token: decode what it says about itself, and on request check it with its server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Literal

from tokencli.core.token_life import RefreshEnd, TokenLife
from tokencli.errors import InvalidTokenError
from tokencli.humanize import describe_clock, format_time, humanize_duration, humanize_relative_time
from tokencli.jwt.decode import MAX_TOKEN_LENGTH, TokenKind, decode_token, strings_of_claim
from tokencli.jwt.explain import (
    MILLISECONDS_THRESHOLD,
    ClaimTime,
    collect_scopes,
    describe_opaque_format,
    read_time_claims,
)
from tokencli.jwt.lint import LintFinding, LintSubject, lint_token
from tokencli.models import CLOCK_TOLERANCE_S, Profile, TokenSet

_TOKEN_CHARS = frozenset(map(chr, range(0x21, 0x7F)))
"""The characters of a token: no others fit into a header (RFC 6750 section 2.1 allows even fewer)."""

CLIENT_CLAIMS = ("azp", "client_id", "cid", "appid")
"""Claims that name the client: OpenID Connect Core section 2, RFC 9068 section 2.2, Okta, Entra."""

TokenState = Literal["valid", "expired", "not_yet_valid", "unknown"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known about a token without checking its signature."""

    kind: TokenKind
    state: TokenState
    """According to its own times; `unknown` if its expiry isn't known."""
    header: Mapping[str, object]
    claims: Mapping[str, object]
    disclosures: tuple[object, ...]
    times: tuple[ClaimTime, ...]
    valid_from: float | None
    """Epoch seconds, if known."""
    expires_at: float | None
    """Epoch seconds; None if unknown, or if it does not expire."""
    used_fraction: float | None
    """The share of its lifetime that is over, 0 to 1."""
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    issuer: str | None
    subject: str | None
    client: str | None
    """The client it was issued to: by the first of CLIENT_CLAIMS."""
    remarks: tuple[str, ...]
    """What is worth knowing, with the findings that can explain why a call fails."""
    findings: tuple[LintFinding, ...]
    damage: str | None
    """Why it is not a complete token, as a clause."""
    valid_for: float | None = None
    """Seconds for which it is still valid by the server's reply, if its own expiry is earlier."""
    life: TokenLife = field(default_factory=TokenLife)
    """Its times, by the server's clock."""

    @property
    def lifetime(self) -> float | None:
        """The whole lifetime in seconds, if it is known and finite."""
        if self.valid_from is None or self.expires_at is None or self.expires_at < self.valid_from:
            return None
        lifetime = self.expires_at - self.valid_from
        return lifetime if isfinite(lifetime) else None

    def describe_state(self, now: float) -> str:
        """Return the state as a clause, e.g. `expired 2 years ago, at 2024-05-23 12:10:18 UTC`."""
        if self.state == "not_yet_valid" and self.valid_from is not None:
            verb, epoch = "becomes valid", self.valid_from
        elif self.expires_at is None:
            return "does not expire" if self.state == "valid" else "expiry unknown"
        else:
            verb, epoch = "expired" if self.state == "expired" else "expires", self.expires_at
        return f"{verb} {humanize_relative_time(epoch, now)}, at {format_time(epoch)}"

    def explain_clock(self, now: float) -> tuple[str | None, str | None]:
        """Return the likely cause and a fix if the token isn't valid because a clock is wrong."""
        if self.state == "expired" and self.expires_at is not None and self.valid_for is not None:
            cause = (
                f"by the server's reply it is valid for {humanize_duration(self.valid_for)} more, so"
                f" this computer's clock is at least {humanize_duration(now - self.expires_at)} ahead"
                " of the server's, and a new token wouldn't help"
            )
            return cause, "date -u"
        if self.state != "not_yet_valid" or self.valid_from is None:
            return None, None
        if self.valid_from > MILLISECONDS_THRESHOLD:
            return (
                "its times are not in seconds, as RFC 7519 requires, so recipients refuse it",
                None,
            )
        issued = next((time.epoch for time in self.times if time.name == "iat"), None)
        issuer_time = self.valid_from if issued is None else issued
        if issuer_time <= now + CLOCK_TOLERANCE_S:
            return f"it is meant for later use: wait until {format_time(self.valid_from)}", None
        skew = humanize_duration(issuer_time - now)
        cause = f"this computer's clock is at least {skew} behind the issuer's"
        if issued is None:
            return f"unless the token is meant for later, {cause}", "date -u"
        return f"{cause}, so a new token wouldn't help", "date -u"


def _describe_character(character: str) -> str:
    if character.isspace():
        return "spaces or line breaks"
    kind = "a control character" if character.isascii() else "a non-ASCII character"
    return f"{kind} (U+{ord(character):04X})"


def inspect_token(
    token: str,
    *,
    now: float,
    stored: TokenSet | None = None,
    remarks: Sequence[str] = (),
    profile: Profile | None = None,
    refresh_end: RefreshEnd | None = None,
    is_id_token: bool = False,
) -> Inspection:
    """Decode `token`. Times and scope that it doesn't contain are taken from the `stored` token set.

    If that knows how wrong this computer's clock is, the server's counts. `remarks` are those on where
    it was found. With its `profile`, the token is compared with what that requests,
    except an ID token, which has no scope.
    `refresh_end` is when the stored refresh token ends, by the same clock as the times of `stored`.

    Raises:
        InvalidTokenError: it is empty, too long, or has characters that no token has.
    """
    if not token.strip():
        raise InvalidTokenError("the token is empty")
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidTokenError(f"not a token: longer than {MAX_TOKEN_LENGTH // 1024} KiB")
    if stored is None and (foreign := [char for char in token if char not in _TOKEN_CHARS]):
        raise InvalidTokenError(f"not a token: it has {_describe_character(foreign[0])}")
    if stored is not None and stored.clock_skew is not None:
        clock = describe_clock(stored.clock_skew)
        if refresh_end is not None:
            refresh_end = replace(refresh_end, epoch=refresh_end.epoch - stored.clock_skew)
        remarks = (*remarks, f"times are {clock}")
        now, stored = stored.server_time(now), stored.in_server_time()
    decoded = decode_token(token)
    claims = decoded.claims
    times = {time.name: time for time in read_time_claims(claims)}
    own_remarks = []
    if decoded.kind == "opaque" and (remark := describe_opaque_format(token)):
        own_remarks.append(remark)
    expires = times["exp"].epoch if "exp" in times else None
    not_before = times["nbf"].epoch if "nbf" in times else None
    starts = times["iat"].epoch if "iat" in times else not_before
    valid_for: float | None = None
    if stored is not None:
        if expires is None:
            expires, starts = stored.known_expiry, stored.obtained_at
        elif (stated := stored.known_expiry) and abs(stated - expires) > CLOCK_TOLERANCE_S:
            valid_for = stated - now if stated > now + CLOCK_TOLERANCE_S else None
            difference = humanize_duration(stated - expires)
            own_remarks.append(f"its exp differs by {difference} from the server's reply")
    never_expires = "exp" not in times and stored is not None and stored.never_expires
    state: TokenState = "valid" if expires is not None or never_expires else "unknown"
    if expires is not None and expires <= now:
        state = "expired"
    elif not_before is not None and not_before > now + CLOCK_TOLERANCE_S:
        state, starts = "not_yet_valid", not_before
    scopes = collect_scopes(claims)
    if not scopes and stored is not None:
        scopes = tuple((stored.scope or "").split())
    subject = LintSubject(
        decoded,
        now,
        len(token),
        scopes,
        requested_scope=None if profile is None or is_id_token else profile.scope,
        client_is_public=profile is not None
        and profile.client_auth == "none"
        and "client_id" in profile.values,
        is_known_id_token=is_id_token,
    )
    issued = times["iat"].epoch if "iat" in times else None
    if issued is None and stored is not None:
        issued = stored.obtained_at
    if issued is None:
        issued = not_before
    is_delayed = not_before is not None and issued is not None and not_before > issued
    min_ttl = None if profile is None else profile.reachable_min_ttl()
    life = TokenLife(
        issued=issued,
        valid_from=not_before if is_delayed else None,
        refresh_due=None if stored is None or never_expires else stored.fresh_until(min_ttl),
        expires=expires,
        refresh_end=None if refresh_end is None else refresh_end.epoch,
        is_refresh_end_estimated=refresh_end is not None and refresh_end.is_estimate,
    )
    findings = lint_token(subject)
    found_remarks = (finding.text for finding in findings if finding.is_remark)
    return Inspection(
        kind=decoded.kind,
        state=state,
        header=decoded.header,
        claims=claims,
        disclosures=decoded.disclosures,
        times=tuple(times.values()),
        valid_from=starts,
        expires_at=expires,
        used_fraction=_used_fraction(starts, expires, now),
        scopes=scopes,
        audience=strings_of_claim(claims.get("aud")),
        issuer=_str_or_none(claims.get("iss")),
        subject=_str_or_none(claims.get("sub")),
        client=next(filter(None, (_str_or_none(claims.get(name)) for name in CLIENT_CLAIMS)), None),
        remarks=(*remarks, *found_remarks, *own_remarks),
        findings=findings,
        damage=decoded.damage if stored is None or decoded.kind != "opaque" else None,
        valid_for=valid_for,
        life=life,
    )


def _used_fraction(starts: float | None, expires: float | None, now: float) -> float | None:
    if starts is None or expires is None:
        return None
    if expires <= starts:
        return 1.0 if expires <= now else 0.0
    lifetime = expires - starts
    return min(1.0, max(0.0, (now - starts) / lifetime)) if isfinite(lifetime) else None


def _str_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None

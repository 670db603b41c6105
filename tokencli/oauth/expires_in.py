"""How long a token lives, from whatever the reply says of it. Total: nothing raises."""

from math import isfinite

TEN_YEARS_S = 10 * 365.25 * 86400


def parse_expires_in(raw: object) -> tuple[float | None, str | None]:
    """Return the life in seconds that `expires_in` states, and what is odd about it.

    Numbers and strings of digits are taken (RFC 6749 section 5.1 says a number; several servers
    send a string); None means that nothing usable was said. A negative life is none at all.
    """
    if raw is None:
        return None, None
    value = _parse_number(raw)
    if value is None or not isfinite(value):
        return None, "its expires_in is not a number of seconds, and was left aside"
    if value < 0:
        return 0.0, "its expires_in is negative: the token counts as expired"
    if value > TEN_YEARS_S:
        return TEN_YEARS_S, (
            "its expires_in is longer than ten years (milliseconds, perhaps?); ten years are assumed"
        )
    return value, None


def _parse_number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def lifetime_from_claims(claims: object, started: float | None = None) -> float | None:
    """Return exp - iat of a JWT's claims, in seconds: its whole life by its issuer's own clock.

    Where it names no iat, its life is counted from `started` by this machine's clock.
    """
    if not isinstance(claims, dict):
        return None
    exp, iat = (_parse_number(claims.get(name)) for name in ("exp", "iat"))
    iat = started if iat is None else iat
    if exp is None or iat is None or not (isfinite(exp) and isfinite(iat)):
        return None
    return max(0.0, min(exp - iat, TEN_YEARS_S))

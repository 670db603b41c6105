"""Determine a token's lifetime from the reply and the token. Nothing raises, and nothing is guessed."""

import re
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from math import isfinite

from tokencli.jwt.decode import decode_token
from tokencli.models import NEVER_S, Profile
from tokencli.provider_schema import Reply
from tokencli.providers.reply_locator import ReplyDocument

DAY_S = 86_400
TEN_YEARS_S = 3652 * DAY_S
"""The longest lifetime that is believed: ten years, and less than `NEVER_S`."""
EXCLUSIVE_MARGIN_S = 10.0
"""The longest expiry margin, in seconds, of a token that a newer one would end."""
UNIT_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
YEAR_3000_S = 32_503_680_000
"""Epoch seconds beyond this must be in another unit."""

_DECIMAL = r"\s*-?\d{1,40}(?:\.\d*)?\s*"
_LONG_FRACTION = r"(\.\d{6})\d+"
_LEAP_SECOND = r"(T\d\d:\d\d:)60"
_NON_STRPTIME_FORMATS = (None, "http", "h:m:s")
_UTC_SUFFIXES = ("UTC", "GMT")
_H_M_S = r"(\d{1,7}):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?"


def compute_lifetime(
    places: Reply, document: ReplyDocument, access_token: str | None, started_at: float
) -> tuple[float | None, tuple[str, ...]]:
    """Return the token's lifetime in seconds from `started_at`, and remarks on what looks wrong.

    It is the lifetime that the reply states, or that of the token's own claims if that is shorter;
    if neither says anything, the provider's `ttl`.
    """
    end, duration = document.first_match(places.expires_at), document.first_match(places.expires_in)
    stated = next((value for value in (end, duration) if value is not None), None)
    if _to_comparable_text(stated) in places.never:
        return NEVER_S, ()
    # Times that the server states are by its own clock.
    server_started_at = started_at - (document.reply.clock_skew or 0.0)
    remarks: list[str] = []
    issued_at = _parse_time(document.first_match(places.issued_at), places)
    seconds: float | None = None
    if end is not None:
        base = server_started_at if issued_at is None else issued_at
        seconds = _seconds_until(end, places, base, remarks)
    if seconds is None and duration is not None:
        seconds = _parse_duration(duration, places, remarks)
        if seconds is not None and issued_at is not None:
            # The server counts from its own issue time, so its own clock says how much has passed.
            server_time = document.reply.server_time
            now = started_at if server_time is None else server_time
            seconds = max(0.0, seconds - max(0.0, now - issued_at))
    claimed = (
        lifetime_from_claims(decode_token(access_token).claims, server_started_at)
        if access_token
        else None
    )
    if claimed is not None:
        if seconds is not None and claimed > 0 and 500 <= seconds / claimed <= 2000:
            remarks.append(
                "its stated lifetime is a thousand times that of the token itself, so it is in"
                ' milliseconds and the provider needs time_unit = "ms"'
            )
        seconds = claimed if seconds is None else min(seconds, claimed)
    if seconds is None and places.ttl is not None:
        seconds = NEVER_S if places.ttl == "never" else float(places.ttl)
    return seconds, tuple(remarks)


def parse_expires_in(raw: object) -> tuple[float | None, str | None]:
    """Return the seconds that `expires_in` states, and a remark if they look wrong.

    Numbers and numeric strings are accepted: RFC 6749 section 5.1 requires a number, several servers
    send a string. None means that it states nothing usable. A negative lifetime counts as 0.
    """
    if raw is None:
        return None, None
    value = _parse_number(raw)
    if value is None:
        return None, "its expires_in is not a number of seconds, and was ignored"
    if value < 0:
        return 0.0, "its expires_in is negative, so the token counts as expired"
    if value > TEN_YEARS_S:
        return TEN_YEARS_S, (
            "its expires_in is more than ten years (in milliseconds?); ten years are assumed"
        )
    return value, None


def lifetime_from_claims(claims: object, started_at: float | None = None) -> float | None:
    """Return exp - iat of a JWT's claims in seconds: its lifetime by its issuer's own clock.

    Without `iat` it is counted from `started_at`.
    """
    if not isinstance(claims, dict):
        return None
    exp, iat = (_parse_number(claims.get(name)) for name in ("exp", "iat"))
    iat = started_at if iat is None else iat
    if exp is None or iat is None:
        return None
    return max(0.0, min(exp - iat, TEN_YEARS_S))


def get_expiry_margin(profile: Profile) -> float | None:
    """Return the seconds before expiry at which the token is replaced, if its provider decides that."""
    issuing = profile.provider.issuing
    if issuing.exclusive or issuing.max_sessions is not None:
        return min(EXCLUSIVE_MARGIN_S, issuing.sticky or EXCLUSIVE_MARGIN_S)
    return issuing.sticky


def _to_comparable_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _seconds_until(raw: object, places: Reply, base: float, remarks: list[str]) -> float | None:
    """Return the seconds from `base` to the time in the reply."""
    moment = _parse_time(raw, places)
    if moment is None:
        lacks_zone = _parse_time(raw, replace(places, time_zone="UTC")) is not None
        reason = " (it has no zone: set time_zone)" if lacks_zone else ""
        remarks.append(
            f"its expiry time is not in the provider's time_format{reason}, and was ignored"
        )
        return None
    if moment < base - DAY_S:
        remarks.append(
            "its expiry is more than a day in the past, so it is in another unit than the"
            f" provider's time_unit ({places.time_unit}), or one of the clocks is wrong"
        )
    if moment > YEAR_3000_S:
        remarks.append(
            "its expiry is after the year 3000, so it is in another unit than the provider's"
            f" time_unit ({places.time_unit}), and was ignored"
        )
        return None
    return max(0.0, min(moment - base, TEN_YEARS_S))


def _parse_duration(raw: object, places: Reply, remarks: list[str]) -> float | None:
    if places.time_format == "h:m:s" and isinstance(raw, str):
        match = re.fullmatch(_H_M_S, raw.strip())
        if match is not None:
            hours, minutes, seconds_text = match.groups("0")
            return min(int(hours) * 3600 + int(minutes) * 60 + float(seconds_text), TEN_YEARS_S)
    factor = UNIT_SECONDS[places.time_unit]
    number = _parse_decimal(raw)
    if number is None and factor != 1:
        remarks.append("its lifetime is not a number, and was ignored")
        return None
    seconds, remark = parse_expires_in(raw if number is None or factor == 1 else number * factor)
    if remark:
        remarks.append(remark)
    elif factor == 1 and seconds is not None and _looks_like_milliseconds(seconds):
        remarks.append(
            f"its stated lifetime is {seconds:.0f} seconds, {seconds / DAY_S:.0f} days; if these are"
            ' milliseconds, the provider needs time_unit = "ms"'
        )
    return seconds


def _looks_like_milliseconds(seconds: float) -> bool:
    """Return whether it is whole minutes in milliseconds, but no usual number of days."""
    whole_minutes = seconds >= 20 * 60_000 and seconds % 60_000 == 0
    return whole_minutes and (seconds % DAY_S != 0 or seconds > 2 * 366 * DAY_S)


def _parse_time(raw: object, places: Reply) -> float | None:
    """Return a time in epoch seconds, or None if it is none.

    The provider's `time_format` is tried before a number: 20310102030405 may be a date.
    """
    number = _parse_decimal(raw)
    if (
        number is not None
        and isinstance(raw, str)
        and places.time_format not in _NON_STRPTIME_FORMATS
    ):
        moment = _parse_time_text(raw, places)
        if moment is not None:
            return moment
    if number is not None:
        factor = UNIT_SECONDS[places.time_unit]
        return number * factor if factor < 1 else number
    return _parse_time_text(raw, places) if isinstance(raw, str) and raw.isascii() else None


def _parse_time_text(raw: str, places: Reply) -> float | None:
    try:
        moment = _parse_datetime(raw.strip()[:100], places.time_format)
        if moment.tzinfo is None:
            if places.time_zone is not None:
                moment = moment.replace(tzinfo=_load_time_zone(places.time_zone))
            elif places.time_format == "http" or raw.rstrip().upper().endswith(_UTC_SUFFIXES):
                moment = moment.replace(tzinfo=UTC)
            else:
                return None
        return moment.timestamp()
    except (ValueError, OverflowError, KeyError, TypeError, IndexError):
        return None


def _parse_datetime(text: str, time_format: str | None) -> datetime:
    if time_format is None or time_format == "h:m:s":
        # RFC 3339 section 5.6 allows lower case and leap seconds.
        text = re.sub(_LEAP_SECOND, r"\g<1>59", text.upper())
        return datetime.fromisoformat(re.sub(_LONG_FRACTION, r"\1", text))
    if time_format == "http":
        return parsedate_to_datetime(text)
    return datetime.strptime(text, time_format)


def _load_time_zone(name: str) -> tzinfo:
    from zoneinfo import (
        ZoneInfo,  # start-up cost: it reads the system's data, few providers need it
    )

    return ZoneInfo(name)


def _parse_decimal(raw: object) -> float | None:
    """Return a number, or a string in plain decimal notation, as a float."""
    return None if isinstance(raw, str) and not re.fullmatch(_DECIMAL, raw) else _parse_number(raw)


def _parse_number(raw: object) -> float | None:
    """Return a number or a numeric string as a finite float."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if isfinite(value) else None

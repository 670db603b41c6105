"""When a token ends, by a provider's own rules. Total: nothing raises, and nothing is guessed."""

import re
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from math import isfinite

from tokencli.jwt.decode import decode_token
from tokencli.oauth import expires_in
from tokencli.provider_schema import Reply
from tokencli.providers.reply_locator import ReplyDocument

UNIT_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
YEAR_3000_S = 32_503_680_000
"""Epoch seconds beyond this are another unit."""

_DECIMAL = re.compile(r"\s*-?\d{1,40}(?:\.\d*)?\s*")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_LEAP_SECOND = re.compile(r"(T\d\d:\d\d:)60")
_NON_STRPTIME_FORMATS = (None, "http", "h:m:s")
_UTC_SUFFIXES = ("UTC", "GMT")
DAY_S = 86_400
_H_M_S = re.compile(r"(\d{1,7}):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?")


def compute_lifetime(
    where: Reply, found: ReplyDocument, access: str | None, started: float
) -> tuple[float | None, tuple[str, ...]]:
    """Return the token's life in seconds from `started`, and what was odd about what was said.

    The reply's own word, or the token's own claims where they are shorter; `ttl` where both are
    silent.
    """
    end, life = found.first_match(where.expires_at), found.first_match(where.expires_in)
    said = next((value for value in (end, life) if value is not None), None)
    if _to_comparable_text(said) in where.never:
        return expires_in.TEN_YEARS_S, ()
    remarks: list[str] = []
    base = _parse_time(found.first_match(where.issued_at), where)
    seconds: float | None = None
    if end is not None:
        seconds = _seconds_until(end, where, started if base is None else base, remarks)
    if seconds is None and life is not None:
        seconds = _parse_duration(life, where, remarks)
        if seconds is not None and base is not None:
            seconds = max(0.0, seconds - max(0.0, _get_server_time(found, started) - base))
    claimed = (
        expires_in.lifetime_from_claims(decode_token(access).claims, started) if access else None
    )
    if claimed is not None:
        if seconds is not None and claimed > 0 and 500 <= seconds / claimed <= 2000:
            remarks.append(
                "its life is a thousand times that of the token itself: it is in milliseconds, and"
                ' the provider should say time_unit = "ms"'
            )
        seconds = claimed if seconds is None else min(seconds, claimed)
    if seconds is None and where.ttl is not None:
        seconds = expires_in.TEN_YEARS_S if where.ttl == "never" else float(where.ttl)
    return seconds, tuple(remarks)


def _get_server_time(found: ReplyDocument, started: float) -> float:
    """Return the time of the reply by the server's own clock, by which it counts, else by ours."""
    try:
        return parsedate_to_datetime(found.reply.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError, IndexError):
        return started


def _to_comparable_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _seconds_until(raw: object, where: Reply, base: float, remarks: list[str]) -> float | None:
    """Return the seconds from `base` to the time that is written."""
    moment = _parse_time(raw, where)
    if moment is None:
        remarks.append(
            "the time of its end is not written as the provider says, and was left aside"
        )
        return None
    if moment < base - DAY_S:
        remarks.append(
            "its end lies more than a day back, so it is in another unit than the provider's"
            f" time_unit ({where.time_unit}), or one of the clocks is wrong"
        )
    if moment > YEAR_3000_S:
        remarks.append(
            "its end lies beyond the year 3000, so it is in another unit than the provider's"
            f" time_unit ({where.time_unit}), and was left aside"
        )
        return None
    return max(0.0, min(moment - base, expires_in.TEN_YEARS_S))


def _parse_duration(raw: object, where: Reply, remarks: list[str]) -> float | None:
    if where.time_format == "h:m:s" and isinstance(raw, str):
        clock = _H_M_S.fullmatch(raw.strip())
        if clock is not None:
            hours, minutes, rest = clock.groups("0")
            return min(int(hours) * 3600 + int(minutes) * 60 + float(rest), expires_in.TEN_YEARS_S)
    factor = UNIT_SECONDS[where.time_unit]
    number = _parse_finite_number(raw)
    if number is None and factor != 1:
        remarks.append("its life is not a number, and was left aside")
        return None
    seconds, odd = expires_in.parse_expires_in(
        raw if number is None or factor == 1 else number * factor
    )
    if odd:
        remarks.append(odd)
    elif factor == 1 and seconds is not None and _looks_like_milliseconds(seconds):
        remarks.append(
            f"its life is said to be {seconds:.0f} seconds, {seconds / DAY_S:.0f} days: if these are"
            ' milliseconds, the provider has to say time_unit = "ms"'
        )
    return seconds


def _looks_like_milliseconds(seconds: float) -> bool:
    """Tell whether a life is round in minutes of milliseconds, and in no days that anybody gives."""
    whole = seconds >= 20 * 60_000 and seconds % 60_000 == 0
    return whole and (seconds % DAY_S != 0 or seconds > 2 * 366 * DAY_S)


def _parse_time(raw: object, where: Reply) -> float | None:
    """Return the epoch seconds of a time, None where it is not one.

    Where the provider says how it is written, that comes first: 20310102030405 is no number then.
    """
    number = _parse_finite_number(raw)
    if (
        number is not None
        and isinstance(raw, str)
        and where.time_format not in _NON_STRPTIME_FORMATS
    ):
        written = _parse_time_text(raw, where)
        if written is not None:
            return written
    if number is not None:
        factor = UNIT_SECONDS[where.time_unit]
        return number * factor if factor < 1 else number
    return _parse_time_text(raw, where) if isinstance(raw, str) and raw.isascii() else None


def _parse_time_text(raw: str, where: Reply) -> float | None:
    """Return the epoch seconds of a time in words or digits, None where it is not one."""
    try:
        moment = _parse_datetime(raw.strip()[:100], where.time_format)
        if moment.tzinfo is None:
            if where.time_zone is not None:
                moment = moment.replace(tzinfo=_load_time_zone(where.time_zone))
            elif where.time_format == "http" or raw.rstrip().upper().endswith(_UTC_SUFFIXES):
                moment = moment.replace(tzinfo=UTC)
            else:
                return None
        return moment.timestamp()
    except (ValueError, OverflowError, KeyError, TypeError, IndexError):
        return None


def _parse_datetime(text: str, form: str | None) -> datetime:
    if form is None or form == "h:m:s":
        text = _LEAP_SECOND.sub(
            r"\g<1>59", text.upper()
        )  # RFC 3339 section 5.6: either case, and leap seconds
        return datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text))
    return parsedate_to_datetime(text) if form == "http" else datetime.strptime(text, form)


def _load_time_zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # it looks for the machine's data: few providers need any

    return ZoneInfo(name)


def _parse_finite_number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    if isinstance(raw, str) and not _DECIMAL.fullmatch(raw):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if isfinite(value) else None

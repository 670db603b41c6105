"""When a token ends, by a provider's own rules. Total: nothing raises, and nothing is guessed."""

import re
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from math import isfinite

from tokencli.jwt.decode import decode
from tokencli.providers import expiry
from tokencli.providers.places import Document
from tokencli.providers.spec import Reply

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
YEAR_3000 = 32_503_680_000
"""Epoch seconds beyond this are another unit."""

_NUMBER = re.compile(r"\s*-?\d{1,40}(?:\.\d*)?\s*")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_LEAP = re.compile(r"(T\d\d:\d\d:)60")
_NO_STRPTIME = (None, "http", "h:m:s")
_IN_UTC = ("UTC", "GMT")
DAY_S = 86_400
_CLOCK = re.compile(r"(\d{1,7}):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?")


def lifetime(
    where: Reply, found: Document, access: str | None, started: float
) -> tuple[float | None, tuple[str, ...]]:
    """Return the token's life in seconds from `started`, and what was odd about what was said.

    The reply's own word, or the token's own claims where they are shorter; `ttl` where both are
    silent.
    """
    end, life = found.first(where.expires_at), found.first(where.expires_in)
    said = next((value for value in (end, life) if value is not None), None)
    if _word(said) in where.never:
        return expiry.TEN_YEARS_S, ()
    remarks: list[str] = []
    base = _moment(found.first(where.issued_at), where)
    seconds: float | None = None
    if end is not None:
        seconds = _until(end, where, started if base is None else base, remarks)
    if seconds is None and life is not None:
        seconds = _lasting(life, where, remarks)
        if seconds is not None and base is not None:
            seconds = max(0.0, seconds - max(0.0, _now(found, started) - base))
    claimed = expiry.from_claims(decode(access).claims, started) if access else None
    if claimed is not None:
        if seconds is not None and claimed > 0 and 500 <= seconds / claimed <= 2000:
            remarks.append(
                "its life is a thousand times that of the token itself: it is in milliseconds, and"
                ' the provider should say time_unit = "ms"'
            )
        seconds = claimed if seconds is None else min(seconds, claimed)
    if seconds is None and where.ttl is not None:
        seconds = expiry.TEN_YEARS_S if where.ttl == "never" else float(where.ttl)
    return seconds, tuple(remarks)


def _now(found: Document, started: float) -> float:
    """Return the time of the reply by the server's own clock, by which it counts, else by ours."""
    try:
        return parsedate_to_datetime(found.reply.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError, IndexError):
        return started


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _until(raw: object, where: Reply, base: float, remarks: list[str]) -> float | None:
    """Return the seconds from `base` to the time that is written."""
    moment = _moment(raw, where)
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
    if moment > YEAR_3000:
        remarks.append(
            "its end lies beyond the year 3000, so it is in another unit than the provider's"
            f" time_unit ({where.time_unit}), and was left aside"
        )
        return None
    return max(0.0, min(moment - base, expiry.TEN_YEARS_S))


def _lasting(raw: object, where: Reply, remarks: list[str]) -> float | None:
    if where.time_format == "h:m:s" and isinstance(raw, str):
        clock = _CLOCK.fullmatch(raw.strip())
        if clock is not None:
            hours, minutes, rest = clock.groups("0")
            return min(int(hours) * 3600 + int(minutes) * 60 + float(rest), expiry.TEN_YEARS_S)
    factor = UNITS[where.time_unit]
    number = _number(raw)
    if number is None and factor != 1:
        remarks.append("its life is not a number, and was left aside")
        return None
    seconds, odd = expiry.seconds(raw if number is None or factor == 1 else number * factor)
    if odd:
        remarks.append(odd)
    elif factor == 1 and seconds is not None and _like_milliseconds(seconds):
        remarks.append(
            f"its life is said to be {seconds:.0f} seconds, {seconds / DAY_S:.0f} days: if these are"
            ' milliseconds, the provider has to say time_unit = "ms"'
        )
    return seconds


def _like_milliseconds(seconds: float) -> bool:
    """Tell whether a life is round in minutes of milliseconds, and in no days that anybody gives."""
    whole = seconds >= 20 * 60_000 and seconds % 60_000 == 0
    return whole and (seconds % DAY_S != 0 or seconds > 2 * 366 * DAY_S)


def _moment(raw: object, where: Reply) -> float | None:
    """Return the epoch seconds of a time, None where it is not one.

    Where the provider says how it is written, that comes first: 20310102030405 is no number then.
    """
    number = _number(raw)
    if number is not None and isinstance(raw, str) and where.time_format not in _NO_STRPTIME:
        written = _written(raw, where)
        if written is not None:
            return written
    if number is not None:
        factor = UNITS[where.time_unit]
        return number * factor if factor < 1 else number
    return _written(raw, where) if isinstance(raw, str) and raw.isascii() else None


def _written(raw: str, where: Reply) -> float | None:
    """Return the epoch seconds of a time in words or digits, None where it is not one."""
    try:
        moment = _parsed(raw.strip()[:100], where.time_format)
        if moment.tzinfo is None:
            if where.time_zone is not None:
                moment = moment.replace(tzinfo=_zone(where.time_zone))
            elif where.time_format == "http" or raw.rstrip().upper().endswith(_IN_UTC):
                moment = moment.replace(tzinfo=UTC)
            else:
                return None
        return moment.timestamp()
    except (ValueError, OverflowError, KeyError, TypeError, IndexError):
        return None


def _parsed(text: str, form: str | None) -> datetime:
    if form is None or form == "h:m:s":
        text = _LEAP.sub(
            r"\g<1>59", text.upper()
        )  # RFC 3339 section 5.6: either case, and leap seconds
        return datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    return parsedate_to_datetime(text) if form == "http" else datetime.strptime(text, form)


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # it looks for the machine's data: few providers need any

    return ZoneInfo(name)


def _number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    if isinstance(raw, str) and not _NUMBER.fullmatch(raw):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if isfinite(value) else None

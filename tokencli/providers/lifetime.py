"""When a token ends, by a provider's own rules. Total: nothing raises, and nothing is guessed."""

import re
from datetime import datetime, tzinfo
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
            seconds = max(0.0, min(seconds, base + seconds - started))
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


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _until(raw: object, where: Reply, base: float, remarks: list[str]) -> float | None:
    """Return the seconds from `base` to the time that is written."""
    moment = _moment(raw, where)
    if moment is None:
        remarks.append(
            "the time of its end is not written as the provider says, and was left aside"
        )
        return None
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
    seconds, odd = expiry.seconds(raw if number is None or factor == 1 else number * factor)
    if odd:
        remarks.append(odd)
    return seconds


def _moment(raw: object, where: Reply) -> float | None:
    """Return the epoch seconds of a time, None where it is not one."""
    number = _number(raw)
    if number is not None:
        factor = UNITS[where.time_unit]
        return number * factor if factor < 1 else number
    if not isinstance(raw, str) or not raw.isascii():
        return None
    try:
        moment = _parsed(raw.strip()[:100], where.time_format)
        if moment.tzinfo is None:
            if where.time_zone is None:
                return None
            moment = moment.replace(tzinfo=_zone(where.time_zone))
        return moment.timestamp()
    except (ValueError, OverflowError, KeyError, TypeError, IndexError):
        return None


def _parsed(text: str, form: str | None) -> datetime:
    if form is None or form == "h:m:s":
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

"""What can go wrong on purpose: one row each, of which the command line makes its options."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokencli.duration import parse_duration
from tokencli.errors import UsageError

_REDIRECT_STATUSES = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong: the rows of FAULTS, read."""

    lifetime: float | None = None
    fail: tuple[int, int | None] | None = None
    """Status, and for how many requests; None for all."""
    slow: float = 0.0
    clock_skew: float = 0.0
    grace: float = 0.0
    no_refresh_token: bool = False
    html: bool = False
    broken_json: bool = False
    no_token: bool = False
    expires_in: str | None = None
    redirect: tuple[int, str] | None = None
    """Status and target."""
    drop: tuple[str, int | None] | None = None
    """`before` or `after`, and for how many requests; None for all."""


@dataclass(frozen=True, slots=True)
class FaultOption:
    """One row: how a fault is asked for."""

    help: str
    parse: Callable[[str], Any] | None = None
    """Reads the option's value; None for a flag."""
    metavar: str | None = None


def _parse_signed_duration(text: str) -> float:
    """Read a duration with a sign before it."""
    return (
        -parse_duration(text[1:])
        if text.startswith("-")
        else parse_duration(text.removeprefix("+"))
    )


def _split_count(text: str) -> tuple[str, int | None]:
    """Split `WHAT[:N]`."""
    what, colon, number = text.partition(":")
    if colon and not number.isdecimal():
        raise ValueError(
            f"what stands after the colon must be a number of requests, not {number!r}"
        )
    return what, int(number) if colon else None


def _parse_status(text: str) -> int:
    if not text.isdecimal() or not 300 <= int(text) <= 599:
        raise ValueError(f"{text!r} is not an HTTP status from 300 to 599")
    return int(text)


def _parse_fail(text: str) -> tuple[int, int | None]:
    status, times = _split_count(text)
    return _parse_status(status), times


def _parse_redirect(text: str) -> tuple[int, str]:
    status, _, target = text.partition(":")
    if _parse_status(status) not in _REDIRECT_STATUSES or not re.fullmatch(r"[!-~]+", target):
        raise ValueError("it must be STATUS:URL, as in 307:https://127.0.0.1:8443/elsewhere")
    return int(status), target


def _parse_drop(text: str) -> tuple[str, int | None]:
    when, times = _split_count(text)
    if when not in ("before", "after"):
        raise ValueError(f"it is `before` or `after`, not {when!r}")
    return when, times


FAULT_OPTIONS: Mapping[str, FaultOption] = {
    "lifetime": FaultOption(
        "Let tokens live this long instead of as documented.", parse_duration, "DURATION"
    ),
    "fail": FaultOption(
        "Answer token requests (the first N of them) with this HTTP status.",
        _parse_fail,
        "STATUS[:N]",
    ),
    "slow": FaultOption(
        "Answer token requests late, after having done the work.", parse_duration, "DURATION"
    ),
    "clock_skew": FaultOption(
        "Let the server's clock be wrong by this much, either way.",
        _parse_signed_duration,
        "[-]DURATION",
    ),
    "grace": FaultOption(
        "Forgive a refresh token that is used again for this long; else its family dies at once.",
        parse_duration,
        "DURATION",
    ),
    "no_refresh_token": FaultOption("Hand out no refresh tokens."),
    "html": FaultOption("Answer token requests with an HTML page and status 200."),
    "broken_json": FaultOption("Answer with JSON that is broken as in the documents' samples."),
    "no_token": FaultOption("Leave access_token out of the reply."),
    "expires_in": FaultOption(
        "Put this raw JSON in the place of expires_in, such as '\"3600.0\"'; empty leaves it out.",
        str,
        "RAW",
    ),
    "redirect": FaultOption(
        "Answer token requests with a redirect.", _parse_redirect, "STATUS:URL"
    ),
    "drop": FaultOption(
        "Close the connection (the first N times) without an answer, before or after the work.",
        _parse_drop,
        "before|after[:N]",
    ),
}


def option_name(name: str) -> str:
    """Return a fault's name on the command line."""
    return "--" + name.replace("_", "-")


def parse_faults(wanted: Mapping[str, object]) -> Faults:
    """Read options by name, as text or as plain numbers; None and False mean that it wasn't asked for.

    Raises:
        UsageError: no such fault, or a value that can't be read.
    """
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in FAULT_OPTIONS:
            raise UsageError(
                f"there is no fault {name!r}",
                fix=f"choose from: {', '.join(sorted(FAULT_OPTIONS))}",
            )
        if value is None or value is False:
            continue
        reader = FAULT_OPTIONS[name].parse
        try:
            found[name] = True if reader is None else reader(str(value))
        except ValueError as error:
            raise UsageError(
                f"{option_name(name)} {str(value)[:200]}: {error}", fix="tokencli sandbox --help"
            ) from error
    return Faults(**found)

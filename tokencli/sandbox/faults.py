"""The faults that the sandbox can inject, one row each; the command's options are generated from them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokencli.duration import parse_duration
from tokencli.errors import UsageError
from tokencli.problems import did_you_mean

_REDIRECT_STATUSES = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Faults:
    """The parsed options of FAULT_OPTIONS."""

    lifetime: float | None = None
    fail: tuple[int, int | None] | None = None
    """Status and number of requests; None means all requests."""
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
    """`before` or `after`, and number of requests; None means all requests."""


@dataclass(frozen=True, slots=True)
class FaultOption:
    """One fault's command-line option."""

    help: str
    parse: Callable[[str], Any] | None = None
    """Parses the option's value; None for a flag."""
    metavar: str | None = None


def _parse_signed_duration(text: str) -> float:
    """Parse a duration with an optional sign."""
    return (
        -parse_duration(text[1:])
        if text.startswith("-")
        else parse_duration(text.removeprefix("+"))
    )


def _split_count(text: str) -> tuple[str, int | None]:
    """Split `WHAT[:N]`."""
    what, colon, number = text.partition(":")
    if colon and not number.isdecimal():
        raise ValueError(f"expected a number of requests after the colon, not {number!r}")
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
        raise ValueError("expected STATUS:URL, e.g. 307:https://127.0.0.1:8443/elsewhere")
    return int(status), target


def _parse_drop(text: str) -> tuple[str, int | None]:
    when, times = _split_count(text)
    if when not in ("before", "after"):
        raise ValueError(f"expected before or after, not {when!r}")
    return when, times


FAULT_OPTIONS: Mapping[str, FaultOption] = {
    "lifetime": FaultOption(
        "Token lifetime, instead of the documented one.", parse_duration, "DURATION"
    ),
    "fail": FaultOption(
        "Fail token requests (only the first N) with this HTTP status.",
        _parse_fail,
        "STATUS[:N]",
    ),
    "slow": FaultOption(
        "Delay the response to token requests, after processing them.", parse_duration, "DURATION"
    ),
    "clock_skew": FaultOption(
        "Set the server's clock ahead (or, with -, behind) by this much.",
        _parse_signed_duration,
        "[-]DURATION",
    ),
    "grace": FaultOption(
        "How long a used refresh token is still accepted; after that, reuse revokes its whole family.",
        parse_duration,
        "DURATION",
    ),
    "no_refresh_token": FaultOption("Issue no refresh tokens."),
    "html": FaultOption("Answer token requests with an HTML page and status 200."),
    "broken_json": FaultOption("Answer with the malformed JSON of the vendors' sample responses."),
    "no_token": FaultOption("Omit access_token from the response."),
    "expires_in": FaultOption(
        "Raw JSON to send as expires_in, e.g. '\"3600.0\"'; an empty value omits it.",
        str,
        "RAW",
    ),
    "redirect": FaultOption(
        "Answer token requests with a redirect.", _parse_redirect, "STATUS:URL"
    ),
    "drop": FaultOption(
        "Close the connection (only the first N times) without a response, before or after processing.",
        _parse_drop,
        "before|after[:N]",
    ),
}


def option_name(name: str) -> str:
    """Return a fault's command-line option, e.g. `--clock-skew`."""
    return "--" + name.replace("_", "-")


def parse_faults(options: Mapping[str, object], other_options: Sequence[str] = ()) -> Faults:
    """Parse options by name, given as text or numbers; None and False mean the option wasn't given.

    `other_options` could have been meant by an unknown name.

    Raises:
        UsageError: an unknown fault, or an invalid value.
    """
    parsed: dict[str, Any] = {}
    for name, value in options.items():
        if name not in FAULT_OPTIONS:
            raise UsageError(
                f"unknown {'option' if other_options else 'fault'} {name!r}",
                cause=did_you_mean(name, (*other_options, *FAULT_OPTIONS)),
            )
        if value is None or value is False:
            continue
        parse = FAULT_OPTIONS[name].parse
        try:
            parsed[name] = True if parse is None else parse(str(value))
        except ValueError as error:
            raise UsageError(
                f"{option_name(name)} {str(value)[:200]}: {error}", fix="tokencli sandbox --help"
            ) from error
    return Faults(**parsed)

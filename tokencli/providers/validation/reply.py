"""Validate how a provider reads replies and failures, and how its tokens are used."""

import re
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from zoneinfo import ZoneInfo

from tokencli.duration import MAX_DURATION
from tokencli.problems import Finding, KeyPath
from tokencli.provider_schema import Errors, IssuanceRules, Reply
from tokencli.providers import reply_locator
from tokencli.providers.validation.template import check_header_template, check_template, run_check

TTL_SUGGESTION = 'must be a number of seconds or "never"'
USAGE_LINE_PATTERN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: \S.*|\?[A-Za-z0-9._~-]+=.*")
"""`Header-Name: template`, or `?name=template`."""
_CONNECTION_HEADERS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "expect", "te", "trailer", "upgrade")
)  # fmt: skip
"""Headers that HTTP clients set themselves."""


def check_reply(reply: Reply, path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in a `reply`."""
    for key in ("access_token", "token_type", "expires_in", "expires_at", "issued_at", "id_token",
                "refresh_token", "scope", "success"):  # fmt: skip
        yield from _check_locators(getattr(reply, key), (*path, key))
    for name, found in reply.outputs.items():
        yield from _check_locators(found, (*path, "outputs", name))
    if reply.compose is not None:
        yield from check_template(reply.compose, {"token", *reply.outputs}, (*path, "compose"))
    if reply.time_zone is not None:
        try:
            ZoneInfo(reply.time_zone)
        except (ValueError, OSError):
            yield Finding((*path, "time_zone"), "is not a time zone", 'e.g. "UTC"')
    if reply.time_format not in (None, "http", "h:m:s"):
        try:
            written = datetime(2031, 1, 2, 3, 4, 5).strftime(reply.time_format)
            datetime.strptime(written, reply.time_format)
        except ValueError:
            yield Finding((*path, "time_format"), "is not a strptime format", "e.g. %Y-%m-%d")
    if reply.sliding and reply.ttl == "never":
        yield Finding(
            (*path, "sliding"),
            "has no effect on a token that never expires",
            "remove sliding or ttl",
        )
    yield from _check_ttl(reply, (*path, "ttl"))
    for number, status in enumerate(reply.status):
        if not 100 <= status <= 599:
            what = f"{status} is not an HTTP status"
            yield Finding((*path, "status", str(number)), what, "use three digits, e.g. 302")


def _check_ttl(reply: Reply, path: KeyPath) -> Iterator[Finding]:
    if reply.ttl is None or reply.ttl == "never":
        return
    seconds = float(reply.ttl)
    if not isfinite(seconds) or seconds <= 0:
        yield Finding(path, "is not a number of seconds above 0", TTL_SUGGESTION)
    elif seconds > MAX_DURATION:
        yield Finding(
            path, "is longer than ten years", 'write "never" if the token does not expire'
        )


def check_issuing(issuing: IssuanceRules, path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in `issuing`."""
    if issuing.sticky is not None and not 0 <= issuing.sticky <= MAX_DURATION:
        yield Finding((*path, "sticky"), "is not a number of seconds, 0 or more")
    if issuing.max_sessions is not None and issuing.max_sessions < 1:
        yield Finding((*path, "max_sessions"), "is not a number of tokens, 1 or more")


def check_errors(errors: Errors, path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in `errors`."""
    for key in ("code", "description"):
        yield from _check_locators(getattr(errors, key), (*path, key))
    for table in ("codes", "status"):
        for code, meaning in getattr(errors, table).items():
            for name in re.findall(r"\{(\w*)\}", meaning.do or ""):
                if name != "profile":
                    what = f"names {name or '{}'}, but only {{profile}} is available here"
                    yield Finding((*path, table, code, "do"), what, "write the value itself")


def check_usage_line(line: str, known: set[str], path: KeyPath) -> Iterator[Finding]:
    """Yield the problems in a line of `use`."""
    if not USAGE_LINE_PATTERN.fullmatch(line):
        right = 'write "Header-Name: {token}" or "?name={token}"'
        yield Finding(path, f"{line[:60]!r} is neither a header nor a query parameter", right)
    elif line.startswith("?"):
        yield from check_template(line, known, path)
    else:
        name, _, value = line.partition(": ")
        if name.lower() in _CONNECTION_HEADERS:
            yield Finding(path, f"{name} is a header that HTTP clients set themselves", "remove it")
        yield from check_header_template(value, known, path)


def _check_locators(locators: tuple[str, ...], path: KeyPath) -> Iterator[Finding]:
    for locator in locators:
        yield from run_check(reply_locator.check_locator, locator, path)

"""The health of profiles as a table for people, an object for `--json`, and OpenMetrics."""

from collections.abc import Callable, Iterator, Sequence
from math import floor
from typing import NamedTuple

from tokencli.commands.tables import Cell, Styled, output_width, render_bar, render_table
from tokencli.core.profile_health import ProfileHealth
from tokencli.formats.json import expiry_to_dict, time_to_dict
from tokencli.formats.open_metrics import render_exposition, render_metric
from tokencli.humanize import (
    format_time,
    humanize_duration,
    humanize_estimate,
    humanize_relative_time,
)
from tokencli.sanitize import sanitize_text

BAR_WIDTH, SHORT_BAR_WIDTH = 10, 4
WIDE = 60
"""Columns of a terminal that has room for the longer bar."""
STATE_STYLES = {
    "fresh": "green",
    "expired": "red",
    "invalid": "red",
    "unknown": "magenta",
    "stale": "magenta",
}


def render_status(profiles: Sequence[ProfileHealth], now: float) -> str:
    """Return the table, followed by what needs a sentence."""
    rows = [[cell(each, now) for cell in COLUMNS.values()] for each in profiles]
    table = render_table(list(COLUMNS), rows, optional=("RENEWED", "PERSON NEEDED"))
    details = "".join(f"{line}\n" for line in _render_details(profiles, now))
    return table + (f"\n{details}" if details else "")


def _state_cell(health: ProfileHealth, _: float) -> Cell:
    style = "red" if health.person.now else STATE_STYLES.get(health.state, "")
    reason = f": {health.reason}" if health.reason else ""
    return Styled(f"{health.state}{reason}", style)


def _left_cell(health: ProfileHealth, now: float) -> Cell:
    """Return a bar of the lifetime that is left, and the time."""
    expires_at, token = health.expires_at, health.token
    if token is None or expires_at is None:
        return "does not expire" if health.state == "fresh" else "-"
    left = expires_at - now
    if left <= 0:
        return f"expired {humanize_duration(left)} ago"
    width = BAR_WIDTH if output_width() >= WIDE else SHORT_BAR_WIDTH
    bar = render_bar(left / (token.lifetime or left), width)
    return f"{bar} {humanize_duration(left)}"


def _renewed_cell(health: ProfileHealth, now: float) -> Cell:
    renewals = health.renewals
    if failure := renewals.last_failure:
        count = len(renewals.failures)
        times = "once" if count == 1 else f"{count} times"
        since = humanize_duration(now - renewals.failures[0].time)
        return Styled(f"failed {times} in {since}: {failure.error or 'error'}", "red")
    if renewals.last_success is None:
        return "-"
    return humanize_relative_time(renewals.last_success.time, now)


def _person_cell(health: ProfileHealth, now: float) -> Cell:
    person = health.person
    if person.now:
        return Styled("now", "red")
    if person.now is None:
        return "unknown"
    if person.next is None:
        return person.forecast
    humanize = humanize_estimate if person.forecast == "estimate" else humanize_relative_time
    return humanize(person.next, now)


COLUMNS: dict[str, Callable[[ProfileHealth, float], Cell]] = {
    "NAME": lambda health, _: health.name,
    "TOKEN": _state_cell,
    "LEFT": _left_cell,
    "RENEWED": _renewed_cell,
    "PERSON NEEDED": _person_cell,
}
"""Head of a column -> its cell in a row, given the time in epoch seconds."""


def _render_details(profiles: Sequence[ProfileHealth], now: float) -> Iterator[str]:
    for health in profiles:
        if health.person.now:
            yield sanitize_text(f"{health.name}: a person is needed, because {health.person.basis}")
        elif health.person.forecast == "estimate" and health.person.next is not None:
            yield sanitize_text(
                f"{health.name}: a person is needed about {format_time(health.person.next)}, because"
                f" {health.person.basis}"
            )
        if failure := health.renewals.last_failure:
            when = humanize_relative_time(failure.time, now)
            text = failure.message or failure.error or "error"
            yield sanitize_text(
                f"{health.name}: last error {when}, at {format_time(failure.time)}: {text}"
            )


def status_to_dict(profiles: Sequence[ProfileHealth], now: float) -> dict[str, object]:
    """Return the object that `--json` prints."""
    return {"profiles": [_health_to_dict(each, now) for each in profiles]}


def _health_to_dict(health: ProfileHealth, now: float) -> dict[str, object]:
    renewals, person, token = health.renewals, health.person, health.token
    success, failure = renewals.last_success, renewals.last_failure
    left = None if health.expires_at is None else floor(health.expires_at - now)
    return {
        "name": health.name,
        "state": health.state,
        "reason": health.reason,
        **expiry_to_dict(health.expires_at),
        "remaining_s": left,
        "lifetime_s": None if token is None or token.never_expires else token.lifetime,
        **time_to_dict("refresh_due_at", health.refresh_due),
        "person_needed": person.now,
        **time_to_dict("person_needed_at", person.next),
        "person_needed_forecast": person.forecast,
        "person_needed_because": person.basis,
        **time_to_dict("last_success_at", None if success is None else success.time),
        "failures_since_success": len(renewals.failures),
        **time_to_dict("failing_since", renewals.failures[0].time if renewals.failures else None),
        "refreshes_7d": renewals.recent_refreshes,
        "rotations_7d": renewals.recent_rotations,
        "failures_7d": renewals.recent_failures,
        "last_error": None
        if failure is None
        else {
            **time_to_dict("at", failure.time),
            "error": failure.error,
            "status": failure.status,
            "message": failure.message,
        },
    }


class Gauge(NamedTuple):
    """A metric of each profile."""

    name: str
    help: str
    value: Callable[[ProfileHealth], float | int | bool | None]
    """Its value; None if it is unknown, so that the profile has no sample."""


GAUGES = (
    Gauge(
        "tokencli_token_expiry_timestamp_seconds",
        "When the stored token expires.",
        lambda health: health.expires_at,
    ),
    Gauge(
        "tokencli_token_refresh_due_timestamp_seconds",
        "From when on the stored token is replaced.",
        lambda health: health.refresh_due,
    ),
    Gauge(
        "tokencli_token_fresh",
        "Whether the stored token can be used.",
        lambda health: None if health.state == "unknown" else health.state == "fresh",
    ),
    Gauge(
        "tokencli_profile_valid",
        "Whether the profile has no error in the configuration.",
        lambda health: health.state != "invalid",
    ),
    Gauge(
        "tokencli_person_needed",
        "Whether no token can be obtained without a person.",
        lambda health: health.person.now,
    ),
    Gauge(
        "tokencli_person_needed_timestamp_seconds",
        "When a person will be needed next, possibly as an estimate.",
        lambda health: health.person.next,
    ),
    Gauge(
        "tokencli_last_success_timestamp_seconds",
        "When a token was last obtained.",
        lambda health: None if (event := health.renewals.last_success) is None else event.time,
    ),
    Gauge(
        "tokencli_failures_since_success",
        "Failed attempts since a token was last obtained.",
        lambda health: len(health.renewals.failures),
    ),
)


def render_open_metrics(profiles: Sequence[ProfileHealth], now: float) -> str:
    """Return the gauges of all profiles, and the time at which they were read."""
    lines = []
    for gauge in GAUGES:
        samples = (({"profile": health.name}, gauge.value(health)) for health in profiles)
        lines += render_metric(gauge.name, gauge.help, samples)
    lines += render_metric("tokencli_status_timestamp_seconds", "When this was read.", [({}, now)])
    return render_exposition(lines)

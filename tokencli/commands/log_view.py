"""The event log as a time line for people and as objects for `--json`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import floor

from tokencli.commands.tables import (
    is_displayable,
    measure_text,
    output_width,
    render_styled,
    wrap_text,
)
from tokencli.formats.json import expiry_to_dict
from tokencli.humanize import (
    describe_clock_skew,
    format_rfc3339,
    humanize_duration,
    humanize_relative_time,
)
from tokencli.sanitize import sanitize_text
from tokencli.token_event import OBTAINING_EVENTS, TokenEvent

NOTABLE_SILENCE_S = 86_400.0
"""A longer time without any event is shown as a gap."""
GAP_TOLERANCE_S = 60.0
"""A token that expired no longer before the next event left no notable gap."""
MIN_GROUP = 3
"""So many successes in a row, one like the other, are shown as one line."""
NARROW_WIDTH = 60
"""In a terminal that is narrower, details get their own lines."""
_EVENT_WIDTH = 10
_TITLES = {"acquired": "new token", "login": "login", "revoked": "revoked", "logout": "logout"}


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One row of the time line: an event, several alike, or a gap."""

    time: float
    label: str
    details: str
    end: float = 0.0
    """When the last of several events happened."""
    is_gap: bool = False
    is_failure: bool = False


@dataclass(slots=True)
class EventSummary:
    """What the events that were read so far say about a profile."""

    last_good: TokenEvent | None = None
    failures: list[TokenEvent] = field(default_factory=list)
    """The failed attempts since the last token."""
    logged_out_at: float | None = None
    refresh_first_seen: dict[str, float] = field(default_factory=dict)
    """Fingerprint of a refresh token -> when it was first seen."""

    def add(self, event: TokenEvent) -> None:
        """Take the next event into account."""
        if event.refresh_fingerprint and event.outcome == "ok":
            self.refresh_first_seen.setdefault(event.refresh_fingerprint, event.time)
        if event.event in OBTAINING_EVENTS and event.outcome == "ok":
            self.last_good, self.failures, self.logged_out_at = event, [], None
        elif event.event == "failed":
            self.failures.append(event)
        elif event.event == "logout" and event.outcome == "ok":
            self.last_good, self.failures, self.logged_out_at = None, [], event.time

    def refresh_age(self, event: TokenEvent) -> float | None:
        """Return how old the refresh token was that an attempt used, in seconds; None if unknown."""
        if event.refresh_age is not None or event.refresh_fingerprint is None:
            return event.refresh_age
        first = self.refresh_first_seen.get(event.refresh_fingerprint)
        return None if first is None else event.time - first


def event_to_dict(event: TokenEvent) -> dict[str, object]:
    """Return an event as the object that `--json` prints; every key is always present."""
    return {
        "time": format_rfc3339(event.time),
        "time_epoch": round(event.time, 3),
        "profile": event.profile,
        "event": event.event,
        "outcome": event.outcome,
        "grant": event.grant,
        "error": event.error,
        "status": event.status,
        "message": event.message,
        "retry_after": event.retry_after,
        "latency": event.latency,
        "clock_skew": event.skew,
        "fingerprint": event.fingerprint,
        "refresh_fingerprint": event.refresh_fingerprint,
        "rotated": event.rotated,
        "refresh_age": event.refresh_age,
        "refresh_lifetime": event.refresh_lifetime,
        "obtained_at": None if event.obtained_at is None else format_rfc3339(event.obtained_at),
        "obtained_at_epoch": None if event.obtained_at is None else floor(event.obtained_at),
        **expiry_to_dict(event.expires_at),
        "iat": event.iat,
        "exp": event.exp,
        "kid": event.kid,
        "aud": list(event.aud),
        "scope": event.scope,
        "requester": event.requester,
    }


def describe_event(event: TokenEvent) -> str:
    """Return an event as one line, for `--follow`."""
    label = f"{_render_time(event.time)}  {event.profile}  {_label(event)}"
    details = (
        _describe_failure(event, None) if event.outcome == "error" else _describe_success(event)
    )
    style = "red" if event.outcome == "error" else ""
    return render_styled(f"{label}: {details}" if details else label, style)


def render_log(events: Sequence[TokenEvent], now: float, since: float | None = None) -> str:
    """Return a summary and a time line for each profile; the time line begins `since`."""
    parts = []
    by_profile: dict[str, list[TokenEvent]] = {}
    for event in events:
        by_profile.setdefault(event.profile, []).append(event)
    for profile, own in by_profile.items():
        if since is not None and own[-1].time < since:
            continue
        parts.append("".join(f"{line}\n" for line in _render_profile(profile, own, now, since)))
    return "\n".join(parts)


def _render_profile(
    profile: str, events: Sequence[TokenEvent], now: float, since: float | None
) -> Iterator[str]:
    summary, rows = EventSummary(), list[TimelineRow]()
    for row in _build_rows(events, summary, now):
        if since is None or max(row.time, row.end) >= since:
            rows.append(row)
    style = "bold red" if summary.failures else "bold"
    title = sanitize_text(f"{profile}: {describe_summary(summary, now)}")
    yield from (render_styled(line, style) for line in wrap_text(title, output_width()))
    for row in rows:
        yield from _render_row(row)


def describe_summary(summary: EventSummary, now: float) -> str:
    """Return e.g. `failing since …: invalid_grant, refresh token 30 days old, 12 tries; last good …`."""
    good = summary.last_good
    if summary.failures:
        first = summary.failures[0]
        age = summary.refresh_age(first)
        facts = [first.error or "error"]
        facts += [] if age is None else [f"refresh token {humanize_duration(age)} old"]
        facts.append(_count_tries(len(summary.failures)))
        last = (
            "no token before that"
            if good is None
            else f"last good {_render_moment(good.time, now)}"
        )
        if good is not None and good.expires_at is not None and good.expires_at > now:
            last = f"{last}, valid until {_render_moment(good.expires_at, now)}"
        if good is None and summary.logged_out_at is not None:
            last = f"logged out {_render_moment(summary.logged_out_at, now)}"
        return f"failing since {_render_moment(first.time, now)}: {', '.join(facts)}; {last}"
    if good is None:
        return (
            "no token yet"
            if summary.logged_out_at is None
            else f"logged out {_render_moment(summary.logged_out_at, now)}"
        )
    last = f"last good {_render_moment(good.time, now)} ({_label(good)})"
    if good.expires_at is None:
        return last
    if good.expires_at > now:
        return f"{last}, valid until {_render_moment(good.expires_at, now)}"
    return f"{last}, expired {_render_moment(good.expires_at, now)}; no one has asked since"


def _build_rows(
    events: Sequence[TokenEvent], summary: EventSummary, now: float
) -> Iterator[TimelineRow]:
    """Yield the rows of one profile's events, and take the events into account in `summary`."""
    previous: TokenEvent | None = None
    reported: TokenEvent | None = None
    for _, run in groupby(events, key=_similarity):
        alike = list(run)
        batches = [alike] if alike[0].outcome == "error" else _split_at_gaps(alike)
        for batch in batches:
            first = batch[0]
            gap = _describe_gap(previous, summary.last_good, first.time, summary.failures)
            if gap is not None and summary.last_good is not reported:
                yield gap
                reported = summary.last_good
            failed = list(summary.failures)
            for event in batch:
                summary.add(event)
            yield from _rows_of(batch, summary, failed)
            previous = batch[-1]
    good = summary.last_good
    if good is None or good is reported or good.expires_at is None or summary.failures:
        return
    if good.expires_at < now - GAP_TOLERANCE_S:
        ago = humanize_relative_time(good.expires_at, now)
        yield TimelineRow(good.expires_at, "expired", f"{ago}, not renewed since", is_gap=True)


def _similarity(event: TokenEvent) -> tuple[object, ...]:
    return (event.event, event.outcome, event.grant, event.error, event.status, event.rotated)


def _split_at_gaps(events: Sequence[TokenEvent]) -> list[list[TokenEvent]]:
    batches: list[list[TokenEvent]] = []
    for event in events:
        last = batches[-1][-1] if batches else None
        if last is None or _describe_gap(last, last, event.time, ()) is not None:
            batches.append([])
        batches[-1].append(event)
    return batches


def _describe_gap(
    previous: TokenEvent | None,
    good: TokenEvent | None,
    time: float,
    failures: Sequence[TokenEvent],
) -> TimelineRow | None:
    """Return the row for a time without a valid token, or without any event; None if it was short."""
    if previous is None:
        return None
    expiry = None if good is None or failures else good.expires_at
    if expiry is not None and time - expiry > GAP_TOLERANCE_S:
        for_how_long = humanize_duration(time - expiry)
        return TimelineRow(expiry, "expired", f"not renewed for {for_how_long}", is_gap=True)
    if time - previous.time > NOTABLE_SILENCE_S:
        silence = humanize_duration(time - previous.time)
        return TimelineRow(previous.time, "no events", f"for {silence}", is_gap=True)
    return None


def _rows_of(
    batch: Sequence[TokenEvent], summary: EventSummary, failed: Sequence[TokenEvent]
) -> Iterator[TimelineRow]:
    first, last = batch[0], batch[-1]
    if first.outcome == "error":
        details = _describe_failure(first, summary.refresh_age(first))
        if len(batch) > 1:
            details = f"{_count_tries(len(batch))} until {_render_time(last.time)}: {details}"
        yield TimelineRow(first.time, _label(first), details, last.time, is_failure=True)
        return
    recovered = ""
    if failed and first.event in OBTAINING_EVENTS:
        span = humanize_duration(first.time - failed[0].time)
        recovered = f"after {_count_tries(len(failed), 'failed ')} in {span}"
    if len(batch) < MIN_GROUP:
        for event in batch:
            details = ", ".join(filter(None, (_describe_success(event), recovered)))
            yield TimelineRow(event.time, _label(event), details)
            recovered = ""
        return
    times = f"{len(batch)} times until {_render_time(last.time)}"
    details = ", ".join(filter(None, (times, _describe_success(last), recovered)))
    yield TimelineRow(first.time, _label(first), details, last.time)


def _label(event: TokenEvent) -> str:
    return _TITLES.get(event.event, event.event)


def _count_tries(count: int, kind: str = "") -> str:
    return f"{count} {kind}{'try' if count == 1 else 'tries'}"


def _describe_success(event: TokenEvent) -> str:
    facts = []
    if event.fingerprint is not None:
        facts.append(f"token {event.fingerprint}")
    if event.event in ("acquired", "login") and event.grant is not None:
        facts.append(f"by {event.grant}")
    if event.expires_at is not None and event.obtained_at is not None:
        facts.append(f"valid for {humanize_duration(event.expires_at - event.obtained_at)}")
    if event.rotated is not None:
        facts.append("new refresh token" if event.rotated else "same refresh token")
    if event.error is not None:
        facts.append(f"not stored ({event.error})")
    return ", ".join((*facts, *_describe_circumstances(event)))


def _describe_failure(event: TokenEvent, refresh_age: float | None) -> str:
    age = event.refresh_age if refresh_age is None else refresh_age
    facts = [event.error or "error"]
    if event.status is not None:
        facts[0] += f" (HTTP {event.status})"
    if age is not None:
        facts.append(f"refresh token {humanize_duration(age)} old")
    if event.retry_after is not None:
        facts.append(f"retry after {humanize_duration(event.retry_after)}")
    text = ", ".join((*facts, *_describe_circumstances(event)))
    return f"{text}: {event.message}" if event.message else text


def _describe_circumstances(event: TokenEvent) -> Iterator[str]:
    if event.latency is not None and event.latency >= 1:
        yield f"took {event.latency:.1f} s"
    if event.skew is not None:
        yield f"this clock {describe_clock_skew(event.skew)}"
    if event.requester is not None:
        yield f"asked by {event.requester}"


def _render_time(epoch: float) -> str:
    """Return `2026-11-27 14:20:03`, in UTC."""
    text = format_rfc3339(epoch)
    return "????-??-?? ??:??:??" if text is None else text.replace("T", " ").rstrip("Z")


def _render_moment(epoch: float, now: float) -> str:
    """Return `14:20 UTC`, with the date if that isn't today's."""
    text, today = _render_time(epoch), _render_time(now)[:10]
    return f"{text[11:16]} UTC" if text[:10] == today else f"{text[:16]} UTC"


def _render_row(row: TimelineRow) -> Iterator[str]:
    """Yield the lines of a row: in a wide terminal in columns, in a pipe always on one line."""
    marks: Mapping[str, str] = (
        {"gap": "┊", "failure": "✗", "success": "●"}
        if is_displayable("┊✗●")
        else {"gap": ":", "failure": "x", "success": "+"}
    )
    kind = "gap" if row.is_gap else "failure" if row.is_failure else "success"
    style = {"gap": "magenta", "failure": "red", "success": ""}[kind]
    label, details = sanitize_text(row.label), sanitize_text(row.details)
    head = f"{_render_time(row.time)} {marks[kind]} {label:<{_EVENT_WIDTH}}"
    width = output_width()
    if width < NARROW_WIDTH:
        yield render_styled(head.rstrip(), style)
        yield from (render_styled(f"  {line}", style) for line in wrap_text(details, width - 2))
        return
    indent = " " * (measure_text(head) + 1)
    for number, line in enumerate(wrap_text(details, width - len(indent))):
        yield render_styled(f"{indent if number else head + ' '}{line}".rstrip(), style)

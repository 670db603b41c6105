"""`tokencli log`: what happened to tokens, as a time line."""

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from tokencli import platforms
from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.log_view import describe_event, event_to_dict, render_log
from tokencli.commands.options import (
    CommonOptions,
    ProfileOption,
    common_options,
    select_profile_name,
)
from tokencli.duration import parse_duration
from tokencli.formats.json import dump_json_line
from tokencli.humanize import format_time
from tokencli.token_event import TokenEvent

FOLLOW_INTERVAL_S = 0.25
DAY_S = 86_400.0
FOLLOW_START = 10
"""Events that `--follow` prints of those that are there already."""


def parse_since(text: str) -> float:
    """Return a time in epoch seconds: `2h` ago, or a date or time, in UTC unless it says otherwise.

    A time without a date is the last one: shortly after midnight, 23:50 is yesterday's.
    """
    stripped = text.strip()
    now = time.time()
    try:
        return now - parse_duration(stripped)
    except ValueError:
        pass
    try:
        if len(stripped) in (5, 8) and stripped[2:3] == ":":
            stripped = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}T{stripped}"
            epoch = datetime.fromisoformat(f"{stripped}Z").timestamp()
            return epoch if epoch <= now else epoch - DAY_S
        moment = datetime.fromisoformat(stripped)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text[:40]!r} is neither a duration such as 2h or 7d, nor a time such as 2026-11-20,"
            " 2026-11-20T14:00Z or 14:00 (UTC)"
        ) from None


@common_options()
def log(
    common: CommonOptions,
    profile: Annotated[
        str | None,
        typer.Argument(metavar="PROFILE", help="Profile name; all profiles if omitted."),
    ] = None,
    profile_option: ProfileOption = None,
    since: Annotated[
        float | None,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=parse_since,
            help="Only events since then: 2h or 7d ago, or a time such as 2026-11-20 or 14:00, in UTC.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new events as they are recorded.")
    ] = False,
    json_output: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object per event; errors as JSON on stderr."),
    ] = False,
) -> None:
    """Show what happened to tokens: each acquisition, refresh, failure, revocation and logout.

    The event log is local and holds no secret. Equal fingerprints mean equal tokens.

    \b
    tokencli log
    tokencli log groupid --since 2h
    tokencli log --follow --json
    """
    app = App(common)
    name = select_profile_name(profile, profile_option)
    if not app.event_log.enabled:
        app.terminal.print_note(f"the event log is off: {app.config.path} has event_log = false")
    if follow:
        _follow(app, name, since, json_output=json_output)
        return
    events = list(app.event_log.read(name))
    shown = [event for event in events if since is None or event.time >= since]
    if not events and name is not None:
        app.config.profile_table(name)  # an unknown profile is an error
    if not shown:
        if app.event_log.enabled or events:
            app.terminal.print_note(_explain_empty(name, events, since))
    elif json_output:
        for event in shown:
            output.write_stdout(dump_json_line(event_to_dict(event)))
    else:
        output.write_stdout(render_log(events, app.clock.now(), since))


def _explain_empty(name: str | None, events: list[TokenEvent], since: float | None) -> str:
    whose = "" if name is None else f" for profile {name}"
    if events and since is not None:
        return (
            f"no event{whose} since {format_time(since)}; the last one was at"
            f" {format_time(events[-1].time)}"
        )
    return (
        f"nothing is recorded yet{whose}: the event log begins with the next token that is fetched"
    )


def _follow(app: App, name: str | None, since: float | None, *, json_output: bool) -> None:
    """Print events as they come, until the user or the reader of stdout ends it."""
    backlog: list[TokenEvent] | None = []

    def write(event: TokenEvent) -> None:
        text = dump_json_line(event_to_dict(event)) if json_output else f"{describe_event(event)}\n"
        output.write_stdout(text)

    def wait() -> None:
        nonlocal backlog
        for event in (backlog or [])[0 if since is not None else -FOLLOW_START :]:
            write(event)
        backlog = None
        _wait_for_reader(FOLLOW_INTERVAL_S)

    try:
        for event in app.event_log.follow(wait):
            if name not in (None, event.profile) or (since is not None and event.time < since):
                continue
            if backlog is None:
                write(event)
            else:
                backlog.append(event)
    except KeyboardInterrupt:
        raise typer.Exit(output.EXIT_INTERRUPTED) from None


def _wait_for_reader(seconds: float) -> None:
    """Wait, unless the reader of stdout is gone; raises ReaderClosedError."""
    if not platforms.current().wait_for_reader(sys.stdout.fileno(), seconds):
        raise output.ReaderClosedError

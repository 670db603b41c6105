"""`tokencli log`: a time line of what happened to tokens, new events as they come, and JSON."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pytest

from tests.conftest import Run, script
from tokencli.commands.log import parse_since
from tokencli.sandbox.server import Sandbox
from tokencli.system.event_log import FileEventLog
from tokencli.token_event import TokenEvent

DAY = 86_400.0


def record_event(log: FileEventLog, event: TokenEvent) -> None:
    """Record an event."""
    log.record(asdict(event))


@pytest.fixture
def log(tmp_path: Path, write_config: Callable[[str], Path]) -> FileEventLog:
    """Provide the log of a configuration with the profile p."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    write_config(
        f'state_dir = "{state}"\nisolated = true\n[profiles.p]\nprovider = "oauth2"\n'
        'token_url = "https://id.example.com/token"\nclient_id = "c"\n'
        'client_secret = { env = "CANARY" }\n'
    )
    return FileEventLog(state, print)


def refreshed(at: float, **values: Any) -> TokenEvent:
    """Return a refresh whose token is valid for an hour."""
    return TokenEvent(
        at,
        "p",
        "refreshed",
        grant="refresh_token",
        obtained_at=at,
        expires_at=at + 3600,
        rotated=True,
        **values,
    )


def refused(at: float, **values: Any) -> TokenEvent:
    """Return a refusal of a refresh token that is 30 days old."""
    return TokenEvent(
        at,
        "p",
        "failed",
        "error",
        grant="refresh_token",
        refresh_age=30 * DAY,
        status=400,
        error="invalid_grant",
        **values,
    )


def test_failures_are_one_row_and_the_summary(log: FileEventLog, tokencli: Run) -> None:
    """Since when, why, how old the refresh token was, how many tries, and when it last worked."""
    now = time.time()
    record_event(log, refreshed(now - 7200))
    for number in range(12):
        record_event(log, refused(now - 3000 + number * 60))
    summary, *rows = tokencli("log").out.splitlines()
    assert summary.startswith("p: failing since ")
    assert ": invalid_grant, refresh token 30 days old, 12 tries; last good " in summary
    assert len(rows) == 3
    assert " expired    not renewed for 10 minutes" in rows[1]
    assert " failed     12 tries until " in rows[2]
    assert "invalid_grant (HTTP 400), refresh token 30 days old" in rows[2]


def test_summary_of_a_failure_says_how_long_the_last_token_lasts(
    log: FileEventLog, tokencli: Run
) -> None:
    """Until then, calls succeed although renewing fails."""
    now = time.time()
    record_event(log, refreshed(now - 60))
    record_event(log, refused(now - 30))
    summary = tokencli("log").out.splitlines()[0]
    assert "failing since" in summary
    assert ", valid until " in summary.partition("; last good ")[2]


@pytest.mark.parametrize(("clock", "age"), [("00:10", 1200), ("23:55", 300)])
def test_time_without_a_date_is_the_last_one(
    monkeypatch: pytest.MonkeyPatch, clock: str, age: int
) -> None:
    """Shortly after midnight, 23:50 was ten minutes before midnight."""
    now = datetime.fromisoformat(f"2026-11-27T{clock}Z").timestamp()
    monkeypatch.setattr("tokencli.commands.log.time.time", lambda: now)
    assert parse_since("23:50") == now - age


def test_recovery_ends_the_failure(log: FileEventLog, tokencli: Run) -> None:
    """The summary says that the profile works; the time line says how long it didn't."""
    now = time.time()
    for event in (refused(now - 1500), refused(now - 1200), refreshed(now - 600)):
        record_event(log, event)
    summary, failed, recovered = tokencli("log", "p").out.splitlines()
    assert "last good" in summary and "valid until" in summary and "failing" not in summary
    assert "2 tries" in failed
    assert recovered.count("after 2 failed tries in 15 minutes") == 1


def test_many_refreshes_are_one_row(log: FileEventLog, tokencli: Run) -> None:
    """But not across a gap without a token."""
    now = time.time()
    for at in (*range(0, 5 * 3500, 3500), 30_000, 33_000, 36_000):
        record_event(log, refreshed(now - 40_000 + at))
    _, first, gap, second, expired = tokencli("log").out.splitlines()
    assert "5 times until" in first
    assert "not renewed for 3 hours" in gap
    assert "3 times until" in second
    assert "not renewed since" in expired


def test_json_is_one_object_per_event(log: FileEventLog, tokencli: Run) -> None:
    """With the same keys in each."""
    for event in (refreshed(1_800_000_000.25), TokenEvent(1_800_000_001.0, "q", "logout")):
        record_event(log, event)
    first, second = map(json.loads, tokencli("log", "--json").out.splitlines())
    assert first.keys() == second.keys()
    assert first["time"] == "2027-01-15T08:00:00Z"
    assert (first["profile"], first["event"], first["outcome"]) == ("p", "refreshed", "ok")
    assert (first["rotated"], first["expires_at_epoch"]) == (True, 1_800_003_600)
    assert second["profile"] == "q"


def test_names_of_programs_are_made_safe(log: FileEventLog, tokencli: Run) -> None:
    """A program can call itself anything, and a server's texts are untrusted as well."""
    weird = "\x1b[2J\u202eevil\n::set-output"
    record_event(log, refreshed(time.time(), requester=weird))
    record_event(log, refused(time.time(), message=weird))
    for arguments in ((), ("--json",)):
        out = tokencli("log", *arguments).out
        assert "\x1b" not in out and "\u202e" not in out
        assert len(out.splitlines()) == (2 if arguments else 3)


@pytest.mark.parametrize(
    ("since", "count"),
    [("2h", 1), ("3d", 2), ("2020-01-01", 3), ("2020-01-01T10:00:00+02:00", 3), ("00:00", None)],
)
def test_since_takes_durations_and_times(
    log: FileEventLog, tokencli: Run, since: str, count: int | None
) -> None:
    """Times are in UTC unless they say otherwise."""
    now = time.time()
    for age in (5 * DAY, 2 * DAY, 60.0):
        record_event(log, refreshed(now - age))
    result = tokencli("log", "--since", since, "--json")
    assert result.code == 0
    assert count in (None, len(result.out.splitlines()))


def test_bad_since_says_what_is_accepted(log: FileEventLog, tokencli: Run) -> None:
    """It is a usage error."""
    result = tokencli("log", "--since", "yore")
    assert result.code == 2
    assert "2026-11-20" in result.err


def test_empty_log_says_why(log: FileEventLog, tokencli: Run, tmp_path: Path) -> None:
    """Nothing recorded yet, nothing recent, switched off, or an unknown profile."""
    assert "nothing is recorded yet for profile p" in tokencli("log", "p").err
    record_event(log, refreshed(time.time() - DAY))
    assert "no event since" in tokencli("log", "--since", "1h").err
    assert tokencli("log", "nope").code == 3
    config = tmp_path / "config.toml"
    config.write_text(f"event_log = false\n{config.read_text()}")
    result = tokencli("log")
    assert "the event log is off" in result.err
    assert result.out.startswith("p: ")


def test_only_attempts_to_get_a_token_are_recorded(
    write_config: Callable[[str], Path], tokencli: Run, tmp_path: Path
) -> None:
    """An issuer that can't be reached is a failure of `get`; `why` gets no token, so nothing failed there."""
    write_config(
        f'state_dir = "{tmp_path}/state"\n[profiles.p]\nprovider = "oauth2"\nstore = "file"\n'
        'issuer = "https://127.0.0.1:9"\ngrant = "client_credentials"\nclient_id = "c"\n'
        'client_secret = { env = "CANARY" }\n'
    )
    environ = {"CANARY": "canary-5c1e"}
    assert tokencli("why", "p", "https://127.0.0.1:9/api", "--timeout", "3s", env=environ).code != 0
    assert tokencli("log", "--json").out == ""
    assert tokencli("get", "p", env=environ).code == 6
    (line,) = tokencli("log", "--json").out.splitlines()
    assert (json.loads(line)["event"], json.loads(line)["error"]) == ("failed", "unreachable")


def test_log_that_is_off_is_never_created(sandbox: Sandbox, tokencli: Run) -> None:
    """Neither by a token nor by a failure nor by `log`."""
    config = Path(sandbox.config_file)
    text = config.read_text()
    config.write_text(f"event_log = false\n{text}")
    assert tokencli("get", "oauth2").code == 0
    assert tokencli("log").out == ""
    assert not (config.parent / "state" / "event_log").exists()


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Provide a sandbox whose configuration is the current one."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", str(running.config_file))
        yield running


def test_life_of_a_token(sandbox: Sandbox, tokencli: Run) -> None:
    """Each step is one event, and a fresh token is none; nothing secret is in the file."""
    token = tokencli("get", "groupid").out.strip()
    before = _stat_log(sandbox)
    assert tokencli("get", "groupid").out.strip() == token
    assert _stat_log(sandbox) == before
    tokencli("refresh", "groupid")
    tokencli("login", "oauth2")
    tokencli("logout", "groupid")
    events = [json.loads(line) for line in tokencli("log", "--json").out.splitlines()]
    assert [(event["profile"], event["event"]) for event in events] == [
        ("groupid", "acquired"),
        ("groupid", "refreshed"),
        ("oauth2", "login"),
        ("groupid", "logout"),
    ]
    data = (Path(sandbox.config_file).parent / "state/event_log/events.jsonl").read_text()
    assert token not in data
    for secret in Path(sandbox.config_file).parent.glob("*.password"):
        assert secret.read_text().strip() not in data


def _stat_log(sandbox: Sandbox) -> dict[str, int]:
    directory = Path(sandbox.config_file).parent / "state" / "event_log"
    return {path.name: path.stat().st_mtime_ns for path in (directory, *directory.iterdir())}


def test_history_follows_the_profile(sandbox: Sandbox, tokencli: Run) -> None:
    """A renamed profile keeps its events; a removed one leaves none."""
    tokencli("get", "oauth2")
    tokencli("get", "groupid")
    assert tokencli("profiles", "rename", "oauth2", "renamed").code == 0
    assert "renamed: last good" in tokencli("log", "renamed").out
    assert tokencli("log", "oauth2").code == 3
    assert tokencli("profiles", "remove", "renamed", "--yes").code == 0
    data = (Path(sandbox.config_file).parent / "state/event_log/events.jsonl").read_text()
    assert '"groupid"' in data
    assert "renamed" not in data and "oauth2" not in data


def test_unwritable_log_does_not_fail_the_command(sandbox: Sandbox, tokencli: Run) -> None:
    """Only -v says that nothing was recorded."""
    directory = Path(sandbox.config_file).parent / "state" / "event_log"
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.write_text("in the way")
    result = tokencli("get", "oauth2")
    assert (result.code, result.err) == (0, "")
    assert "not recorded in the event log" in tokencli("get", "oauth2", "--force", "-v").err


@pytest.fixture
def follower(log: FileEventLog) -> Iterator[subprocess.Popen[str]]:
    """Start `tokencli log --follow --json` on a log with one event."""
    record_event(log, refreshed(time.time(), kid="before"))
    process = subprocess.Popen(
        [script(), "log", "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def read_kid(stream: IO[str] | None) -> str:
    """Return the kid of the next event."""
    assert stream is not None
    return str(json.loads(stream.readline())["kid"])


def test_new_events_are_printed_as_they_come(
    log: FileEventLog, follower: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Each one at once, though stdout is a pipe, also after a rotation; Ctrl-C ends it silently."""
    assert read_kid(follower.stdout) == "before"
    record_event(log, refreshed(time.time(), kid="new"))
    assert read_kid(follower.stdout) == "new"
    directory = tmp_path / "state" / "event_log"
    record_event(log, refreshed(time.time(), kid="last of the old file"))
    (directory / "events.jsonl").rename(directory / "events.1.jsonl")
    record_event(log, refreshed(time.time(), kid="first of the new file"))
    assert read_kid(follower.stdout) == "last of the old file"
    assert read_kid(follower.stdout) == "first of the new file"
    log.rename_profile("p", "q")
    time.sleep(0.6)
    record_event(log, refreshed(time.time(), kid="after a rename"))
    assert read_kid(follower.stdout) == "after a rename"
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 130
    assert follower.stderr is not None
    assert follower.stderr.read() == ""


def test_follow_ends_with_its_reader(follower: subprocess.Popen[str]) -> None:
    """It doesn't wait for the next event to notice that."""
    assert read_kid(follower.stdout) == "before"
    assert follower.stdout is not None
    follower.stdout.close()
    assert follower.wait(10) == 141

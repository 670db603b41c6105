"""The event log: whole lines of any number of writers, bounded, private, and never in the way."""

import os
import stat
from pathlib import Path

import pytest

from tokencli.errors import StorageError
from tokencli.models import Secret
from tokencli.system import event_log
from tokencli.system.event_log import FileEventLog
from tokencli.token_event import TokenEvent

FULL = TokenEvent(
    time=1_800_000_000.25,
    profile="p",
    event="refreshed",
    grant="refresh_token",
    fingerprint="0123456789ab",
    refresh_fingerprint="ba9876543210",
    rotated=True,
    obtained_at=1_800_000_000.0,
    expires_at=1_800_003_600.0,
    refresh_age=86_400.0,
    refresh_lifetime=2_592_000.0,
    iat=1_800_000_000,
    exp=1_800_003_600,
    kid="key-1",
    aud=("https://api.example.com", "other"),
    scope="read write",
    skew=-90.5,
    latency=0.123,
    status=400,
    retry_after=30.0,
    error="invalid_grant",
    message="id.example.com refused the refresh token",
    requester="bash",
)


@pytest.fixture
def notes() -> list[str]:
    """What the log said about itself."""
    return []


@pytest.fixture
def log(tmp_path: Path, notes: list[str]) -> FileEventLog:
    """Provide an empty log."""
    return FileEventLog(tmp_path / "state", notes.append)


def test_event_comes_back_as_it_was(log: FileEventLog) -> None:
    """Every field of an event is stored and read; absent ones stay absent."""
    bare = TokenEvent(1.0, "q", "logout", requester="cron")
    log.record(FULL)
    log.record(bare)
    assert list(log.read()) == [FULL, bare]
    assert [*log.read("q")] == [bare]
    assert [*log.read(since=2.0)] == [FULL]


def test_log_is_private(log: FileEventLog, tmp_path: Path) -> None:
    """Directory 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        log.record(FULL)
        log.fingerprint(Secret("t"))
    finally:
        os.umask(before)
    directory = tmp_path / "state" / "event_log"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_log_that_is_off_creates_nothing(tmp_path: Path) -> None:
    """Neither recording nor a fingerprint nor reading creates a file."""
    log = FileEventLog(tmp_path / "state", print, enabled=False)
    log.record(FULL)
    assert log.fingerprint(Secret("t")) == log.fingerprint(Secret("t"))
    assert list(log.read()) == []
    assert not (tmp_path / "state").exists()


def test_equal_tokens_have_equal_fingerprints_on_one_machine(tmp_path: Path) -> None:
    """Another process computes the same fingerprint, another machine a different one."""
    logs = [FileEventLog(tmp_path / name, print) for name in ("here", "here", "elsewhere")]
    first, again, elsewhere = (log.fingerprint(Secret("canary-token")) for log in logs)
    assert first == again != elsewhere
    assert logs[0].fingerprint(Secret("another")) != first
    assert len(first) == 12


@pytest.mark.parametrize(
    "damage",
    [
        b'{"version":1,"time":1.0,"prof',
        b"\x00\xff\n",
        b"[]\n",
        b'{"version":2,"time":1.0,"profile":"p","event":"login"}\n',
        b'{"version":1,"time":"x","profile":"p","event":"login"}\n',
        b'{"version":1,"time":NaN,"profile":"p","event":"login"}\n',
        b"[" * 10_000 + b"\n",
        b"x" * 100_000 + b"\n",
    ],
)
def test_damaged_line_is_skipped(log: FileEventLog, tmp_path: Path, damage: bytes) -> None:
    """The events before and after it are read, even if the line was cut short."""
    log.record(FULL)
    with (tmp_path / "state/event_log/events.jsonl").open("ab") as file:
        file.write(damage)
    log.record(FULL)
    assert list(log.read()) == [FULL, FULL]


def test_log_is_bounded(log: FileEventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are two files at most, and the newest events are in them."""
    monkeypatch.setattr(event_log, "MAX_LOG_BYTES", 2000)
    for number in range(100):
        log.record(TokenEvent(float(number), "p", "acquired"))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "state/event_log").iterdir()}
    assert sizes.keys() == {"events.jsonl", "events.1.jsonl"}
    assert max(sizes.values()) < 2200
    times = [event.time for event in log.read()]
    assert times == [float(number) for number in range(100 - len(times), 100)]
    assert len(times) > 25


def test_failure_is_only_noted(log: FileEventLog, notes: list[str], tmp_path: Path) -> None:
    """Where the log can't be written, the command goes on."""
    (tmp_path / "state").write_text("a file is in the way")
    log.record(FULL)
    assert (
        notes
        == [f"not recorded in the event log: can't use {tmp_path}/state: a file is in the way"]
        or "not recorded in the event log" in notes[0]
    )
    assert log.fingerprint(Secret("t")) == log.fingerprint(Secret("t"))


def test_log_that_others_can_read_is_refused(log: FileEventLog, tmp_path: Path) -> None:
    """It may be forged, so neither are events added nor read."""
    log.record(FULL)
    (tmp_path / "state/event_log/events.jsonl").chmod(0o644)
    with pytest.raises(StorageError):
        list(log.read())


def test_renamed_profile_keeps_its_events(log: FileEventLog) -> None:
    """Those of other profiles stay as they are; a removed profile leaves none."""
    other = TokenEvent(2.0, "other", "login", requester="cron")
    for event in (FULL, other):
        log.record(event)
    log.rename_profile("p", "new")
    assert [event.profile for event in log.read()] == ["new", "other"]
    log.delete_profile("new")
    assert list(log.read()) == [other]

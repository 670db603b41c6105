"""The event log: whole lines of any number of writers, bounded, private, and never in the way."""

import fcntl
import os
import resource
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tokencli.errors import StorageError
from tokencli.models import Secret
from tokencli.system import event_log
from tokencli.system.event_log import FileEventLog, parse_event
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


TOKEN = Secret("canary-token")


def record_event(log: FileEventLog, event: TokenEvent) -> None:
    """Record an event."""
    log.record(asdict(event))


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
    record_event(log, FULL)
    record_event(log, bare)
    assert list(log.read()) == [FULL, bare]
    assert [*log.read("q")] == [bare]
    assert [*log.read(since=2.0)] == [FULL]


def test_log_is_private(log: FileEventLog, tmp_path: Path) -> None:
    """Directory 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        record_event(log, FULL)
        log.fingerprint(Secret("t"))
    finally:
        os.umask(before)
    directory = tmp_path / "state" / "event_log"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_log_that_is_off_creates_nothing(tmp_path: Path) -> None:
    """Neither recording nor a fingerprint nor reading creates a file."""
    log = FileEventLog(tmp_path / "state", print, enabled=False)
    record_event(log, FULL)
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
        b'{"version":1,"time":1' + b"0" * 400 + b',"profile":"p","event":"login"}\n',
        b'{"version":1,"time":-1e300,"profile":"p","event":"login"}\n',
        b"[" * 10_000 + b"\n",
        b"x" * 100_000 + b"\n",
    ],
)
def test_damaged_line_is_skipped(log: FileEventLog, tmp_path: Path, damage: bytes) -> None:
    """The events before and after it are read, even if the line was cut short."""
    record_event(log, FULL)
    with (tmp_path / "state/event_log/events.jsonl").open("ab") as file:
        file.write(damage)
    record_event(log, FULL)
    assert list(log.read()) == [FULL, FULL]


def test_log_is_bounded(log: FileEventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are two files at most, and the newest events are in them."""
    monkeypatch.setattr(event_log, "MAX_LOG_BYTES", 2000)
    for number in range(100):
        record_event(log, TokenEvent(float(number), "p", "acquired"))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "state/event_log").iterdir()}
    assert sizes.keys() == {"events.jsonl", "events.1.jsonl"}
    assert max(sizes.values()) < 2200
    times = [event.time for event in log.read()]
    assert times == [float(number) for number in range(100 - len(times), 100)]
    assert len(times) > 25


def run_writers(count: int, write: Callable[[int], None]) -> list[int]:
    """Run `write` with each number in its own process, all at once; return their ids."""
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            try:
                write(number)
            finally:
                os._exit(0)
        children.append(child)
    return children


def test_no_line_of_fifty_writers_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    """Neither mixed nor dropped, though the file is rotated meanwhile: all are in the two files."""
    monkeypatch.setattr(event_log, "MAX_LOG_BYTES", 120_000)
    root = tmp_path / "state"

    def write(number: int) -> None:
        log = FileEventLog(root, notes.append)
        for turn in range(20):
            record_event(
                log, replace(FULL, kid=f"{number}/{turn}", fingerprint=log.fingerprint(TOKEN))
            )

    for child in run_writers(50, write):
        os.waitpid(child, 0)
    # Two rotations drop the first part: only what came before it may be missing.
    directory = root / "event_log"
    lines = [
        line
        for name in ("events.1.jsonl", "events.jsonl")
        for line in (directory / name).read_bytes().splitlines()
    ]
    events = [parse_event(line + b"\n") for line in lines]
    assert None not in events
    found = [event for event in events if event is not None]
    kids = {event.kid for event in found}
    assert len(kids) == len(found)
    assert len({event.fingerprint for event in found}) == 1
    assert (directory / "events.1.jsonl").stat().st_size >= 120_000
    assert max(path.stat().st_size for path in directory.iterdir()) < 121_000
    for number in range(50):  # of each writer the last ones are there, without a hole
        turns = sorted(
            int(str(kid).split("/")[1]) for kid in kids if str(kid).startswith(f"{number}/")
        )
        assert turns == list(range(20 - len(turns), 20))


def test_no_line_is_lost_without_rotation(tmp_path: Path, notes: list[str]) -> None:
    """Every event of 50 writers is read, the first ones included."""
    root = tmp_path / "state"

    def write(number: int) -> None:
        log = FileEventLog(root, notes.append)
        for turn in range(20):
            record_event(log, replace(FULL, kid=f"{number}/{turn}"))

    for child in run_writers(50, write):
        os.waitpid(child, 0)
    kids = {event.kid for event in FileEventLog(root, notes.append).read()}
    assert kids == {f"{number}/{turn}" for number in range(50) for turn in range(20)}


def test_killed_writers_leave_a_readable_log(
    log: FileEventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever they are killed: what is read is whole, and the next event is as well."""
    monkeypatch.setattr(event_log, "MAX_LOG_BYTES", 20_000)

    def write(number: int) -> None:
        while True:
            record_event(log, replace(FULL, kid=str(number)))

    for round_number in range(20):
        children = run_writers(5, write)
        for child in children:
            time.sleep(0.003)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        last = replace(FULL, kid=f"after {round_number}")
        record_event(log, last)
        events = list(log.read())
        assert events[-1] == last
        assert {replace(event, kid="") for event in events} == {replace(FULL, kid="")}


def test_stopped_writer_stops_no_other(log: FileEventLog, tmp_path: Path) -> None:
    """A process that is stopped while it holds the lock delays the others by a moment only."""
    record_event(log, FULL)
    path = tmp_path / "state" / "event_log" / "events.jsonl"
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        record_event(log, FULL)
        assert time.monotonic() - began < 5
    assert list(log.read()) == [FULL, FULL]


def test_full_disk_is_only_noted(log: FileEventLog, notes: list[str], tmp_path: Path) -> None:
    """A line that doesn't fit is cut; the next one is whole again."""
    record_event(log, FULL)
    size = (tmp_path / "state/event_log/events.jsonl").stat().st_size

    def write(_: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
        record_event(log, FULL)
        (tmp_path / "notes").write_text("\n".join(notes)[:90])

    (child,) = run_writers(1, write)
    os.waitpid(child, 0)
    assert "not recorded in the event log" in (tmp_path / "notes").read_text()
    record_event(log, FULL)
    assert list(log.read()) == [FULL, FULL]


def test_failure_is_only_noted(log: FileEventLog, notes: list[str], tmp_path: Path) -> None:
    """Where the log can't be written, the command goes on."""
    (tmp_path / "state").write_text("a file is in the way")
    record_event(log, FULL)
    assert (
        notes
        == [f"not recorded in the event log: can't use {tmp_path}/state: a file is in the way"]
        or "not recorded in the event log" in notes[0]
    )
    assert log.fingerprint(Secret("t")) == log.fingerprint(Secret("t"))


def test_log_that_others_can_read_is_refused(log: FileEventLog, tmp_path: Path) -> None:
    """It may be forged, so neither are events added nor read."""
    record_event(log, FULL)
    (tmp_path / "state/event_log/events.jsonl").chmod(0o644)
    with pytest.raises(StorageError):
        list(log.read())


def test_renamed_profile_keeps_its_events(log: FileEventLog) -> None:
    """Those of other profiles stay as they are; a removed profile leaves none."""
    other = TokenEvent(2.0, "other", "login", requester="cron")
    for event in (FULL, other):
        record_event(log, event)
    log.rename_profile("p", "new")
    assert [event.profile for event in log.read()] == ["new", "other"]
    log.delete_profile("new")
    assert list(log.read()) == [other]


def test_unlikely_numbers_are_left_out(log: FileEventLog, tmp_path: Path) -> None:
    """The rest of such an event is shown, and no calculation with it overflows."""
    record_event(log, FULL)
    path = tmp_path / "state" / "event_log" / "events.jsonl"
    line = path.read_text()
    for huge in ("1" + "0" * 400, "-1e300", "1e999", "NaN"):
        path.write_text(line.replace('"status":400', f'"status":{huge}'))
        assert list(log.read()) == [replace(FULL, status=None)]


def test_follow_misses_nothing_while_profiles_are_renamed_and_removed(log: FileEventLog) -> None:
    """Between two looks at the log, events are recorded before, between and after changes of names."""
    other = TokenEvent(2.0, "other", "login", kid="0")

    def record(*kids: str) -> None:
        for kid in kids:
            record_event(log, replace(FULL, kid=kid))

    def rename_twice() -> None:
        record("b")
        log.rename_profile("p", "q")
        record("c", "a")
        log.rename_profile("q", "p")
        record("d")

    def remove() -> None:
        record_event(log, other)
        log.delete_profile("p")
        record("e")

    steps = [rename_twice, remove, lambda: log.rename_profile("other", "p"), lambda: record("f")]
    seen: list[str | None] = []
    record("a")

    class EndError(Exception):
        """Ends the test."""

    def wait() -> None:
        if not steps:
            raise EndError
        steps.pop(0)()

    with pytest.raises(EndError):
        for event in log.follow(wait):
            seen.append(event.kid)
    assert seen == ["a", "b", "c", "a", "d", "0", "e", "f"]

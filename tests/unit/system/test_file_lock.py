"""The file lock, with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.unit.token_store.samples import ROOT
from tokencli.errors import LockTimeoutError, StorageError
from tokencli.protocols import ShowWait, WaitStatus, hide_wait
from tokencli.system import file_lock
from tokencli.system.file_lock import hold_lock, read_holder_pid

HOLDER = """
import sys
from pathlib import Path
from tokencli.system.file_lock import hold_lock
with hold_lock(Path(sys.argv[1]), doing="getting a token for profile 'p'", timeout=30):
    print("held", flush=True)
    sys.stdin.readline()
"""

COUNTER = """
import sys
from pathlib import Path
from tokencli.system.file_lock import hold_lock
path = Path(sys.argv[1])
count = path.with_name("count")
sys.stdin.readline()
with hold_lock(path, doing="getting a token for profile 'p'", timeout=60):
    found = int(count.read_text())
    count.write_text(str(found + 1))
"""

Hold = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the test's lock."""
    return tmp_path / "x.lock"


@pytest.fixture
def other(path: Path) -> Iterator[Hold]:
    """Start processes that hold the lock until they get a line."""
    with ExitStack() as processes:

        def start() -> subprocess.Popen[str]:
            process = processes.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLDER, str(path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            processes.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            return process

        yield start


def take(path: Path, timeout: float = 0.0, show_wait: ShowWait = hide_wait) -> bool:
    """Acquire and release the lock."""
    with hold_lock(
        path, doing="getting a token for profile 'p'", timeout=timeout, show_wait=show_wait
    ):
        return True


def test_fifty_processes_take_turns(path: Path) -> None:
    """Fifty processes that read, add one and write under the lock lose no update."""
    count = path.with_name("count")
    count.write_text("0")
    with ExitStack() as processes:
        started = [
            processes.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", COUNTER, str(path)], stdin=subprocess.PIPE, cwd=ROOT
                )
            )
            for _ in range(50)
        ]
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait(120) for process in started] == [0] * 50
    assert count.read_text() == "50"


def test_a_killed_holder_releases_the_lock(path: Path, other: Hold) -> None:
    """The kernel releases the lock of a killed process, whatever it wrote into the file."""
    process = other()
    with pytest.raises(LockTimeoutError):
        take(path)
    process.kill()
    process.wait(20)
    assert path.read_text() == str(process.pid)
    assert read_holder_pid(path) is None
    assert take(path)
    assert path.read_text() == ""


def test_a_stopped_holder_is_reported_after_the_timeout(path: Path, other: Hold) -> None:
    """A holder stopped by Ctrl-Z doesn't block for ever; the error names it and how to continue it."""
    process = other()
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    start = time.monotonic()
    with pytest.raises(LockTimeoutError) as caught:
        take(path, 0.5)
    assert 0.5 <= time.monotonic() - start <= 1.5
    assert f"process {process.pid} " in caught.value.message
    assert caught.value.fix is not None and f"kill -CONT {process.pid}" in caught.value.fix
    process.send_signal(signal.SIGCONT)
    process.communicate("\n", timeout=20)
    assert take(path)


def test_the_holder_is_named(path: Path, other: Hold) -> None:
    """The error says which process has the lock, for which profile, and how to wait longer."""
    process = other()
    with pytest.raises(LockTimeoutError) as caught:
        take(path)
    assert f"process {process.pid} " in caught.value.message
    assert "profile 'p'" in caught.value.message
    assert "--lock-timeout" in (caught.value.cause or "")
    assert caught.value.fix == f"ps -fp {process.pid}"


def test_a_wait_is_announced(path: Path, other: Hold) -> None:
    """A run that waits says for which process and how long; a run that doesn't wait says nothing."""
    process = other()
    said: list[WaitStatus] = []
    assert file_lock.WAIT_NOTICE_S == 2.0

    @contextmanager
    def show_wait(
        describe: Callable[[], WaitStatus], /, *, note_after: float | None = None, **_: object
    ) -> Iterator[None]:
        assert note_after == file_lock.WAIT_NOTICE_S
        said.append(describe())
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        yield

    assert take(path, 20, show_wait)
    doing = f"waiting for process {process.pid}, which is getting a token for profile 'p'"
    assert said == [WaitStatus(doing, 20)]
    assert take(path, 20, show_wait)
    assert len(said) == 1


def test_waiting_ends_early(path: Path, other: Hold) -> None:
    """Once the lock has changed hands, what `unless` finds ends the wait, and the lock isn't taken."""
    other()
    asked: list[bool] = []

    def find() -> str | None:
        asked.append(True)
        return "token" if len(asked) == 2 else None

    @contextmanager
    def change_hands(*_: object, **__: object) -> Iterator[None]:
        assert not asked
        for delay in (0.3, 1.5):
            timer = threading.Timer(delay, os.utime, (path,), {"ns": (0, int(delay * 10))})
            timer.start()
        yield

    with hold_lock(path, doing="x", timeout=20, show_wait=change_hands, unless=find) as found:
        assert found == "token"
        assert read_holder_pid(path) not in (None, os.getpid())
    assert len(asked) == 2


def test_pauses_grow_and_differ(path: Path, other: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiters poll often at first and then twice a second to once in half a second, not in step."""
    other()
    pauses: list[float] = []
    now = time.monotonic()
    monkeypatch.setattr(file_lock.time, "monotonic", lambda: now + sum(pauses))
    monkeypatch.setattr(file_lock.time, "sleep", pauses.append)
    with pytest.raises(LockTimeoutError):
        take(path, 30)
    assert pauses[0] <= 0.01
    assert all(0.25 <= pause <= 0.5 for pause in pauses[15:-1])
    assert len(set(pauses)) == len(pauses) < 120
    assert sum(pauses) == pytest.approx(30)


def test_the_lock_file_stays_empty_and_private(path: Path) -> None:
    """A lock file is never removed; after use it is empty and has mode 0600."""
    assert take(path)
    first = path.stat()
    path.chmod(0o666)
    assert take(path)
    assert path.stat().st_ino == first.st_ino
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 0


def test_other_files_are_refused_as_locks(path: Path, tmp_path: Path) -> None:
    """A link, a FIFO or a directory is an error at once, not a time-out, and nothing is written."""
    victim = tmp_path / "victim"
    victim.write_text("content")
    for plant in (
        lambda: path.symlink_to(victim),
        lambda: path.symlink_to("/nonexistent"),
        lambda: os.mkfifo(path),
        lambda: path.mkdir(),
    ):
        plant()
        with pytest.raises(StorageError) as caught:
            take(path, 20)
        assert not isinstance(caught.value, LockTimeoutError)
        assert caught.value.fix is not None and str(path) in caught.value.fix
        path.rmdir() if path.is_dir() else path.unlink()
    assert victim.read_text() == "content"


def test_an_unwritable_directory_is_an_error_at_once(tmp_path: Path) -> None:
    """If no file can be created, it is an error at once and not a time-out."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        take(tmp_path / "file" / "x.lock", 20)
    assert not isinstance(caught.value, LockTimeoutError)


def test_a_deleted_lock_file_does_not_break_the_lock(path: Path, other: Hold) -> None:
    """A process that waited for a removed file waits for the new one."""
    old = other()
    waiter = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with waiter:
        path.unlink()
        fresh = other() if not waiting_ended(waiter) else None
        old.communicate("\n", timeout=20)
        if fresh is not None:
            assert not waiting_ended(waiter)
            fresh.communicate("\n", timeout=20)
        assert waiter.stdout is not None and waiter.stdout.readline() == "held\n"
        with pytest.raises(LockTimeoutError):
            take(path)
        waiter.communicate("\n", timeout=20)


def waiting_ended(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process has acquired the lock."""
    import select

    return bool(select.select([process.stdout], [], [], 0.3)[0])


def test_an_error_releases_the_lock(path: Path) -> None:
    """However the block ends, the lock is released."""
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with (
            pytest.raises(error),
            hold_lock(path, doing="getting a token for profile 'p'", timeout=0),
        ):
            raise error
        assert take(path)


def test_a_child_does_not_keep_the_lock(path: Path) -> None:
    """A command that is started under the lock doesn't inherit it."""
    with hold_lock(path, doing="getting a token for profile 'p'", timeout=0):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        assert take(path)
        child.communicate(b"\n", timeout=20)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "0", "99999999999999999999999", "\xff", "9" * 5000]
)
def test_invalid_content_names_no_holder(text: str, path: Path) -> None:
    """Other content of the lock file is ignored."""
    path.write_bytes(text.encode("latin-1"))
    assert read_holder_pid(path) is None

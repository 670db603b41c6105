"""How each platform finds, starts, signals and ends programs, and how it knows a console."""

import ntpath
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.platforms.fakes import FakeWindows
from tokencli import platforms
from tokencli.platforms.linux import Linux
from tokencli.platforms.windows import CLOSING_EVENTS, Windows, quote_for_batch
from tokencli.system.child_process import build_start_error, exit_status_of, find_program
from tokencli.system.companion import read_start_time


def wait_until(is_reached: Callable[[], bool]) -> None:
    """Wait for at most 20 seconds."""
    end = time.monotonic() + 20
    while not is_reached():
        assert time.monotonic() < end
        time.sleep(0.01)


PATH = r'C:\bin;"C:\Program Files\x";;D:\tools'


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    """Return a Windows with the usual PATHEXT."""
    monkeypatch.setenv("PATHEXT", ".COM;.EXE;.BAT;.CMD;junk")
    monkeypatch.setenv("SystemRoot", r"C:\Windows")
    return Windows(FakeWindows())


def test_a_name_is_completed_by_pathext(windows: Windows) -> None:
    """In each directory of PATH, and never in the working directory, as `CreateProcess` would."""
    found = windows.list_candidates("az", PATH)
    assert found[:4] == [rf"C:\bin\az{end}" for end in (".com", ".exe", ".bat", ".cmd")]
    folders = list(dict.fromkeys(map(ntpath.dirname, found)))
    assert folders == [r"C:\bin", r"C:\Program Files\x", r"D:\tools"]
    assert windows.list_candidates("az.cmd", r"C:\bin")[0] == r"C:\bin\az.cmd"
    assert windows.list_candidates("az", None) == []


def test_without_path_no_program_is_found(
    windows: Windows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`os.defpath` of Windows begins with the working directory."""
    monkeypatch.setattr(platforms, "PLATFORM", windows)
    monkeypatch.setattr(os, "defpath", f"{tmp_path};C:\\bin")
    (tmp_path / "az.cmd").touch(mode=0o755)
    monkeypatch.setattr(ntpath, "join", os.path.join)  # so that the file would be found
    with pytest.raises(FileNotFoundError):
        find_program("az.cmd", {})


def test_what_is_no_program_is_named(
    windows: Windows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A directory, or a file with another extension, is there; the status is 126, not 127."""
    monkeypatch.setattr(platforms, "PLATFORM", windows)
    monkeypatch.setattr(Windows, "list_candidates", lambda *_: [str(tmp_path / "x.exe")])
    file = tmp_path / "notes.txt"
    file.touch()
    causes = {
        tmp_path: "it is a directory",
        file: "it is not a program: PATHEXT does not list its extension",
        tmp_path / "gone": "there is no such file",
    }
    for path, cause in causes.items():
        with pytest.raises(OSError) as caught:
            find_program(str(path), {})
        assert exit_status_of(caught.value) == (127 if "gone" in path.name else 126)
        assert build_start_error(str(path), caught.value, None).cause == cause


@pytest.mark.parametrize(
    ("name", "first"),
    [
        (r"C:\tools\x.exe", r"C:\tools\x.exe"),
        (r"C:\tools\x", r"C:\tools\x.com"),
        (r"\\server\share\x.exe", r"\\server\share\x.exe"),
        ("C:/tools/x.exe", "C:/tools/x.exe"),
        (r".\x.cmd", r".\x.cmd"),
        ("C:x.exe", "C:x.exe"),
    ],
)
def test_a_path_is_not_searched_for(windows: Windows, name: str, first: str) -> None:
    """A name with a directory or a drive stands for itself, with or without its extension."""
    assert windows.list_candidates(name, PATH)[0] == first
    assert not any("bin" in each for each in windows.list_candidates(name, PATH))


def test_a_program_is_started_without_cmd(windows: Windows) -> None:
    """`subprocess` quotes its arguments as C programs expect it."""
    words = ["x", 'a "b"', "%PATH%"]
    assert windows.launch_options(words, r"C:\x.exe") == {"args": words, "executable": r"C:\x.exe"}


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("plain-1.2:/@_", "plain-1.2:/@_"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a&calc", '"a&calc"'),
        ("a|b<c>d^e(f)", '"a|b<c>d^e(f)"'),
        ('"&calc&"', '"""&calc&"""'),
        ('\\"', '"\\\\"""'),
        ("dir\\", '"dir\\\\"'),
        ("%PATH%", '"%%cd:~,%PATH%%cd:~,%"'),
        ("!x!", '"!x!"'),
        ("Zoë", "Zoë"),
        ("a,b;c=d", '"a,b;c=d"'),
    ],
)
def test_an_argument_of_a_batch_file_is_quoted(argument: str, quoted: str) -> None:
    """cmd.exe finds neither the end of the argument in it, nor a variable."""
    assert quote_for_batch(argument) == quoted


@pytest.mark.parametrize("argument", ["a\nb", "a\r", "a\0b"])
def test_what_cannot_be_quoted_is_refused(windows: Windows, argument: str) -> None:
    """A line break ends the command line of cmd.exe, whatever is around it."""
    with pytest.raises(OSError, match="line break"):
        windows.launch_options(["az", argument], r"C:\bin\az.cmd")


def test_a_batch_file_is_run_by_the_systems_cmd(windows: Windows) -> None:
    """Without delayed expansion and AutoRun, and with each argument quoted."""
    options = windows.launch_options(["az", "a b"], r"C:\Program Files\AZ.CMD")
    assert options["executable"] == r"C:\Windows\System32\cmd.exe"
    expected = r'cmd.exe /e:ON /v:OFF /d /s /c ""C:\Program Files\AZ.CMD" "a b""'
    assert options["args"] == expected


def test_nul_is_no_console() -> None:
    """`isatty` is true for NUL on Windows, so the console is asked for."""
    controller, terminal = os.openpty()
    try:
        assert not Windows(FakeWindows()).is_terminal(terminal)
        assert Windows(FakeWindows(consoles={terminal})).is_terminal(terminal)
        assert Linux().is_terminal(terminal)
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize("has_escapes", [True, False])
def test_escapes_are_turned_on_if_the_console_has_them(has_escapes: bool) -> None:
    """An older console shows them as characters."""
    windows = Windows(FakeWindows(consoles={2}, has_escapes=has_escapes))
    assert windows.enable_escapes(2) is has_escapes
    assert not windows.enable_escapes(3)


@pytest.mark.parametrize(
    ("number", "posix", "windows"), [(32, True, True), (22, False, True), (28, False, False)]
)
def test_a_reader_that_has_gone_is_known(number: int, posix: bool, windows: bool) -> None:
    """EPIPE, and on Windows EINVAL; a full disk is something else."""
    assert Linux().is_reader_gone(OSError(number, "x")) is posix
    assert Windows(FakeWindows()).is_reader_gone(OSError(number, "x")) is windows


@pytest.mark.parametrize(
    ("status", "text"),
    [(1, "exited with code 1"), (0xC000013A, "exited with code 0xC000013A"), (256, "exited with code 256")],
)  # fmt: skip
def test_statuses_of_windows_are_shown_as_documented(status: int, text: str) -> None:
    """None of them is a signal; those of the system itself are known by their hexadecimal form."""
    assert Windows(FakeWindows()).describe_exit(status) == text
    assert Linux().describe_exit(-9) == "was killed by signal 9"


def test_closing_the_console_is_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler keeps the process until it has ended by itself; Ctrl-C is left to Python."""
    calls = FakeWindows()
    raised: list[object] = []
    monkeypatch.setattr(signal, "Signals", {"SIGBREAK": 21})
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    monkeypatch.setattr("time.sleep", lambda seconds: raised.append(seconds >= 20))
    Windows(calls).watch_console()
    (handler,) = calls.handlers
    assert not handler(0)
    assert not handler(1)
    assert raised == []
    for event in CLOSING_EVENTS:
        assert handler(event)
    assert raised == [21, True] * 3


@pytest.mark.parametrize("has_jobs", [True, False])
def test_a_child_is_ended_with_what_it_started(has_jobs: bool) -> None:
    """By its job object; without one, alone."""
    calls = FakeWindows(has_jobs=has_jobs)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        Windows(calls).open_group(child).kill()
        assert child.wait(10) != 0
    finally:
        child.kill()
    assert calls.log == [("open_job", child.pid, False), *([("end_job", 77)] if has_jobs else [])]


def test_a_group_of_linux_is_ended_whole(tmp_path: Path) -> None:
    """The command's own children as well."""
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    child = subprocess.Popen(["sh", "-c", script], **Linux().group_options())
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    Linux().open_group(child).kill()
    assert child.wait(10) == -signal.SIGKILL
    wait_until(lambda: read_start_time(int(pid.read_text())) is None)


def test_each_platform_has_its_signals() -> None:
    """Windows has no SIGHUP, and sends Ctrl-Break; nothing can be forwarded there."""
    posix, windows = Linux().signals, Windows(FakeWindows()).signals
    assert posix.termination == ("SIGTERM", "SIGHUP")
    assert windows.termination == ("SIGTERM", "SIGBREAK")
    assert windows.forwarded == ()
    for table in (posix, windows):
        assert set(table.termination) < set(table.deferred)
        assert "SIGINT" in table.deferred
        assert "SIGINT" in table.shared


@pytest.mark.parametrize(("system", "status"), [("linux", -15), ("darwin", -15), ("win32", 0)])
def test_a_process_ends_by_the_signal_that_ended_its_child(system: str, status: int) -> None:
    """So that its parent sees what has happened; Windows has no such status."""
    code = f"from tokencli.platforms import select_platform; select_platform({system!r}).end_by_signal(15)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == status

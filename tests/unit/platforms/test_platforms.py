"""What Linux, macOS and Windows decide; the calls that this machine doesn't have are fakes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.platforms.fakes import FakeMac, FakeWindows, build_platforms
from tokencli import platforms
from tokencli.platforms.linux import Linux
from tokencli.platforms.macos import MacOS
from tokencli.platforms.platform import Platform
from tokencli.platforms.posix import Posix
from tokencli.platforms.windows import Windows
from tokencli.system import user_dirs

LINUX, MACOS, WINDOWS = build_platforms()
ALL = pytest.mark.parametrize("platform", [LINUX, MACOS, WINDOWS], ids=lambda each: each.name)
SSH = {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}
CREATE_NO_WINDOW = 0x08000000


@pytest.mark.parametrize(
    ("name", "expected"),
    [("linux", Linux), ("darwin", MacOS), ("win32", Windows), ("freebsd14", Linux)],
)
def test_the_platform_follows_from_its_name(name: str, expected: type[Platform]) -> None:
    """Each class can be made anywhere: what only its system has is loaded on first use."""
    assert type(platforms.select_platform(name)) is expected


def test_it_is_chosen_once() -> None:
    """Every module asks the same object, whose class the system decides."""
    assert platforms.current() is platforms.current()
    assert type(platforms.current()) is type(platforms.select_platform(sys.platform))


def test_a_process_loads_one_class() -> None:
    """Neither the others nor anything that imports for long."""
    code = "import sys; before = set(sys.modules); import tokencli.platforms; tokencli.platforms.current(); print(*sys.modules.keys() - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("tokencli.platforms.")}
    names = ("file_access", "linux", "platform", "posix", "posix_files")
    assert ours == {f"tokencli.platforms.{name}" for name in names}
    assert not {"ctypes", "shlex", "subprocess"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("environ", "linux", "others"),
    [
        ({}, False, True),
        ({"DISPLAY": ":0"}, True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, True),
        (SSH, False, False),
        ({**SSH, "DISPLAY": "localhost:10"}, True, False),
    ],
)
def test_a_screen_needs_no_variable_outside_linux(
    environ: dict[str, str], linux: bool, others: bool
) -> None:
    """macOS and Windows have one unless this is an SSH session, which forwards only windows of X11."""
    assert LINUX.has_screen(environ) is linux
    assert MACOS.has_screen(environ) is others
    assert WINDOWS.has_screen(environ) is others


def test_macos_opens_pages_with_its_own_program() -> None:
    """By its full path; the others leave it to Python's `webbrowser`."""
    openers = [tuple(each.browser_opener) for each in (LINUX, MACOS, WINDOWS)]
    assert openers == [(), ("/usr/bin/open",), ()]


def test_a_port_cannot_be_taken_by_others() -> None:
    """SO_REUSEADDR means that only on POSIX systems; Windows has an option of the opposite sense."""

    class FakeSocket(socket.socket):
        def setsockopt(self, *options: object) -> None:  # type: ignore[override]  # takes any options
            chosen.append(options)

    chosen: list[tuple[object, ...]] = []
    for platform in (LINUX, MACOS, WINDOWS):
        with FakeSocket() as listener:
            platform.prepare_listener(listener)
    reuse = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    assert chosen == [reuse, reuse, (socket.SOL_SOCKET, -5, 1)]


@pytest.mark.parametrize(
    ("text", "posix", "windows"),
    [
        ("code --wait", ["code", "--wait"], ["code", "--wait"]),
        ("  a\tb  ", ["a", "b"], ["a", "b"]),
        (r"C:\tools\x.exe -y", ["C:toolsx.exe", "-y"], [r"C:\tools\x.exe", "-y"]),
        (r'"C:\Program Files\x.exe" a', [r"C:\Program Files\x.exe", "a"], [r"C:\Program Files\x.exe", "a"]),
        ("'a b' c", ["a b", "c"], ["'a", "b'", "c"]),
        ('""', [""], [""]),
        (r'"a\\" b', ["a\\", "b"], ["a\\", "b"]),
        (r'a\"b', ['a"b'], ['a"b']),
        (r'"a\\\"b" c', ['a\\"b', "c"], ['a\\"b', "c"]),
        (r"\\server\share\x", [r"\serversharex"], [r"\\server\share\x"]),
        ('"a""b"', ["ab"], ['a"b']),
        ("", [], []),
    ],
)  # fmt: skip
def test_command_lines_are_split_as_the_system_does(
    text: str, posix: list[str], windows: list[str]
) -> None:
    """By a shell's rules, or by those of the C runtime of Windows, where `\\` is part of a path."""
    assert LINUX.split_command(text) == posix
    assert MACOS.split_command(text) == posix
    assert WINDOWS.split_command(text) == windows


@pytest.mark.parametrize(
    "arguments",
    [["a b", "c"], ['say "x"', "\\"], ["\\\\", 'a\\"', ""], ["tab\there", "é", "C:\\a b\\"]],
)
def test_windows_splits_what_python_joined(arguments: list[str]) -> None:
    """`subprocess.list2cmdline` is the inverse."""
    assert WINDOWS.split_command(subprocess.list2cmdline(arguments)) == arguments


@ALL
def test_an_unmatched_quotation_mark_is_an_error(platform: Platform) -> None:
    """So nothing is started by accident."""
    with pytest.raises(ValueError, match="No closing quotation"):
        platform.split_command('"C:/Program Files/x')


def test_detached_processes_have_no_terminal() -> None:
    """They get a session of their own, or no console."""
    options = [each.detach_options() for each in (LINUX, MACOS, WINDOWS)]
    session = {"start_new_session": True}
    assert options == [session, session, {"creationflags": CREATE_NO_WINDOW}]


@ALL
def test_files_and_directories_are_synced(platform: Platform, tmp_path: Path) -> None:
    """Without an error, on any of them."""
    with (tmp_path / "file").open("wb") as file:
        platform.sync_file(file.fileno())
    platform.sync_dir(os.fspath(tmp_path))


@pytest.mark.parametrize("has_full_sync", [True, False])
def test_macos_lets_the_drive_write_as_well(has_full_sync: bool, tmp_path: Path) -> None:
    """By F_FULLFSYNC, for directories as well, and by fsync where a file system doesn't have it."""
    system = FakeMac(has_full_sync)
    platform = MacOS(system.control_file, system.sync)
    platform.sync_file(7)
    platform.sync_dir(os.fspath(tmp_path))
    kinds = [call[0] for call in system.log]
    assert kinds == ["fcntl", "fcntl"] if has_full_sync else ["fcntl", "fsync", "fcntl", "fsync"]
    assert system.log[0] == ("fcntl", 7, 51)


def test_the_functions_of_windows_are_missing_elsewhere() -> None:
    """Nothing calls them by accident."""
    with pytest.raises(OSError, match="exist only there"):
        _ = Windows().calls


@pytest.mark.parametrize(
    ("environ", "is_interactive", "linux", "macos"),
    [
        ({"DISPLAY": ":0"}, True, True, True),
        ({"TERM": "xterm", "DISPLAY": ":0"}, False, False, True),
        ({}, True, False, True),
        ({"TERM": "xterm"}, False, False, True),
        ({}, False, False, False),
        (SSH, True, False, False),
        ({**SSH, "DISPLAY": "localhost:10"}, True, True, False),
    ],
)
def test_only_the_keychain_asks_by_itself(
    environ: dict[str, str], is_interactive: bool, linux: bool, macos: bool
) -> None:
    """So only there a call in a pipe may take a minute, but not in cron; Windows has no dialog."""
    found = [
        each.can_keyring_prompt(environ, is_interactive=is_interactive)
        for each in (LINUX, MACOS, WINDOWS)
    ]
    assert found == [linux, macos, False]


def test_where_things_are_differs() -> None:
    """Only Linux has the XDG directories, and tells which of them are in memory."""
    everywhere = (LINUX, MACOS, WINDOWS)
    assert [each.uses_xdg_directories for each in everywhere] == [True, False, False]
    assert [each.has_memory_directories for each in everywhere] == [True, False, False]
    assert [each.has_descriptor_paths for each in everywhere] == [True, True, False]


def test_a_user_has_a_home_and_a_name() -> None:
    """By the user database and HOME, or by the variables that Windows sets."""
    for platform in (LINUX, MACOS):
        homes, name = platform.find_user({"HOME": "/elsewhere"})
        assert homes[0] == "/elsewhere" and name
    user = {"USERPROFILE": r"C:\Users\Zoë Müller", "USERNAME": "Zoë Müller", "HOME": "/x"}
    assert WINDOWS.find_user(user) == ([user["USERPROFILE"]], user["USERNAME"])
    assert WINDOWS.find_user({}) == ([""], "")


def test_only_linux_misses_a_session_bus() -> None:
    """And a home directory is that of HOME on POSIX systems alone."""
    said = [" ".join(each.describe_session({})) for each in (LINUX, MACOS, WINDOWS)]
    assert ["HOME is not set" in each for each in said] == [True, True, False]
    assert not any("D-Bus" in each for each in said[1:])
    bus = {"HOME": "/home/u", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}
    assert not any("D-Bus" in each for each in LINUX.describe_session(bus))
    assert ["container" in each for each in LINUX.describe_session({**bus, "container": "x"})] == [
        True
    ]


def test_the_clock_is_set_by_the_systems_own_command() -> None:
    """And only Linux's kernel says whether that is needed."""
    assert MACOS.clock_command() == "sudo sntp -sS time.apple.com"
    assert WINDOWS.clock_command() == "w32tm /resync"
    assert [each.is_clock_synchronized() for each in (MACOS, WINDOWS)] == [None, None]
    assert LINUX.is_clock_synchronized() in (True, False, None)


@pytest.mark.parametrize("platform", [LINUX, MACOS], ids=lambda each: each.name)
def test_a_locked_file_is_not_locked_again(platform: Platform, tmp_path: Path) -> None:
    """Not even by this process under another descriptor."""
    path = tmp_path / "file"
    with path.open("wb") as first, path.open("rb+") as second:
        platform.lock_file(first.fileno())
        with pytest.raises(BlockingIOError):
            platform.lock_file(second.fileno())


def test_windows_locks_behind_the_content() -> None:
    """So that others can read it: a byte that is locked can't be read there."""
    system = FakeWindows()
    Windows(system).lock_file(7)
    assert system.log == [("lock_byte", 7, 1 << 30)]
    with pytest.raises(PermissionError):
        Windows(FakeWindows(is_file_locked=True)).lock_file(7)


@ALL
def test_waiting_ends_when_the_reader_has_gone(platform: Platform) -> None:
    """Where that can be told without a write; on Windows the wait goes on to its end."""
    reader, writer = os.pipe()
    try:
        assert platform.wait_for_reader(writer, 0.001) is True
        os.close(reader)
        assert platform.wait_for_reader(writer, 0.001) is (platform is WINDOWS)
    finally:
        os.close(writer)


def test_the_state_is_where_the_system_expects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the home directory of the user database, or a fixed one in /tmp; on Windows there is one."""
    monkeypatch.setattr(Posix, "find_home", lambda _: "/home/u")
    fallback = f"/tmp/tokencli-{os.geteuid()}"
    assert LINUX.list_state_dirs() == ["/home/u/.local/state/tokencli", fallback]
    mac = "/home/u/Library/Application Support/tokencli"
    assert MACOS.list_state_dirs() == [mac, fallback]
    monkeypatch.setattr(Posix, "find_home", lambda _: None)
    assert LINUX.list_state_dirs() == MACOS.list_state_dirs() == [fallback]
    assert len(WINDOWS.list_state_dirs()) == 1


def test_a_process_is_asked_for_without_harm() -> None:
    """Windows can't be asked: signal 0 would end the process there."""
    with subprocess.Popen(["sleep", "60"]) as process:
        assert all(each.is_process_running(process.pid) for each in (LINUX, MACOS, WINDOWS))
        process.kill()
    assert process.returncode == -9
    for platform in (LINUX, MACOS):
        assert platform.is_process_running(process.pid) is False
        assert platform.is_process_running(1 << 64) is False


@pytest.mark.parametrize(("platform", "name"), [(MACOS, "macOS"), (WINDOWS, "Windows")])
def test_a_message_doesnt_ask_for_a_directory_that_cant_be(
    monkeypatch: pytest.MonkeyPatch, platform: Platform, name: str
) -> None:
    """Only on Linux XDG_RUNTIME_DIR would help."""
    monkeypatch.setattr(platforms, "PLATFORM", platform)
    assert user_dirs.explain_missing_runtime_dir().startswith(f"{name} has no directory")
    assert user_dirs.runtime_dir({"XDG_RUNTIME_DIR": "/run/user/0"}) is None
    assert user_dirs.list_runtime_dirs(Path("/nonexistent")) == []
    assert user_dirs.hand_over_dir({}) is None


def test_only_linux_can_store_in_memory_instead() -> None:
    """The advice for a disk without locks names no store that the system doesn't have."""
    named = ['"runtime"' in each.other_store for each in (LINUX, MACOS, WINDOWS)]
    assert named == [True, False, False]

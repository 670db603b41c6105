"""`get --clip`: real programs and an X server, tmux and a terminal; nothing of the token stays behind."""

import base64
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import IN_CI, Run, script
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

PATIENCE_S = 20
OSC_52 = re.compile(rb"\x1b\]52;[a-z]*;([A-Za-z0-9+/=]+)(?:\x07|\x1b\\)")


def require(program: str, package: str) -> str:
    """Return the program's path; without it the test fails in CI and is left out elsewhere."""
    path = shutil.which(program)
    if path is None:
        (pytest.fail if IN_CI else pytest.skip)(f"apt-get install {package}")
    return path


@pytest.fixture(scope="module")
def x_server() -> Iterator[str]:
    """Run an X server without a screen, and return its DISPLAY."""
    reader, writer = os.pipe()
    with subprocess.Popen(
        [require("Xvfb", "xvfb"), "-displayfd", str(writer), "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(writer)
        try:
            with os.fdopen(reader, "rb") as numbers:
                yield f":{numbers.readline().decode().strip()}"
        finally:
            server.terminate()


@pytest.fixture
def display(x_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use the X server."""
    monkeypatch.setenv("DISPLAY", x_server)
    require("xclip", "xclip")
    return x_server


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    for name in ("TMUX", "SSH_TTY", "STY", "WSL_DISTRO_NAME", "WSL_INTEROP"):
        monkeypatch.delenv(name, raising=False)
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


def pasted() -> str:
    """Return what xclip pastes."""
    done = subprocess.run(
        ["xclip", "-selection", "clipboard", "-out"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.stdout


def helpers() -> dict[int, bytes]:
    """Return the command line and environment of each helper that waits to clear the clipboard."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"clear_clipboard.py" in (command := path.read_bytes()):
                found[int(path.parent.name)] = command + path.with_name("environ").read_bytes()
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until the condition holds, and tell whether it does."""
    end = time.monotonic() + PATIENCE_S
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return holds


@pytest.mark.parametrize("program", ["xclip", "xsel"])
@pytest.mark.parametrize("words", [(), ("--format", "header")], ids=" ".join)
def test_the_clipboard_holds_the_token_and_is_cleared(
    program: str, words: tuple[str, ...], display: str, tokencli: Run, sandbox: Sandbox,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Nothing is on stdout; the token is in no command line and no environment, and goes away."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / program).symlink_to(require(program, program))
    before = helpers()
    expected = tokencli("get", *words).out.rstrip("\n")
    done = tokencli(
        "get", *words, "--clip", "--clip-clear", "3s", env={"PATH": str(tmp_path / "bin")}
    )
    assert (done.code, done.out) == (0, ""), done.err
    assert done.err == "tokencli: copied to the clipboard, to be cleared in 3 s\n"
    assert pasted() == expected
    started = {pid: text for pid, text in helpers().items() if pid not in before}
    assert len(started) == 1
    assert all(sandbox.issued_tokens[-1].token.encode() not in text for text in started.values())
    assert eventually(lambda: pasted() == "")
    assert eventually(lambda: started.keys().isdisjoint(helpers()))


def test_what_was_copied_since_is_kept(display: str, tokencli: Run, sandbox: Sandbox) -> None:
    """The clipboard is cleared only if it still holds the token."""
    before = helpers()
    tokencli("get", "--clip", "--clip-clear", "1s")
    started = helpers().keys() - before
    subprocess.run(["xclip", "-selection", "clipboard"], input=b"mine", timeout=9, check=True)
    assert eventually(lambda: started.isdisjoint(helpers()))
    assert pasted() == "mine"


def test_an_expired_token_is_cleared(
    display: str, tokencli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its expiry is sooner than 45 seconds."""
    with Sandbox(lifetime="4s") as short:
        monkeypatch.setenv("TOKENCLI_CONFIG", short.config_file)
        done = tokencli("get", "--clip")
    seconds = re.search(r"cleared in (\d) s", done.err)
    assert seconds and int(seconds[1]) <= 4, done.err
    assert pasted()
    assert eventually(lambda: pasted() == "")


def test_the_terminal_may_end(display: str, sandbox: Sandbox) -> None:
    """The token can still be pasted when the shell and its terminal are gone, and is cleared."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(script(), [script(), "get", "--clip", "--clip-clear", "3s"])
    os.waitpid(pid, 0)
    os.close(terminal)  # SIGHUP to what is left of the session
    assert pasted() == sandbox.issued_tokens[-1].token
    assert eventually(lambda: pasted() == "")


def test_the_end_of_the_session_clears(display: str, tokencli: Run, sandbox: Sandbox) -> None:
    """A helper that is ended clears at once."""
    before = helpers()
    tokencli("get", "--clip")
    (helper,) = helpers().keys() - before
    assert pasted()
    os.kill(helper, signal.SIGTERM)
    assert eventually(lambda: pasted() == "")


@pytest.mark.parametrize(
    ("environ", "programs", "words"),
    [
        ({"DISPLAY": ""}, (), "cause: neither WAYLAND_DISPLAY nor DISPLAY is set"),
        ({}, ("apt-get",), "fix: {sudo}apt-get install xclip\n"),
        ({"WAYLAND_DISPLAY": "wayland-9"}, ("pacman",), "fix: {sudo}pacman -S wl-clipboard\n"),
        ({"DISPLAY": ":987"}, ("xclip",), "cause: Error: Can't open display: :987\n"),
    ],
)
def test_true_causes(
    environ: dict[str, str], programs: tuple[str, ...], words: str, display: str, tokencli: Run,
    sandbox: Sandbox, tmp_path: Path,
) -> None:  # fmt: skip
    """The error says what is missing, and how to install it; no token is printed instead."""
    (tmp_path / "bin").mkdir()
    for name in programs:
        path = tmp_path / "bin" / name
        path.symlink_to(shutil.which(name) or "/bin/true")
    done = tokencli("get", "--clip", env={"PATH": str(tmp_path / "bin"), **environ})
    assert (done.code, done.out) == (8, "")
    assert words.format(sudo="" if os.geteuid() == 0 else "sudo ") in done.err + "\n"


def read_terminal(terminal: int, pattern: re.Pattern[bytes]) -> bytes:
    """Read from a terminal until the pattern is found, and return its first group."""
    text, end = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:  # its other end was closed
                break
        if match := pattern.search(text):
            return match[1]
    raise AssertionError(text)


def test_a_remote_terminal_is_told(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over SSH the terminal at the other end copies the token (OSC 52), even if stdout is a pipe."""
    monkeypatch.setenv("SSH_TTY", "/dev/pts/0")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", f"'{script()}' get --clip | wc -c"])
    warned = re.compile(OSC_52.pattern + rb".*it can't be cleared from here", re.DOTALL)
    found = read_terminal(terminal, warned)
    assert base64.b64decode(found).decode() == sandbox.issued_tokens[-1].token
    os.close(terminal)
    os.waitpid(pid, 0)


def test_tmux_tells_its_terminal(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The token passes through a buffer of tmux, which is deleted."""
    tmux = [require("tmux", "tmux"), "-S", str(tmp_path / "tmux"), "-f", os.devnull]
    monkeypatch.setenv("TERM", "xterm-256color")
    command = f"'{script()}' get --clip --clip-clear 1s 2>'{tmp_path}/err'; exec sleep 60"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(tmux[0], [*tmux, "new-session", command])
    try:
        found = read_terminal(terminal, OSC_52)
        assert base64.b64decode(found).decode() == sandbox.issued_tokens[-1].token

        def buffers() -> str:
            shown = subprocess.run([*tmux, "list-buffers"], capture_output=True, text=True)
            return shown.stdout

        assert eventually(lambda: buffers() == "")
        assert "can't be cleared from here" in (tmp_path / "err").read_text()
    finally:
        subprocess.run([*tmux, "kill-server"], timeout=PATIENCE_S, check=False)
        os.close(terminal)
        os.waitpid(pid, 0)

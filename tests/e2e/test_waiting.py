"""What a run shows while it waits, and what Ctrl-C does then: real processes in terminals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, script
from tests.e2e.test_sign_in import Terminal, run_in_terminal
from tokencli.sandbox.server import Sandbox

ERASE = "\r\x1b[2K"
PROMPTLY_S = 2.0
"""How long an interrupted run takes at most, if no token can be lost …"""
SLACK_S = 2.0
"""… on an idle machine; this much more on a busy one."""
SLOW_S = 12


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose configuration is used."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", str(running.config_file))
        yield running


class Relay:
    """Passes connections on to the sandbox, or accepts them and stays silent."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.silent = False
        self._sockets = [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._sockets.append(client)
                if not self.silent:
                    server = socket.create_connection(("127.0.0.1", self._target))
                    self._sockets.append(server)
                    for ends in ((client, server), (server, client)):
                        threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
def relay(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Put a relay between the configuration and the sandbox."""
    text = Path(sandbox.config_file).read_text()
    port = re.search(r"https://127\.0\.0\.1:(\d+)", text)
    assert port is not None
    passing = Relay(int(port[1]))
    config = tmp_path / "relayed.toml"
    config.write_text(text.replace(f":{port[1]}", f":{passing.port}"))
    config.chmod(0o600)
    monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
    yield passing
    passing.close()


def interrupt(run: Terminal, number: signal.Signals = signal.SIGINT) -> float:
    """Send a signal, read to the end, and return the seconds that this took."""
    start = time.monotonic()
    run.process.send_signal(number)
    run.end()
    return time.monotonic() - start


def stored_tokens(sandbox: Sandbox) -> dict[str, Any]:
    """Return the records in the sandbox's store, with the journal."""
    state = sandbox.directory / "state"
    return {
        str(path.relative_to(state)): path.read_bytes()
        for folder in ("tokens", "journal")
        if (state / folder).is_dir()
        for path in (state / folder).iterdir()
        if path.suffix == ".json"
    }


def visible(said: str) -> list[str]:
    """Return the lines that are left on the screen."""
    lines = said.replace("\r\n", "\n").split("\n")
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line.rpartition(ERASE)[2]) for line in lines]
    return [line for line in plain if line]


def test_a_slow_server_is_shown_and_erased(sandbox: Sandbox) -> None:
    """After a second the line has the server, the elapsed time, the limit and how to cancel."""
    sandbox.set_faults(slow=2.5)
    with run_in_terminal("get", "groupid") as run:
        run.until(r"waiting for 127\.0\.0\.1:\d+\S*: 1 s\S* of 30 s")
        run.until(r"\(Ctrl-C to cancel\)")
        assert run.end() == 0
        assert visible(run.said) == []
        assert run.process.stdout is not None
        assert run.process.stdout.read().startswith(b"eyJ")


def test_a_token_on_the_same_terminal_is_clean(sandbox: Sandbox) -> None:
    """With stdout and stderr on one terminal, the line is erased before the token is printed."""
    sandbox.set_faults(slow=2.5)
    with run_in_terminal("get", "groupid", stdout_too=True) as run:
        run.until("waiting for")
        assert run.end() == 0
    (token,) = visible(run.said)
    assert re.fullmatch(r"eyJ[\w.-]+", token)


def test_a_fast_run_draws_nothing(sandbox: Sandbox) -> None:
    """Nothing is written, and rich isn't imported, if no wait takes a second."""
    with run_in_terminal("get", "groupid", "-v", PYTHONPROFILEIMPORTTIME="1") as run:
        assert run.end() == 0
    assert "requests" in run.said
    assert "rich" not in run.said
    assert "\x1b" not in run.said


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"CI": "true"}, {"TERM": ""}])
def test_nothing_is_drawn_where_it_would_disturb(sandbox: Sandbox, env: dict[str, str]) -> None:
    """Neither in CI nor on a terminal that can't erase a line."""
    sandbox.set_faults(slow=2)
    with run_in_terminal("get", "groupid", **env) as run:
        assert run.end() == 0
        assert run.said == ""


def test_nothing_is_drawn_with_q_or_in_a_pipe(sandbox: Sandbox, tokencli: Run) -> None:
    """`-q` and a pipe get no line."""
    sandbox.set_faults(slow=2)
    with run_in_terminal("get", "groupid", "-q") as run:
        assert run.end() == 0
        assert run.said == ""
    piped = tokencli("refresh", "groupid")
    assert piped.err.startswith("tokencli: groupid: new token (refresh token), valid until ")
    assert piped.err.count("\n") == 1


def test_no_color_has_no_color(sandbox: Sandbox) -> None:
    """With NO_COLOR the line has bold and dim text, but no colors."""
    sandbox.set_faults(slow=2)
    with run_in_terminal("get", "groupid", NO_COLOR="1") as run:
        assert run.end() == 0
    assert "waiting for" in run.said
    assert set(re.findall(r"\x1b\[([0-9;]*)m", run.said)) <= {"0", "1", "2"}


def test_ctrl_c_ends_a_refresh_that_has_sent_nothing(
    sandbox: Sandbox, relay: Relay, tokencli: Run
) -> None:
    """The TLS handshake gets no answer: the run ends, and the refresh token is used by the next one."""
    assert tokencli("get", "groupid").code == 0
    before = stored_tokens(sandbox)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        relay.silent = True
        with run_in_terminal("refresh", "groupid") as run:
            run.until("setting up TLS with .*Ctrl-C to cancel")
            assert interrupt(run, number) < PROMPTLY_S + SLACK_S
            assert run.process.returncode == code
        assert visible(run.said) in (["tokencli: interrupted"], ["tokencli: ended by SIGTERM"])
        assert stored_tokens(sandbox) == before, "no journal entry is left"
    relay.silent = False
    renewed = tokencli("refresh", "groupid")
    assert renewed.err.startswith("tokencli: groupid: new token (refresh token), valid until ")
    assert renewed.err.count("\n") == 1


@pytest.mark.requirement(5)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_waits_for_a_new_refresh_token(
    sandbox: Sandbox, tokencli: Run, number: signal.Signals, code: int
) -> None:
    """One line says what happens and how long it may take; the new refresh token is stored."""
    assert tokencli("get", "groupid").code == 0
    first = sandbox.current_refresh_token("groupid")
    sandbox.set_faults(slow=4)
    with run_in_terminal("refresh", "groupid") as run:
        run.until("Ctrl-C stops after the reply")
        run.process.send_signal(number)
        run.until(
            r"finishing the refresh, so that the new refresh token is saved; at most \d\d s\r\n"
        )
        run.process.send_signal(number)
        assert run.end() == code
        assert run.process.stdout is not None
        assert run.process.stdout.read() == b""
    told = visible(run.said)
    assert len(told) in (2, 3), "a second signal amid the first note isn't answered"
    assert all("finishing the refresh" in line for line in told[:-1])
    sandbox.set_faults()
    assert sandbox.current_refresh_token("groupid") != first
    renewed = tokencli("refresh", "groupid")
    assert renewed.err.startswith("tokencli: groupid: new token (refresh token), valid until ")
    assert renewed.err.count("\n") == 1


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
@pytest.mark.parametrize("is_drawn", [False, True])
def test_each_line_after_ctrl_c_is_a_line_of_its_own(
    sandbox: Sandbox, tokencli: Run, monkeypatch: pytest.MonkeyPatch, is_drawn: bool, term: str
) -> None:
    """The terminal's ^C is left above them, or is erased with the wait line; no line is empty."""
    monkeypatch.setenv("TERM", term)
    assert tokencli("get", "groupid").code == 0
    sandbox.set_faults(slow=4)
    requests = sandbox.database.token_requests
    with run_in_terminal("refresh", "groupid", controlling=True) as run:
        if is_drawn and term != "dumb":
            run.until("Ctrl-C stops after the reply")
        else:
            while sandbox.database.token_requests == requests:
                time.sleep(0.02)
        os.write(run.terminal, b"\x03")
        assert run.end() == 130
    lines = [line.rpartition(ERASE)[2] for line in run.said.split("\r\n")]
    is_erased = is_drawn and term != "dumb"
    assert lines[:1] == ["^C"] or is_erased
    assert [line.partition(",")[0] for line in lines[not is_erased :]] == [
        "tokencli: finishing the refresh",
        "tokencli: interrupted",
        "",
    ]


def test_ctrl_c_ends_a_request_that_can_be_repeated(sandbox: Sandbox, tokencli: Run) -> None:
    """The client credentials grant has nothing to lose, so its reply isn't waited for."""
    sandbox.set_faults(slow=SLOW_S)
    with run_in_terminal("get", "oauth2") as run:
        run.until(r"waiting for .*Ctrl-C to cancel")
        assert interrupt(run) < PROMPTLY_S + SLACK_S
        assert run.process.returncode == 130
    assert visible(run.said) == ["tokencli: interrupted"]


def test_a_retry_is_shown_with_its_reason(sandbox: Sandbox) -> None:
    """While the program waits between two attempts, the line says why; Ctrl-C ends that as well."""
    with http_503(retry_after=20) as url:
        config = sandbox.directory / "busy.toml"
        config.write_text(
            f'[profiles.busy]\nprovider = "oauth2"\ntoken_url = "{url}"\nallow_http = true\n'
            'grant = "client_credentials"\nclient_id = "b"\nclient_auth = "none"\n'
        )
        config.chmod(0o600)
        with run_in_terminal("get", "busy", TOKENCLI_CONFIG=str(config)) as run:
            run.until(r"trying again in \d+ s, because 127\.0\.0\.1:\d+ r")
            assert interrupt(run) < PROMPTLY_S + SLACK_S
            assert run.process.returncode == 130


@contextmanager
def http_503(retry_after: int) -> Iterator[str]:
    """Run a server that is busy."""
    program = (
        "import http.server\n"
        "class Busy(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers['Content-Length']))\n"
        "        self.send_response(503)\n"
        f"        self.send_header('Retry-After', '{retry_after}')\n"
        "        self.send_header('Content-Length', '0')\n"
        "        self.end_headers()\n"
        "    def log_message(self, *_): pass\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Busy)\n"
        "print(server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/token"
        server.kill()


def test_another_process_is_named(sandbox: Sandbox) -> None:
    """A run that waits for another one's lock shows its process ID and what it does."""
    sandbox.set_faults(slow=SLOW_S)
    with subprocess.Popen(
        [script(), "get", "groupid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as holder:
        locks = sandbox.directory / "state" / "locks"
        while not any(path.read_text() for path in locks.glob("*.lock")):
            time.sleep(0.01)
        with run_in_terminal("get", "groupid", cols=120) as run:
            run.until(
                f"waiting for process {holder.pid}, which is getting a token for profile 'groupid'"
            )
            assert interrupt(run) < PROMPTLY_S + SLACK_S
            assert run.process.returncode == 130
        holder.kill()


@pytest.mark.parametrize("echo", [True, False])
def test_a_secret_command_is_named_once(
    sandbox: Sandbox, tmp_path: Path, write_config: Callable[[str], Path], echo: bool
) -> None:
    """The command may use the terminal, so there is one complete line, and none if it turned echo off."""
    program = tmp_path / "vault.py"
    program.write_text(
        "import sys, termios, time\n"
        "modes = termios.tcgetattr(2)\n"
        f"if not {echo}:\n"
        "    modes[3] &= ~termios.ECHO\n"
        "    termios.tcsetattr(2, termios.TCSANOW, modes)\n"
        "time.sleep(2.5)\n"
        "print('canary-secret')\n"
    )
    command = json.dumps([sys.executable, str(program)])
    write_config(
        '[profiles.vault]\nprovider = "oauth2"\ntoken_url = "https://127.0.0.1:9/token"\n'
        'grant = "client_credentials"\nclient_id = "b"\n'
        f"client_secret = {{ command = {command} }}\n"
    )
    with run_in_terminal("get", "vault") as run:
        run.end()
    told = [line for line in visible(run.said) if "waiting" in line]
    name = Path(sys.executable).name
    assert len(told) == (1 if echo else 0), run.said
    if echo:
        assert told[0].startswith("tokencli: waiting for the client_secret from the command ")
        assert told[0].endswith(f"{name}' (Ctrl-C to cancel)")


@pytest.mark.parametrize("args", [["get", "piped"], ["login", "piped", "--stdin"]])
def test_a_pipe_that_brings_no_secret_is_named(
    args: list[str], write_config: Callable[[str], Path]
) -> None:
    """What is waited for on stdin is said once, since the other program may use the terminal."""
    secret = "{ stdin = true }" if args[0] == "get" else "{ prompt = true }"
    write_config(
        '[profiles.piped]\nprovider = "oauth2"\ntoken_url = "https://127.0.0.1:9/token"\n'
        f'grant = "client_credentials"\nclient_id = "b"\nclient_secret = {secret}\n'
    )
    command = "(sleep 20) | exec " + " ".join([script(), *args])
    with run_in_terminal(argv=["bash", "-c", command]) as run:
        run.until(r"tokencli: waiting for the \w+ on stdin \(Ctrl-C to cancel\)\r\n")


def test_a_slow_keyring_is_named(write_config: Callable[[str], Path], tmp_path: Path) -> None:
    """The line names the keyring and the time limit of its calls; Ctrl-C ends the wait."""
    (tmp_path / "slow_keyring.py").write_text(
        "import time\n"
        "from keyring.backend import KeyringBackend\n"
        "class Keyring(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, username):\n"
        "        time.sleep(20)\n"
        "    set_password = delete_password = get_credential = get_password\n"
    )
    write_config(
        '[profiles.kept]\nprovider = "oauth2"\ntoken_url = "https://127.0.0.1:9/token"\n'
        'grant = "client_credentials"\nclient_id = "b"\nstore = "file"\n'
    )
    env = {"PYTHON_KEYRING_BACKEND": "slow_keyring.Keyring", "PYTHONPATH": str(tmp_path)}
    with run_in_terminal("get", "kept", **env) as run:
        run.until(r"waiting for the OS keyring\S*: 1 s\S* of 10 s")
        assert interrupt(run) < PROMPTLY_S + SLACK_S
        assert run.process.returncode == 130
    assert visible(run.said) == ["tokencli: interrupted"]


def test_a_background_job_draws_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The terminal belongs to the shell then, where the user may be typing."""
    sandbox.set_faults(slow=2.5)
    program = (
        "import os, sys\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.setpgid(0, 0)\n"
        f"    os.execv({script()!r}, ['tokencli', 'get', 'groupid'])\n"
        "os.waitpid(pid, 0)\n"
        "sys.stderr.write('end\\n')\n"
    )
    with run_in_terminal(argv=[sys.executable, "-c", program], controlling=True) as run:
        assert run.end() == 0
    assert visible(run.said) == ["end"]


def test_processes_on_one_terminal_draw_one_line(sandbox: Sandbox, tokencli: Run) -> None:
    """The lines don't mix: one process after the other draws, and a third one's report is legible."""
    assert tokencli("get", "groupid").code == 0
    sandbox.set_faults(slow=4)
    both = f"{script()} get oauth2 & {script()} refresh groupid & sleep 3; {script()} get x; wait"
    with run_in_terminal(argv=["sh", "-c", both], controlling=True) as run:
        assert run.end() == 0
    told = visible(run.said)
    assert told and all(line.startswith("tokencli: ") for line in told)
    hints = re.findall("Ctrl-C (stops|to cancel)", run.said)
    assert len(hints) > 2
    assert sum(hint != before for hint, before in pairwise(hints)) <= 1, run.said


def test_a_narrow_terminal_keeps_one_line(sandbox: Sandbox) -> None:
    """The limit goes first, then the hint; the line is never wrapped, whatever COLUMNS says."""
    sandbox.set_faults(slow=2)
    for columns, expected in ((46, "(Ctrl-C to cancel)"), (24, ": 1 s")):
        with run_in_terminal("get", "oauth2", "--no-input", cols=columns, COLUMNS="200") as run:
            run.until(re.escape(expected))
            drawn = re.sub(r"\x1b\[[0-9;]*m", "", run.said.rpartition(ERASE)[2])
            assert len(drawn) < columns
            os.kill(run.process.pid, signal.SIGINT)
            run.end()

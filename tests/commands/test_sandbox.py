"""`tokencli sandbox` as a process: output, exit status and cleanup."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.commands.option_arguments import common_option_arguments
from tests.conftest import Run, script


@pytest.fixture(autouse=True)
def tmpdir_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create workspaces in a folder where the test can check their deletion."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """Start `tokencli sandbox` in a new session without a terminal, and stop it at the end."""
    process = subprocess.Popen(
        [script(), "sandbox", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield process
    finally:
        if process.poll() is None:
            process.kill()


def test_serving_explains_itself_and_stops_cleanly(tmpdir_of_its_own: Path) -> None:
    """stdout has the lines to paste, the rest is on stderr; Ctrl-C is not a failure."""
    with started() as process:
        assert process.stdout is not None and process.stderr is not None
        line, *others = (process.stdout.readline() for _ in range(3))
        match = re.fullmatch(r"export TOKENCLI_CONFIG=(\S+)\n", line)
        assert match is not None
        config = Path(match[1])
        assert config.parent.parent == tmpdir_of_its_own.resolve()
        url = re.search(r'"(https://127\.0\.0\.1:\d+)"', config.read_text())
        assert url is not None
        reply = requests.get(
            f"{url[1]}/oauth2/keys", verify=str(config.with_name("ca.pem")), timeout=20
        )
        assert reply.status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    ca_file = config.with_name("ca.pem")
    assert others == [f"export SANDBOX_URL={url[1]}\n", f"export SANDBOX_CA_FILE={ca_file}\n"]
    assert out == ""
    assert process.returncode == 0
    assert f"The sandbox is running at {url[1]}. Stop it with Ctrl-C." in err
    assert "tokencli get socialid" in err
    assert list(tmpdir_of_its_own.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_cleanly(tmpdir_of_its_own: Path, number: signal.Signals) -> None:
    """A closed terminal or a supervisor's SIGTERM leaves nothing behind."""
    with started("-q") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("export ")
        process.send_signal(number)
        assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 0
    assert list(tmpdir_of_its_own.iterdir()) == []


def test_stdout_belongs_to_the_command(tokencli: Run, tmpdir_of_its_own: Path) -> None:
    """stdout has only what COMMAND prints, and its exit status is passed on."""
    done = tokencli("sandbox", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    assert list(tmpdir_of_its_own.iterdir()) == []


def test_stdin_reaches_the_command(tokencli: Run) -> None:
    """Nothing reads stdin before COMMAND does."""
    assert tokencli("sandbox", "--", "cat", stdin="for the command\n").out == "for the command\n"


def test_environment_of_the_command(tokencli: Run) -> None:
    """It contains the configuration, URL and CA; PATH starts with the folder of this tokencli."""
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    before = {"TOKENCLI_PROFILE": "work", "TOKENCLI_CONFIG": "/absent"}
    done = tokencli("sandbox", "--", sys.executable, "-c", show, env=before)
    found = json.loads(done.out)
    assert "TOKENCLI_PROFILE" not in found
    assert Path(found["TOKENCLI_CONFIG"]).name == "config.toml"
    assert found["SANDBOX_URL"].startswith("https://127.0.0.1:")
    assert found["SANDBOX_CA_FILE"].endswith("ca.pem")
    assert found["PATH"] == f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
    assert found["HOME"] == os.environ["HOME"]


def test_options_after_the_command_belong_to_it(tokencli: Run) -> None:
    """They are never read as options of `sandbox`, with or without `--`."""
    for dashes in (["--"], []):
        done = tokencli("sandbox", *dashes, "echo", "--fail", "-v", "--", "--help")
        assert done.out == "--fail -v -- --help\n"


@pytest.mark.parametrize(
    ("command", "code"), [("no-such-command", 127), ("./no-such-file", 127), ("./data", 126)]
)
def test_command_that_cannot_be_run(
    tokencli: Run, tmp_path: Path, tmpdir_of_its_own: Path, command: str, code: int
) -> None:
    """The exit status is a shell's, and the error names the command."""
    (tmp_path / "data").write_text("not a program")
    done = tokencli("sandbox", "--", command, cwd=tmp_path)
    assert (done.code, done.out) == (code, "")
    assert command in done.err
    assert "Traceback" not in done.err
    assert list(tmpdir_of_its_own.iterdir()) == []


def test_signal_exit_status_is_passed_on(tokencli: Run) -> None:
    """128+n, like in a shell."""
    assert tokencli("sandbox", "--", "sh", "-c", "kill -KILL $$").code == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signal_is_passed_to_the_command(tmpdir_of_its_own: Path, number: signal.Signals) -> None:
    """COMMAND ends by it, then everything is cleaned up."""
    program = (
        "import signal, sys\n"
        f"signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])\n"
        "print('ready', flush=True)\n"
        f"sys.exit(42 if signal.sigwait([{int(number)}]) == {int(number)} else 1)"
    )
    with started("--", sys.executable, "-c", program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 42
    assert list(tmpdir_of_its_own.iterdir()) == []


def test_verbose_logs_requests_without_secrets(tokencli: Run) -> None:
    """One line on stderr per request, without its body, headers or query."""
    program = (
        "import os, ssl, urllib.request as u\n"
        "context = ssl.create_default_context(cafile=os.environ['SANDBOX_CA_FILE'])\n"
        "url = os.environ['SANDBOX_URL'] + '/oauth2/token?x=canary-query-7f3a'\n"
        "body = b'grant_type=client_credentials&client_secret=canary-secret-7f3a&client_id=c'\n"
        "try: u.urlopen(url, body, context=context)\n"
        "except u.HTTPError as error: error.close()\n"
    )
    done = tokencli("sandbox", "-v", "--", sys.executable, "-c", program)
    line = "POST /oauth2/token grant_type=client_credentials -> 401 invalid_client"
    assert done.err.count(line) == 1
    assert "canary" not in done.err
    assert tokencli("sandbox", "--", sys.executable, "-c", program).err == ""


@pytest.mark.parametrize(
    "args", [["--fail", "9"], ["--lifetime", "soon"], ["--drop", "x"], ["--port", "70000"], ["--x"]]
)
def test_invalid_fault_options_are_usage_errors(tokencli: Run, args: list[str]) -> None:
    """Exit code 2 with an error, and COMMAND is not run."""
    done = tokencli("sandbox", *args, "--", "echo", "ran")
    assert (done.code, done.out) == (2, "")
    assert args[0] in done.err
    assert "Traceback" not in done.err


def test_every_fault_is_an_option(tokencli: Run) -> None:
    """The rows of the table are the command's options, with their help."""
    from tokencli.sandbox.faults import FAULT_OPTIONS, option_name

    text = " ".join(tokencli("sandbox", "--help").out.split())
    for name, fault in FAULT_OPTIONS.items():
        assert option_name(name) in text
        assert fault.help in text


def test_common_options_are_accepted(tokencli: Run) -> None:
    """They are no error here, although the sandbox has its own configuration."""
    assert tokencli("sandbox", *common_option_arguments(), "--", "true").code == 0


def test_examples_name_a_program_that_can_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """If tokencli is not on PATH, the examples show its whole path."""
    for path, named in (("/usr/bin:/bin", script()), (str(Path(script()).parent), "tokencli")):
        monkeypatch.setenv("PATH", path)
        with started() as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        assert f"    {named} get socialid\n" in err


IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
COUNTS = """
import signal, sys
both = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, both)
print("ready", flush=True)
count = 0
while signal.sigwait(both) == signal.SIGINT:
    count += 1
    print("heard", flush=True)
sys.exit(40 + count)
"""


def test_ctrl_c_in_a_terminal_reaches_the_command_once() -> None:
    """The terminal signals the whole foreground group, so it is not passed on again."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            IN_A_TERMINAL,
            script(),
            "sandbox",
            "--",
            sys.executable,
            "-c",
            COUNTS,
        ],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            os.write(ours, b"\x03")
            assert process.stdout.readline() == "heard\n"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        assert process.returncode == 41
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)


def test_directory_of_a_killed_sandbox_is_deleted_by_the_next(tmpdir_of_its_own: Path) -> None:
    """The next one deletes it, but neither that of a running sandbox nor one without a lock."""
    with started("-q") as killed, started("-q") as running:
        assert killed.stdout is not None and running.stdout is not None
        killed.stdout.readline()
        running.stdout.readline()
        (tmpdir_of_its_own / "tokencli-sandbox-of-0.1").mkdir(mode=0o700)
        assert len(list(tmpdir_of_its_own.iterdir())) == 3
        killed.kill()
        killed.wait()
        with started("-v", "--", "true") as following:
            _, err = following.communicate(timeout=60)
        assert following.returncode == 0, err
        assert "of a sandbox that was killed" in err
        assert len(list(tmpdir_of_its_own.iterdir())) == 2
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=60)
    assert [path.name for path in tmpdir_of_its_own.iterdir()] == ["tokencli-sandbox-of-0.1"]


def test_configuration_of_an_ended_sandbox_is_called_that(tokencli: Run) -> None:
    """A shell in which TOKENCLI_CONFIG still names it gets the command that helps."""
    ended = tokencli("sandbox", "-q", "--", "sh", "-c", "echo $TOKENCLI_CONFIG")
    done = tokencli("get", env={"TOKENCLI_CONFIG": ended.out.strip()})
    assert done.code == 3
    assert "a sandbox that has ended" in done.err and "fix: unset TOKENCLI_CONFIG" in done.err

"""`tokencli exec`: commands that run for longer than a token, and helpers that are killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from tests.conftest import Run, script
from tests.e2e.consumers.expiries import until_expired
from tests.fast_path_world import MEMORY
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.server import Sandbox
from tokencli.system import companion
from tokencli.system.user_dirs import is_memory_backed

pytestmark = pytest.mark.long

CURL_LOOP = """
until [ -e "$STOP" ]; do
    curl -sSf --cacert "$CA" --oauth2-bearer "$(cat "$ACCESS_TOKEN_FILE")" -o /dev/null "$URL" || exit
    sleep 0.05
done
"""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a runtime directory in memory."""
    folder = Path(mkdtemp(prefix="tokencli-test-", dir=MEMORY))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    rmtree(folder)


@pytest.fixture
def sandbox(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose tokens live for three seconds, and use its configuration."""
    with Sandbox(lifetime="3s") as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


def helpers(pid: int) -> list[int]:
    """Return the processes that keep the token of this one fresh, the supervisor first."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(path.readlink()) for path in (folder / "fd").iterdir()]
            infos = [path.read_text() for path in (folder / "fdinfo").iterdir()]
        except OSError:
            continue
        if any("pidfd" in link for link in links) and any(
            re.search(rf"^Pid:\t{pid}$", info, re.MULTILINE) for info in infos
        ):
            found.append(int(folder.name))
    return sorted(found)


def file_of(memory: Path) -> Path:
    """Return the file with the token, which must be the only one."""
    (path,) = (memory / "tokencli" / "exec").glob("*/*")
    return path


def is_clean(memory: Path) -> bool:
    """Tell whether no file is left."""
    return not list((memory / "tokencli" / "exec").iterdir())


@pytest.fixture
def sleeping(sandbox: Sandbox, memory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command with a file, until the test ends it."""
    with subprocess.Popen(
        [script(), "exec", "groupid", "--file", "--", "sleep", "60"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
        wait_for(lambda: len(helpers(process.pid)) == 2)
        yield process
        process.kill()


def test_curl_with_a_file(sandbox: Sandbox, memory: Path, tmp_path: Path) -> None:
    """A script calls an API while its token expires three times, and no call fails."""
    stop = tmp_path / "stop"
    given = {"STOP": str(stop), "CA": sandbox.ca_file, "URL": sandbox.url + GroupId.resource_path}
    command = [script(), "exec", "groupid", "--file", "--", "sh", "-c", CURL_LOOP]
    with subprocess.Popen(
        command, env={**os.environ, **given}, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in until_expired(sandbox):
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        stop.touch()
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    wait_for(lambda: is_clean(memory))


def test_the_file_is_private_and_has_only_the_token(
    sandbox: Sandbox, memory: Path, tokencli: Run
) -> None:
    """Nobody else can read it, and the token isn't in the environment."""
    line = (
        'stat -c %a "$ACCESS_TOKEN_FILE" "${ACCESS_TOKEN_FILE%/*}"; cat "$ACCESS_TOKEN_FILE"; env'
    )
    done = tokencli(
        "exec", "groupid", "--file", "--", "sh", "-c", line, env={"ACCESS_TOKEN_EXPIRES_AT": "1"}
    )
    modes, rest = done.out[:8], done.out[8:]
    assert modes == "600\n700\n"
    token = sandbox.issued_tokens[0].token
    assert rest.count(token) == 1
    assert rest.startswith(token)
    assert "ACCESS_TOKEN_EXPIRES_AT" not in rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_killed_command(
    sleeping: subprocess.Popen[str], memory: Path, number: signal.Signals
) -> None:
    """The helper ends and deletes the file."""
    running = helpers(sleeping.pid)
    sleeping.send_signal(number)
    assert sleeping.wait(20) == -number
    wait_for(lambda: is_clean(memory))
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running))


def test_a_killed_helper_is_replaced(sleeping: subprocess.Popen[str], memory: Path) -> None:
    """The file stays fresh, the user is told, and at the end nothing is left."""
    _, worker = helpers(sleeping.pid)
    path = file_of(memory)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: len(helpers(sleeping.pid)) == 2 and worker not in helpers(sleeping.pid))
    before = path.read_text()
    wait_for(lambda: path.read_text() != before)
    sleeping.kill()
    _, err = sleeping.communicate(timeout=20)
    assert err.count("was killed by SIGKILL; it is started again") == 1
    wait_for(lambda: is_clean(memory))


@pytest.mark.parametrize(
    "command", [["exec", "groupid", "--file", "--", "true"], ["logout", "groupid"]]
)
def test_the_next_command_deletes_what_is_left(
    sleeping: subprocess.Popen[str], memory: Path, tokencli: Run, command: list[str]
) -> None:
    """If all helpers and the command were killed; a logout does so, too."""
    for pid in (*helpers(sleeping.pid), sleeping.pid):
        os.kill(pid, signal.SIGKILL)
    sleeping.wait(20)
    assert not is_clean(memory)
    assert tokencli(*command).code == 0
    wait_for(lambda: is_clean(memory))


def test_files_of_running_commands_are_kept(
    sleeping: subprocess.Popen[str], memory: Path, tokencli: Run
) -> None:
    """Another command deletes only its own."""
    path = file_of(memory)
    assert tokencli("exec", "groupid", "--file", "--", "true").code == 0
    wait_for(lambda: len(list((memory / "tokencli" / "exec").iterdir())) == 1)
    assert path.exists()


def test_the_helper_outlives_ctrl_c_and_a_hangup(
    sleeping: subprocess.Popen[str], memory: Path
) -> None:
    """It ends with the command only, which may need its token until then."""
    running = helpers(sleeping.pid)
    for pid in running:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        assert os.getsid(pid) not in (os.getsid(0), os.getsid(sleeping.pid))
    time.sleep(0.3)
    assert helpers(sleeping.pid) == running


def test_the_helper_holds_no_file_of_the_caller(
    sandbox: Sandbox, memory: Path, tmp_path: Path
) -> None:
    """A lock that a script holds isn't held any longer than by the command, and pipes end with it."""
    line = f'exec 9>"{tmp_path}/lock"; exec {script()} exec groupid --file -- sh -c "exec 9>&-; sleep 20"'
    with subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE) as process:
        wait_for(lambda: len(helpers(process.pid)) == 2)
        for pid in helpers(process.pid):
            links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
            assert not [link for link in links if "lock" in link]
            assert links.count("/dev/null") >= 2
        process.kill()


def test_the_command_has_no_child(sandbox: Sandbox, memory: Path, tokencli: Run) -> None:
    """The helper isn't one, so the command can wait for all of its own."""
    line = "import os\ntry: os.wait()\nexcept ChildProcessError: print('none')"
    done = tokencli("exec", "groupid", "--file", "--", sys.executable, "-c", line, timeout=20)
    assert (done.out, done.err) == ("none\n", "")


def test_a_failed_renewal_is_loud_and_keeps_the_token(memory: Path) -> None:
    """The old token stays while it is valid; then the file is removed, and it comes back."""
    with Sandbox(lifetime="4s") as sandbox:
        environ = {**os.environ, "TOKENCLI_CONFIG": sandbox.config_file}
        command = [script(), "exec", "groupid", "--file", "--", "sleep", "60"]
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
            wait_for(lambda: len(helpers(process.pid)) == 2)
            path = file_of(memory)
            first = path.read_text()
            sandbox.set_faults(fail="503", lifetime="4s")
            wait_for(lambda: not path.exists())
            sandbox.set_faults(lifetime="4s")
            wait_for(path.exists)
            assert path.read_text() != first
            process.kill()
            _, err = process.communicate(timeout=20)
    warnings = err.splitlines()
    assert all(line.startswith("tokencli: warning: groupid: ") for line in warnings)
    assert "the old token stays until" in warnings[0]
    assert "was removed, because the token has expired" in warnings[-1]
    assert len(warnings) == 2


@pytest.mark.parametrize("has_runtime_dir", [True, False])
def test_a_logout_ends_the_file(
    memory: Path, tokencli: Run, monkeypatch: pytest.MonkeyPatch, has_runtime_dir: bool
) -> None:
    """A token that was revoked isn't left in it, and the next sign-in brings it back."""
    if not has_runtime_dir:
        monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    with Sandbox(sign_in="alice") as sandbox:
        for name, value in sandbox.variables.items():
            monkeypatch.setenv(name, value)
        assert tokencli("login", "corp").code == 0
        line = 'echo "$ACCESS_TOKEN_FILE"; exec sleep 60'
        with subprocess.Popen(
            [script(), "exec", "corp", "--file", "--", "sh", "-c", line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            path = Path(process.stdout.readline().strip())
            first = path.stat().st_ino
            wait_for(lambda: path.stat().st_ino != first)  # the helper has written it again
            assert tokencli("logout", "corp").code == 0
            wait_for(lambda: not path.exists())
            assert tokencli("login", "corp").code == 0
            wait_for(path.exists)
            process.kill()
            _, err = process.communicate(timeout=20)
    assert err.count(f"{path} was removed, because the token was deleted, e.g. by a logout") == 1


def test_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an older kernel the end of a process is noticed as well."""
    monkeypatch.delattr(os, "pidfd_open")
    with subprocess.Popen(["sleep", "60"]) as process:
        watch = companion.ProcessWatch(process.pid)
        assert not watch.wait(0.1)
        process.kill()
        assert watch.wait(20)
    assert watch.wait(0)


def test_a_descriptor(sandbox: Sandbox, tokencli: Run) -> None:
    """The token can be read from it, and again as /dev/fd/N, and is not in the environment."""
    line = 'cat <&"$ACCESS_TOKEN_FD"; echo; for i in 1 2; do cat "/dev/fd/$ACCESS_TOKEN_FD"; echo; done; env'
    done = tokencli("exec", "groupid", "--fd", "--", "dash", "-c", line)
    token = sandbox.issued_tokens[0].token
    assert done.out.startswith(f"{token}\n" * 3)
    assert done.out.count(token) == 3
    assert "ACCESS_TOKEN_EXPIRES_AT=" in done.out


@pytest.mark.parametrize("runtime_dir", ["", "/no/such/directory"])
def test_without_a_runtime_directory(
    sandbox: Sandbox, tokencli: Run, monkeypatch: pytest.MonkeyPatch, runtime_dir: str
) -> None:
    """As in a container or a cron job: the file is in memory, e.g. in /dev/shm, and just as private."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime_dir)
    line = 'echo "$ACCESS_TOKEN_FILE"; stat -c %a "$ACCESS_TOKEN_FILE" "${ACCESS_TOKEN_FILE%/*}"'
    done = tokencli("exec", "groupid", "--file", "--", "sh", "-c", line)
    path, *modes = done.out.splitlines()
    assert is_memory_backed(Path(path).parent.parent)
    assert modes == ["600", "700"]
    wait_for(lambda: not Path(path).parent.exists())


@pytest.mark.parametrize(
    "options", [["--file", "--fd"], ["--all-vars", "--file"], ["--all-vars", "--fd"]]
)
def test_options_that_exclude_each_other(
    sandbox: Sandbox, tokencli: Run, options: list[str]
) -> None:
    """Nothing is requested."""
    done = tokencli("exec", "groupid", *options, "--", "true")
    assert done.code == 2
    assert f"{' and '.join(options)} can't be combined\n" in done.err
    assert not sandbox.issued_tokens

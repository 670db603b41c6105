"""`tokencli exec` as a process: what the command gets, and that everything else is its own."""

import json
import os
import pty
import resource
import select
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.fast_path_world import TOKENS, World, world
from tokencli.sandbox.server import Sandbox

WAYS = ("warm", "from the store")
"""By the fast path, and by the whole program without a request."""
SEE = (
    "import json, os, signal, sys;"
    " status = dict(line.split(':\\t') for line in open('/proc/self/status') if line.startswith('Sig'));"
    " print(json.dumps({'argv': sys.argv, 'environ': {k: v for k, v in os.environ.items()},"
    " 'ignored': status['SigIgn'].strip(), 'blocked': status['SigBlk'].strip(),"
    " 'pid': os.getpid(), 'files': sorted(int(n) for n in os.listdir('/proc/self/fd'))}))"
)


@pytest.fixture(scope="module")
def place() -> Iterator[World]:
    """Create a user with two profiles whose tokens are stored and cached."""
    with world() as made:
        made.make()
        yield made


@pytest.fixture(params=WAYS)
def environ(request: pytest.FixtureRequest, place: World) -> Mapping[str, str]:
    """Provide the environment of that user, with and without the fast path."""
    return place.environ if request.param == "warm" else place.without_copies()


def run(
    environ: Mapping[str, str], *args: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tokencli exec` with these arguments."""
    return subprocess.run(
        [script(), "exec", *args],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
    )


def test_the_environment_is_the_same_but_for_the_token(environ: Mapping[str, str]) -> None:
    """Byte for byte and in the same order; older values of the token's variables are gone."""
    stale = {
        f"P_TOKEN{end}": "old"
        for end in (
            "_TYPE",
            "_EXPIRES_AT",
            "_SCOPE",
            "_HEADER",
            "_HEADER_2",
            "_QUERY",
            "_FILE",
            "_FD",
        )
    }
    given = {
        **environ, "A": "1", **stale, "P_TOKEN": "old", "P_TOKEN_URL": "kept", "EMPTY": "", "B": "ä\n=x",
        "C": "\udcff", "ACCESS_TOKEN": "another's",
    }  # fmt: skip
    done = subprocess.run(
        [script(), "exec", "p", "--", "/usr/bin/env", "-0"],
        env=given,
        capture_output=True,
        check=True,
    )
    found = done.stdout.split(b"\0")[:-1]
    kept = [
        os.fsencode(f"{name}={value}")
        for name, value in given.items()
        if name not in (*stale, "P_TOKEN")
    ]
    assert found[: len(kept)] == kept
    token, expiry = found[len(kept) :]
    assert token == f"P_TOKEN={TOKENS['p']}".encode()
    name, _, value = expiry.partition(b"=")
    assert name == b"P_TOKEN_EXPIRES_AT"
    assert 0 < int(value) - time.time() < 1200


@pytest.mark.parametrize("locale", [{}, {"LC_CTYPE": "C.UTF-8"}, {"LANG": "C"}, {"LC_ALL": "C"}])
def test_the_locale_is_not_changed(environ: Mapping[str, str], locale: dict[str, str]) -> None:
    """Python sets LC_CTYPE for itself (PEP 538), which the command doesn't see."""
    given = {**environ, **locale}
    done = run(given, "p", "--", "/usr/bin/env")
    found = [line for line in done.stdout.splitlines() if line.startswith(("LC_", "LANG"))]
    assert found == [f"{name}={value}" for name, value in locale.items()]


def test_several_profiles(environ: Mapping[str, str]) -> None:
    """Each sets its own variable; naming one twice is no mistake."""
    done = run(environ, "p", "q.2", "p", "--", "sh", "-c", 'echo "$P_TOKEN $ACCESS_TOKEN"')
    assert (done.stdout, done.stderr) == (f"{TOKENS['p']} {TOKENS['q.2']}\n", "")


def test_the_default_profile(environ: Mapping[str, str]) -> None:
    """Without a name it is the one of `get`."""
    assert run(environ, "--", "printenv", "P_TOKEN").stdout == TOKENS["p"] + "\n"


def test_arguments_are_passed_on(environ: Mapping[str, str]) -> None:
    """Everything after the first `--` is the command's, also what looks like an option."""
    args = ["--", "-x", "", "a b", "--json", "--config=/x", "ä"]
    done = run(environ, "p", "--", sys.executable, "-c", SEE, *args)
    assert json.loads(done.stdout)["argv"] == ["-c", *args]


@pytest.mark.parametrize("code", [0, 1, 5, 130, 255])
def test_exit_status(environ: Mapping[str, str], code: int) -> None:
    """It is the command's."""
    assert run(environ, "p", "--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGQUIT"])
def test_death_by_signal(environ: Mapping[str, str], name: str) -> None:
    """A command that a signal ends is seen to be ended by it."""
    done = run(environ, "p", "--", "sh", "-c", f"kill -{name[3:]} $$")
    assert done.returncode == -signal.Signals[name]


def test_the_command_has_the_process(environ: Mapping[str, str]) -> None:
    """The same process ID, default signals, no signal blocked, and no other descriptor."""
    with subprocess.Popen(
        [script(), "exec", "p", "--", sys.executable, "-c", SEE],
        env=environ,
        stdout=subprocess.PIPE,
    ) as process:
        out, _ = process.communicate(timeout=60)
    found = json.loads(out)
    assert found["pid"] == process.pid
    # Python ignores SIGPIPE and SIGXFSZ itself: the same as if it had been started by a shell.
    plain = subprocess.run([sys.executable, "-c", SEE], capture_output=True, check=True)
    expected = json.loads(plain.stdout)
    assert (found["ignored"], found["blocked"]) == (expected["ignored"], expected["blocked"])
    assert found["files"] == expected["files"]


@pytest.mark.parametrize("ignored", ["INT", "HUP", "TERM"])
def test_ignored_signals_stay_ignored(environ: Mapping[str, str], ignored: str) -> None:
    """As under nohup, or in the background of a script."""
    line = f"trap '' {ignored}; exec {script()} exec p -- cat /proc/self/status"
    done = subprocess.run(
        ["sh", "-c", line], env=environ, capture_output=True, text=True, check=True
    )
    mask = next(row.split()[1] for row in done.stdout.splitlines() if row.startswith("SigIgn"))
    assert int(mask, 16) == 1 << (signal.Signals[f"SIG{ignored}"] - 1)


def test_a_broken_pipe_ends_the_command(environ: Mapping[str, str]) -> None:
    """SIGPIPE has its default action again, which Python takes away."""
    line = f"{script()} exec p -- sh -c 'yes; echo $? >&2' | head -1"
    done = subprocess.run(
        ["sh", "-c", line], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr == "141\n"


@pytest.mark.parametrize("option", [(), ("--mask",)])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_closed_descriptors_stay_closed(
    environ: Mapping[str, str], number: int, option: tuple[str, ...]
) -> None:
    """No file takes the place of a closed stdin, stdout or stderr."""
    other = 1 if number != 1 else 2
    test = f"[ -e /proc/self/fd/{number} ] && echo open >&{other} || echo closed >&{other}"
    line = f'exec {number}>&-; exec {script()} exec p {" ".join(option)} -- sh -c "$1"'
    done = subprocess.run(
        ["sh", "-c", line, "sh", test], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == "closed\n"


def test_inherited_descriptors_are_passed_on(environ: Mapping[str, str]) -> None:
    """A script's own redirections work."""
    line = f"exec 7<<X\nhello\nX\nexec {script()} exec p -- sh -c 'cat <&7'"
    done = subprocess.run(
        ["sh", "-c", line], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "hello\n"


def test_stdin_is_the_command_s(environ: Mapping[str, str]) -> None:
    """Nothing of it is read before."""
    done = subprocess.run(
        [script(), "exec", "p", "--", "cat"], env=environ, input="typed\n", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "typed\n"


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """Create a directory with files that can't be run, for PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    files = {
        "plain": ("#!/bin/sh\n", 0o644),
        "lost": ("#!/no/such/interpreter\n", 0o755),
        "windows": ("#!/bin/sh\r\n", 0o755),
        "script": ("echo run by a shell: $1 $0\n", 0o755),
        "damaged": ("\x7fELF\0\0\0", 0o755),
    }
    for name, (text, mode) in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to(folder / "gone")
    return folder


@pytest.mark.parametrize(
    ("command", "code", "cause"),
    [
        ("missing", 127, "no directory in PATH has it"),
        ("/no/such/file", 127, "there is no such file"),
        ("", 127, None),
        ("plain", 126, "{bin}/plain is not executable"),
        ("{bin}/plain", 126, "{bin}/plain is not executable"),
        ("folder", 126, "{bin}/folder is a directory"),
        (
            "lost",
            127,
            "the first line of {bin}/lost names /no/such/interpreter, which does not exist",
        ),
        (
            "windows",
            127,
            "the first line of {bin}/windows ends with a carriage return, as on Windows",
        ),
        ("dangling", 127, "{bin}/dangling is a link to a file that does not exist"),
        ("damaged", 126, "{bin}/damaged: exec format error"),
    ],
)
@pytest.mark.parametrize("option", [(), ("--mask",)])
def test_a_command_that_cannot_be_run(
    environ: Mapping[str, str],
    bin_dir: Path,
    option: tuple[str, ...],
    command: str,
    code: int,
    cause: str | None,
) -> None:
    """The exit status is a shell's, the cause is true, and a fix makes it run."""
    given = {**environ, "PATH": f"/usr/bin:/bin:{bin_dir}"}
    command = command.format(bin=bin_dir)
    done = run(given, "p", *option, "--", command)
    assert done.returncode == code
    told = dict(line.removeprefix("tokencli: ").split(": ", 1) for line in done.stderr.splitlines())
    assert told["error"].startswith(f"command {command!r}: ")
    assert told.get("cause") == (None if cause is None else cause.format(bin=bin_dir))
    if "fix" in told:
        subprocess.run(["sh", "-c", told["fix"]], check=True)
        assert run(given, "p", *option, "--", command).returncode == 0


@pytest.mark.parametrize("option", [(), ("--mask",)])
def test_a_text_without_an_interpreter_is_a_shell_script(
    environ: Mapping[str, str], bin_dir: Path, option: tuple[str, ...]
) -> None:
    """As execvp does, and a shell."""
    given = {**environ, "PATH": f"{bin_dir}:/usr/bin:/bin"}
    done = run(given, "p", *option, "--", "script", "x")
    assert done.stdout == f"run by a shell: x {bin_dir}/script\n"


@pytest.mark.parametrize("option", [(), ("--mask",)])
def test_an_empty_path_is_the_current_directory(
    environ: Mapping[str, str], bin_dir: Path, option: tuple[str, ...]
) -> None:
    """As POSIX says of an empty entry of PATH."""
    done = run({**environ, "PATH": ""}, "p", *option, "--", "script", "x", cwd=bin_dir)
    assert done.stdout == "run by a shell: x ./script\n"


def test_too_much_for_the_system(environ: Mapping[str, str]) -> None:
    """Its own words say why."""
    limit = resource.getpagesize() * 32
    done = run(environ, "p", "--", "true", "x" * (limit - 1))
    assert done.returncode == 0
    with pytest.raises(OSError, match="too long"):
        run(environ, "p", "--", "true", "x" * limit)


@pytest.mark.parametrize(
    ("args", "fix"),
    [
        (["p"], "tokencli exec p -- sh"),
        (["p", "--"], "tokencli exec p -- sh"),
        ([], "tokencli exec -- sh"),
        (["p", "ls"], "tokencli exec p -- ls"),
        (["ls", "a b"], "tokencli exec -- ls 'a b'"),
        (["p", "--force"], "tokencli exec p -- sh"),
        (["p", "ls", "-l", "--color"], "tokencli exec p -- ls -l --color"),
        (["p", "-v", "ls", "-l"], "tokencli exec p -v -- ls -l"),
        (["ls", "--help"], "tokencli exec -- ls --help"),
        (
            ["p", "q.2", "--min-ttl", "1m", "make", "it"],
            "tokencli exec p q.2 --min-ttl 1m -- make it",
        ),
        (["p", "ls", "-l"], "tokencli exec p -- ls -l"),
        (["p", "sh", "-c", "echo hi"], "tokencli exec p -- sh -c 'echo hi'"),
        (
            ["p", "/bin/bash", "-c", 'ls "$HOME"'],
            """tokencli exec p -- /bin/bash -c 'ls "$HOME"'""",
        ),
    ],
)
def test_without_a_command(environ: Mapping[str, str], args: list[str], fix: str) -> None:
    """The error says what to type."""
    done = run(environ, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "tokencli: error: there is no command to run",
        "tokencli: cause: the command and its arguments follow `--`",
        f"tokencli: fix: {fix}",
    ]


@pytest.mark.parametrize(
    "text", ["mysql -psecret", "x --password secret", "KEY=secret x", "'secret"]
)
def test_a_secret_for_a_shell_is_not_repeated(place: World, text: str) -> None:
    """The text of `sh -c` is judged like a command."""
    done = run(place.environ, "p", "sh", "-c", text)
    assert done.returncode == 2
    assert "secret" not in done.stderr and "fix:" not in done.stderr


@pytest.mark.parametrize("name", ["path", "1st"])
def test_fix_of_a_variable_is_the_command(place: World, name: str) -> None:
    """The fix runs the same command with another variable, unless a word may be secret."""
    done = run(place.environ, "p", "--var", name, "--", "ls", "-l")
    assert done.returncode == 2
    assert "fix: tokencli exec p --var API_TOKEN -- ls -l\n" in done.stderr
    done = run(place.environ, "p", "--var", name, "--", "mysql", "-psecret")
    assert "secret" not in done.stderr and "fix:" not in done.stderr


@pytest.mark.parametrize(
    "word", ["-psecret-word", "--password=secret", "name:secret", "KEY=secret"]
)
def test_a_secret_is_not_repeated(place: World, word: str) -> None:
    """Without `--`, the error shows only where it belongs."""
    done = run(place.environ, "p", "mysql", word)
    assert done.returncode == 2
    assert "secret" not in done.stderr
    assert "follow `--`, as in tokencli exec p -- …\n" in done.stderr
    assert "fix:" not in done.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["missing"], 3),
        (["p", "missing"], 3),
        (["p", "--force"], 4),
        (["p", "--var", "PATH"], 2),
        (["p", "q.2", "--var", "X"], 2),
        (["p", "--no-such-option"], 2),
    ],
)
def test_nothing_is_started_without_a_token(
    environ: Mapping[str, str], args: list[str], code: int, tmp_path: Path
) -> None:
    """The exit code is tokencli's, and stdout stays empty."""
    given = {name: value for name, value in environ.items() if name != "SECRET"}
    done = run(given, *args, "--", "touch", str(tmp_path / "started"))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("tokencli: error: ")
    assert not (tmp_path / "started").exists()


def test_options_of_the_command_are_not_tokencli_s(environ: Mapping[str, str]) -> None:
    """Errors stay text although the command has an option --json."""
    done = run(environ, "missing", "--", "aws", "--json", "--config", "x")
    assert done.stderr.startswith("tokencli: error: ")
    assert "--config x" not in done.stderr


def test_two_profiles_with_one_variable(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused, and the fix separates them."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        for _ in range(2):  # also with cached tokens
            done = tokencli("exec", "groupid", "socialid", "--", "true")
            assert done.code == 3
            assert "groupid and socialid set the same variable, ACCESS_TOKEN" in done.err
            assert tokencli("get", "groupid").code == tokencli("get", "socialid").code == 0


def test_all_variables(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of `export --all-vars`, under the name that is asked for."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        done = tokencli("exec", "groupid", "--var", "T", "--all-vars", "--", "env")
        exported = json.loads(
            tokencli("export", "groupid", "--var", "T", "--all-vars", "--format", "json").out
        )
    found = dict(line.partition("=")[::2] for line in done.out.splitlines())
    assert {name: found[name] for name in exported} == exported
    assert "ACCESS_TOKEN" not in found


def test_fifty_at_once(place: World) -> None:
    """Each gets the token; none waits for another."""
    with ThreadPoolExecutor(50) as pool:
        outs = [
            future.result().stdout
            for future in [
                pool.submit(run, place.environ, "p", "--", "printenv", "P_TOKEN") for _ in range(50)
            ]
        ]
    assert outs == [TOKENS["p"] + "\n"] * 50


def test_fifty_at_once_send_one_request(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, one of them requests it and the others use it."""
    with Sandbox() as sandbox, ThreadPoolExecutor(50) as pool:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        args = ("exec", "groupid", "--", "printenv", "ACCESS_TOKEN")
        done = [future.result() for future in [pool.submit(tokencli, *args) for _ in range(50)]]
        assert sandbox.database.token_requests == 1
    assert len({each.out for each in done}) == 1
    assert {each.code for each in done} == {0}


class Terminal:
    """A shell with job control in a terminal of its own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe("bash", ["bash", "--norc", "-i"], {**environ, "PS1": "$ "})
        self.text = ""
        self.read_until("$ ")

    def type(self, text: str) -> None:
        """Type text."""
        os.write(self.master, text.encode())

    def read_until(self, text: str, timeout: float = 30) -> str:
        """Return what is shown up to a text, which must be shown."""
        end = time.monotonic() + timeout
        while text not in self.text:
            ready, _, _ = select.select([self.master], [], [], end - time.monotonic())
            assert ready, f"{text!r} is not in {self.text!r}"
            self.text += os.read(self.master, 65536).decode()
        found, _, self.text = self.text.partition(text)
        return found

    def close(self) -> None:
        """End the shell."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)


@pytest.fixture
def terminal(environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a terminal."""
    opened = Terminal(environ)
    yield opened
    opened.close()


CHILD = """\
import os, signal, sys, time

def say(text):
    os.write(1, text.encode() + b"\\n")

def end(*_):
    say("interrupted")
    sys.exit(9)

signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGCONT, lambda *_: say("continued"))
say("ready")
while True:
    time.sleep(1)
"""
"""It starts no process: a shell that is just doing so can't be stopped, if it does it by vfork."""


@pytest.fixture
def child(tmp_path: Path) -> Path:
    """Write a program that says which signals it gets."""
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return path


def test_ctrl_c_is_the_command_s(terminal: Terminal, child: Path) -> None:
    """The command handles it, and ends as it likes."""
    terminal.type(f"{script()} exec p -- {sys.executable} {child}; echo status=$?\n")
    terminal.read_until("ready")
    terminal.type("\x03")
    terminal.read_until("interrupted")
    terminal.read_until("status=9")


def test_ctrl_z_stops_the_command(terminal: Terminal, child: Path) -> None:
    """The shell shows it as stopped, and continues it."""
    terminal.type(f"{script()} exec p -- {sys.executable} {child}\n")
    terminal.read_until("ready")
    terminal.type("\x1a")
    terminal.read_until("Stopped")
    terminal.read_until("$ ")
    terminal.type("fg; echo status=$?\n")
    terminal.read_until("continued")
    terminal.type("\x03")
    terminal.read_until("interrupted")
    terminal.read_until("status=9")


def test_the_terminal_is_the_command_s(terminal: Terminal) -> None:
    """All three streams are the terminal."""
    terminal.type(f"{script()} exec p -- sh -c 'test -t 0 -a -t 1 -a -t 2 && echo ye\"\"s'\n")
    terminal.read_until("yes")


def test_nothing_is_left_behind(place: World) -> None:
    """A warm `exec` writes nothing, and what is there stays private."""
    before = sorted(place.run.rglob("*"))
    assert run(place.environ, "p", "--", "true").returncode == 0
    assert sorted(place.run.rglob("*")) == before
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in before)


MASKED = ("p", "--mask", "--")


@pytest.mark.parametrize(
    "line",
    [
        'echo "$P_TOKEN"',
        'echo "$P_TOKEN" >&2',
        'printf %s "${P_TOKEN%????????}"; sleep 0.3; echo "${P_TOKEN#"${P_TOKEN%????????}"}"',
        'printf "user:%s" "$P_TOKEN" | base64',
        "env",
    ],
)
def test_masked_output(environ: Mapping[str, str], line: str) -> None:
    """The token is not in it, neither as it is nor encoded."""
    done = run(environ, *MASKED, "sh", "-c", line)
    assert done.returncode == 0
    shown = done.stdout + done.stderr
    assert "***" in shown
    assert TOKENS["p"] not in shown
    assert TOKENS["p"][20:40] not in shown


@pytest.mark.parametrize("code", [0, 7, 255])
def test_masked_exit_status(environ: Mapping[str, str], code: int) -> None:
    """It is the command's."""
    assert run(environ, *MASKED, "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize(
    "line", ["echo x", "exit_late() { sleep 0.2; exit 7; }; echo x; exit_late", "yes"]
)
@pytest.mark.parametrize("redirection", [">/dev/full", ">/dev/full 2>&1", "2>/dev/full >&2"])
def test_masked_output_that_is_lost(
    environ: Mapping[str, str], line: str, redirection: str
) -> None:
    """A full disk is an error with its cause, whatever became of the command."""
    command = shlex.join([script(), "exec", *MASKED, "sh", "-c", line])
    done = subprocess.run(
        ["sh", "-c", f"{command} {redirection}"],
        env=environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 8
    if redirection == ">/dev/full":
        expected = "tokencli: error: can't write the command's output: No space left on device"
        assert expected in done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGQUIT"])
def test_masked_death_by_signal(environ: Mapping[str, str], name: str) -> None:
    """tokencli ends by the same signal, after the output has been shown."""
    done = run(environ, *MASKED, "sh", "-c", f"echo last words; kill -{name[3:]} $$")
    assert (done.returncode, done.stdout) == (-signal.Signals[name], "last words\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT"])
def test_masked_signals_are_forwarded(environ: Mapping[str, str], name: str) -> None:
    """The command gets what is sent to tokencli."""
    line = f"trap 'echo got it; exit 9' {name[3:]}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [script(), "exec", *MASKED, "sh", "-c", line],
        env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[name])
        assert process.stdout.read() == "got it\n"
        assert process.wait(20) == 9


def test_masked_output_is_prompt(environ: Mapping[str, str]) -> None:
    """What the command writes is shown before it goes on, also half a line."""
    line = "printf 'Name: '; read name; echo hello $name"
    with subprocess.Popen(
        [script(), "exec", *MASKED, "sh", "-c", line],
        env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        assert os.read(process.stdout.fileno(), 100) == b"Name: "
        process.stdin.write(b"you\n")
        process.stdin.close()
        assert process.stdout.read() == b"hello you\n"


def test_masked_streams_stay_apart_or_in_order(environ: Mapping[str, str]) -> None:
    """Two files stay two, and one stays one."""
    line = "for i in 1 2 3; do echo out; echo err >&2; done"
    done = run(environ, *MASKED, "sh", "-c", line)
    assert (done.stdout, done.stderr) == ("out\n" * 3, "err\n" * 3)
    joined = subprocess.run(
        [script(), "exec", *MASKED, "sh", "-c", line],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    )  # fmt: skip
    assert joined.stdout == "out\nerr\n" * 3


def test_much_masked_output(environ: Mapping[str, str]) -> None:
    """Nothing is lost or changed."""
    line = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 40_000)"
    done = subprocess.run(
        [script(), "exec", *MASKED, sys.executable, "-c", line],
        env=environ,
        capture_output=True,
        check=True,
    )
    assert done.stdout == bytes(range(256)) * 40_000


def test_masked_output_without_a_reader(environ: Mapping[str, str]) -> None:
    """The command notices, as it would without --mask."""
    line = f"{script()} exec p --mask -- sh -c 'yes; echo $? >&2' | head -1"
    done = subprocess.run(
        ["sh", "-c", line], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr == "141\n"


@pytest.mark.parametrize("number", [1, 2])
def test_masked_command_without_a_stream(environ: Mapping[str, str], number: int) -> None:
    """The other one is still masked."""
    other = 3 - number
    line = f"exec {number}>&-; exec {script()} exec p --mask -- sh -c 'echo $P_TOKEN >&{other}; exit 4'"
    done = subprocess.run(
        ["sh", "-c", line], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (4, "***\n")


def test_masked_command_in_a_terminal(terminal: Terminal) -> None:
    """All three streams are terminals, of the real one's size, and lines end as usual."""
    test = "test -t 0 -a -t 1 -a -t 2 && stty size <&1 && echo tok''en:$P_TOKEN"
    terminal.type("stty rows 33 cols 77\n")
    terminal.type(f"{script()} exec p --mask -- sh -c '{test}'\n")
    terminal.read_until("33 77\r\n")
    terminal.read_until("token:***\r\n")


def test_ctrl_c_and_ctrl_z_with_a_masked_command(terminal: Terminal, child: Path) -> None:
    """Job control works as without --mask."""
    terminal.type(f"{script()} exec p --mask -- {sys.executable} {child}\n")
    terminal.read_until("ready")
    terminal.type("\x1a")
    terminal.read_until("Stopped")
    terminal.read_until("$ ")
    terminal.type("fg; echo status=$?\n")
    terminal.read_until("continued")
    terminal.type("\x03")
    terminal.read_until("interrupted")
    terminal.read_until("status=9")

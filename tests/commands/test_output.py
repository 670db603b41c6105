"""Requirement 13: stdout carries the token and a newline, whatever the environment says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tokencli.sandbox.server import Sandbox

SETTINGS = [
    {"FORCE_COLOR": "1"},
    {"CLICOLOR_FORCE": "1"},
    {"COLUMNS": "20"},
    {"TERM": "dumb"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    {"NO_COLOR": "1", "CI": "true"},
    {"PYTHONDEVMODE": "1"},
    {"TYPER_STANDARD_TRACEBACK": "1"},
]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.mark.requirement(13)
def test_stdout_is_the_token_in_every_environment(tokencli: Run, sandbox: Sandbox) -> None:
    """Colours, widths, encodings and locales change nothing."""
    token = tokencli("get").out
    assert token.endswith("\n") and token.isascii() and len(token.split()) == 1
    for settings in SETTINGS:
        done = tokencli("get", env=settings)
        assert (done.code, done.out) == (0, token), settings


@pytest.mark.requirement(13)
@pytest.mark.parametrize(
    ("redirect", "code"),
    [(">&-", 8), (">/dev/full", 8), ("| true", 141)],
    ids=["closed", "full", "broken-pipe"],
)
def test_failing_stdout(sandbox: Sandbox, redirect: str, code: int) -> None:
    """Closed and full: one error with its reason. Broken pipe: quiet. All exit with a code above 0."""
    warm = subprocess.run([script(), "get"], capture_output=True, check=True)
    assert warm.stdout
    # The reader of the pipe exits before the writer starts to write.
    line = (
        f"{{ {script()} get; echo $? >&3; }} {redirect}"
        if "|" in redirect
        else f"{script()} get {redirect}; echo $? >&3"
    )
    line = line.replace("{ ", "{ sleep 1; ") if "|" in redirect else line
    reading, writing = os.pipe()
    done = subprocess.run(
        ["bash", "-c", line.replace(">&3", f">&{writing}")],
        pass_fds=[writing],
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(writing)
    with os.fdopen(reading) as status:
        assert status.read() == f"{code}\n", done.stderr
    said = done.stderr.splitlines()
    assert len(said) == (0 if "|" in redirect else 1), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.requirement(36)
def test_working_directory_is_not_imported(tokencli: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither the console script nor `python -m tokencli` runs a keyring.py in it."""
    for name in ("keyring", "requests", "rich", "typer", "json", "truststore", "tomllib"):
        (tmp_path / f"{name}.py").write_text("print('HIJACKED')\nraise SystemExit(99)\n")
    done = tokencli("get", cwd=tmp_path)
    assert (done.code, "HIJACKED" in done.out + done.err) == (0, False), done.err
    module = subprocess.run(
        [sys.executable, "-m", "tokencli", "get"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (module.returncode, module.stdout) == (0, done.out), module.stderr


@pytest.mark.requirement(31)
def test_no_prompt_without_a_terminal(tokencli: Run, write_config: object) -> None:
    """A missing secret: exit code 4 at once, with a fix; no prompt, and no hang."""
    write_config(  # type: ignore[operator]
        '[profiles.p]\nprovider = "oauth2"\ngrant = "client_credentials"\n'
        'token_url = "https://127.0.0.1:9/t"\nclient_id = "c"\n'
        'client_secret = { prompt = true }\nstore = "none"\n'
    )
    for arguments in (["get", "p"], ["get", "p", "--no-input"], ["login", "p"]):
        done = tokencli(*arguments, stdin="canary-typed-5d1e\n")
        assert (done.code, done.out) == (4, ""), done.err
        assert "canary-typed-5d1e" not in done.err
        assert "fix: " in done.err


@pytest.mark.requirement(13)
@pytest.mark.parametrize("arguments", [["get"], ["refresh"], ["get", "-v"], ["export"]])
def test_closed_stderr_does_not_redirect_messages(sandbox: Sandbox, arguments: list[str]) -> None:
    """Messages to a closed stderr are lost; on stdout an `eval` would run them."""
    sandbox.set_faults(expires_in='"$(touch /tmp/never)"')
    done = subprocess.run(
        ["bash", "-c", f"{script()} {' '.join(arguments)} 2>&-"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert "tokencli" not in done.stdout
    assert "touch" not in done.stdout


@pytest.mark.requirement(12)
@pytest.mark.parametrize(
    "arguments",
    [["-q", "export"], ["--config", "x", "export"], ["export", "--bogus"], ["export", "nope"]],
)
def test_wrong_export_fails_the_eval(tokencli: Run, sandbox: Sandbox, arguments: list[str]) -> None:
    """Misplaced options, unknown options and profiles print `false`, not an empty success."""
    done = tokencli(*arguments)
    assert done.out.strip() == "false"
    assert done.code != 0


@pytest.mark.requirement(12)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_interrupted_export_fails_the_eval(sandbox: Sandbox, number: signal.Signals) -> None:
    """A signal during the token request: `false`, and 128 + the signal's number.

    The reply is still received and stored, so that no token is lost, but not printed.
    """
    sandbox.set_faults(slow=2)
    with subprocess.Popen(
        [script(), "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while sandbox.current_refresh_token("groupid") is None:
            assert time.monotonic() < deadline
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (128 + number, "false"), err


@pytest.mark.parametrize("redirect", ["2>/dev/full", "> /dev/full 2>&1", "2>&-"])
@pytest.mark.parametrize(("words", "code"), [("get nosuch", 3), ("get --nosuch", 2), ("get -v", 0)])
def test_failing_stderr(sandbox: Sandbox, redirect: str, words: str, code: int) -> None:
    """The exit code is the same as if the messages could be written."""
    if redirect.startswith(">") and not code:
        code = 8  # the token is lost as well
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    line = f"{script()} {words} {redirect}"
    assert subprocess.run(["sh", "-c", line], env=environ, check=False).returncode == code

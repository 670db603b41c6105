"""Processes, consoles and signals under Wine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox

CTRL_C = "<Ctrl-C>"
"""What `console_session` takes for Ctrl-C."""
SECRET = "canary-secret"
CONFIG = """
[profiles.typed]
provider = "oauth2"
grant = "client_credentials"
client_id = "x"
token_url = "https://127.0.0.1:9/token"
client_secret = { prompt = true }

[profiles.batch]
provider = "oauth2"
grant = "client_credentials"
client_id = "x"
token_url = "https://127.0.0.1:9/token"
client_secret = { command = ["vault", "a&b", 'say "hi"', "C:\\\\x y\\\\"] }
"""
PROGRAMS = r"""
import json, os, subprocess, sys
tokencli, sandbox_config = sys.argv[1:]

def run(*words, **options):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
    child = subprocess.Popen([tokencli, *words], stderr=subprocess.PIPE, **options)
    out, err = child.communicate(timeout=50)
    return child.returncode, (out or b"").decode(), err.decode("utf-8", "replace")

def run_without_reader(*words):
    child = subprocess.Popen(
        [tokencli, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    child.stdout.close()
    return child.wait(50), "", child.stderr.read().decode("utf-8", "replace")

python = sys.executable
own = "import os; print(len(os.environ['ACCESS_TOKEN']), flush=True); os._exit(-1073741510)"
shown = "import os; print('<' + os.environ['ACCESS_TOKEN'] + '>'); raise SystemExit(9)"
print(json.dumps({
    "exec": run("sandbox", "--", "tokencli", "exec", "groupid", "--var", "ACCESS_TOKEN", "--", python, "-c", own),
    "mask": run(
        "exec", "groupid", "--config", sandbox_config, "--var", "ACCESS_TOKEN", "--mask", "--", python, "-c", shown
    ),
    "missing": run("sandbox", "--", "no-such-program"),
    "help": run_without_reader("get", "--help"),
    "nul": run("get", "typed", stdin=subprocess.DEVNULL),
    "batch": run("get", "batch", "-vv"),
}))
"""


@pytest.fixture
def config(windows: Windows) -> dict[str, str]:
    """Return the variables of a configuration whose secrets are typed, or come from a batch file."""
    file = windows.work / "own.toml"
    file.write_text(CONFIG, encoding="utf-8")
    vault = windows.work / "vault.cmd"
    words = ["a&b", 'say "hi"', "C:\\x y\\"]
    check = windows.work / "vault.py"
    check.write_text(
        f"import sys\nassert sys.argv[1:] == {words!r}, sys.argv\nprint({SECRET!r})\n",
        encoding="utf-8",
    )
    vault.write_text('@"C:\\Python311\\python.exe" "%~dp0vault.py" %*\r\n', encoding="ascii")
    return {"TOKENCLI_CONFIG": windows.path(file), "WINEPATH": windows.path(windows.work)}


@pytest.mark.promise(
    "exit statuses of 32 bits, pipes without a reader, batch files as secret commands, NUL as stdin",
    "Wine",
)
def test_programs_and_pipes(windows: Windows, config: dict[str, str], sandbox: Sandbox) -> None:
    """Statuses are passed on whole, a reader that has gone is no error, and nothing waits at NUL."""
    script = windows.work / "programs.py"
    script.write_text(PROGRAMS, encoding="utf-8")
    tokencli = "C:\\Python311\\Scripts\\tokencli.exe"
    running = windows.configure(sandbox, "file")["TOKENCLI_CONFIG"]
    done = windows.run("python", windows.path(script), tokencli, running, env=config, timeout=200)
    assert done.code == 0, done
    seen: dict[str, list[Any]] = json.loads(done.out)
    assert seen["exec"][0] == 0xC000013A, seen["exec"]
    assert int(seen["exec"][1]) > 20, seen["exec"]
    assert (seen["mask"][0], seen["mask"][1].strip()) == (9, "<***>"), seen["mask"]
    assert seen["missing"][0] == 127, seen["missing"]
    assert "no directory in PATH has it" in seen["missing"][2]
    assert seen["help"] == [141, "", ""]
    assert seen["nul"][0] == 4, seen["nul"]
    assert "there is no terminal" in seen["nul"][2]
    assert seen["batch"][0] == 6, seen["batch"]  # with its secret, the request was sent
    assert "127.0.0.1:9" in seen["batch"][2]


@pytest.fixture
def console(windows: Windows, config: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a command in a console, and types into it."""

    def run(
        *command: str, steps: list[tuple[str, str]], redirect: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        task = windows.work / "task.json"
        for old in windows.work.glob("task.*"):
            old.unlink()
        words = [f"C:\\Python311\\Scripts\\{command[0]}.exe", *command[1:]]
        task.write_text(json.dumps({"command": words, "steps": steps, "redirect": redirect}))
        session = windows.path(Path(__file__).with_name("console_session.py"))
        done = windows.run("python", session, windows.path(task), env=config, timeout=90)
        assert done.code == 0, done
        return json.loads(done.out)  # type: ignore[no-any-return]  # as PROGRAMS prints it

    return run


@pytest.mark.promise("prompts in a console, with stdout there or in a file; Ctrl-C at each", "Wine")
@pytest.mark.parametrize("redirect", [(), (1,)], ids=["console", "file"])
def test_prompts_in_a_console(
    console: Callable[..., dict[str, Any]], redirect: tuple[int, ...]
) -> None:
    """A secret is typed and corrected without being shown, and Ctrl-C ends the prompt."""
    steps = [("Client secret for profile typed:", SECRET + "x\x7f\r")]
    typed = console("tokencli", "get", "typed", steps=steps, redirect=redirect)
    assert typed["exit"] == 6, typed
    assert SECRET not in typed["screen"]
    assert "***" in typed["screen"]
    assert "127.0.0.1:9" in typed["screen"]
    assert typed.get("1", "") == ""
    steps = [("Client secret for profile typed:", CTRL_C)]
    interrupted = console("tokencli", "get", "typed", steps=steps, redirect=redirect)
    assert interrupted["exit"] == 130, interrupted


@pytest.mark.promise("Ctrl-C in a command of `exec` and `sandbox` is the command's own", "Wine")
def test_ctrl_c_is_left_to_the_command(console: Callable[..., dict[str, Any]]) -> None:
    """The command gets it, and its exit status is passed on; the sandbox itself ends with 0."""
    code = (
        "import time\ntry:\n print('ready', flush=True); time.sleep(30)\n"
        "except KeyboardInterrupt: raise SystemExit(5)"
    )
    python = "C:\\Python311\\python.exe"
    command = ("tokencli", "sandbox", "--", "tokencli", "exec", "groupid", "--", python, "-c", code)
    assert console(*command, steps=[("ready", CTRL_C)])["exit"] == 5
    alone = console("tokencli", "sandbox", steps=[("help sandbox", CTRL_C)])
    assert alone["exit"] == 0, alone

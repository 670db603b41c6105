"""The recipes of the page PowerShell, run against the sandbox in a real PowerShell as they are written."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import powershell
from tests.conftest import script
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long
PAGE = Path(__file__).parent.parent.parent / "tokencli" / "manual" / "powershell.md"
API = "https://demomachine:4443"
VAULT = """
function Set-Secret {
    param([Parameter(Position = 0)]$Name, [Parameter(Position = 1)]$Vault, $Secret)
    $Secret | ConvertFrom-SecureString -AsPlainText | Set-Content "$env:VAULT/$Name" -NoNewline
}
function Get-Secret($Name, [switch]$AsPlainText) { Get-Content -Raw "$env:VAULT/$Name" }
"""
"""The commands of SecretManagement that the page uses, with a directory as vault."""
TASKS = """
function New-ScheduledTaskAction($Execute, $Argument) { "$Execute $Argument" }
function New-ScheduledTaskTrigger([switch]$Daily, [datetime]$At) { "$Daily $($At.Hour)" }
function Register-ScheduledTask($TaskName, $Action, $Trigger) { "$TaskName; $Trigger; $Action" }
"""
"""What the page calls of Windows' module ScheduledTasks."""


def read_blocks(heading: str) -> list[str]:
    """Return the PowerShell code blocks below a heading of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```powershell\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox, whose authority PowerShell trusts, and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        monkeypatch.setenv("SSL_CERT_FILE", running.ca_file)
        monkeypatch.setenv("PATH", f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}")
        yield running


def run(
    block: str, sandbox: Sandbox, folder: Path, after: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a recipe with the sandbox in place of the page's server."""
    return powershell.run(block.replace(API, sandbox.url) + after, cwd=folder)


def test_every_block_is_run_and_parses() -> None:
    """Each recipe belongs to a test below, and is code for Windows PowerShell 5.1 as well."""
    recipes = {"Call an API": 3, "In a script": 3, "A scheduled task": 2, "Secrets in a vault": 1}
    assert {heading: len(read_blocks(heading)) for heading in recipes} == recipes
    for heading in recipes:
        for block in read_blocks(heading):
            assert powershell.find_newer_syntax(block) == []


def without_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command of tokencli fail with exit code 3, because the configuration is missing."""
    monkeypatch.setenv("TOKENCLI_CONFIG", "missing.toml")


@pytest.mark.promise(
    "recipes for PowerShell: API calls, `exec`, scheduled task, vault", "PowerShell 7 on Linux"
)
@pytest.mark.parametrize("number", [0, 1, 2], ids=["Authentication", "Headers", "request"])
def test_call_an_api(
    number: int, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API accepts the token; without a token nothing is sent to it."""
    block = read_blocks("Call an API")[number]
    done = run(block, sandbox, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "jdoe" in done.stdout
    calls = len(sandbox.requests)
    without_token(monkeypatch)
    done = run(block, sandbox, tmp_path)
    assert "jdoe" not in done.stdout and done.stderr
    assert len(sandbox.requests) == calls


def test_scripts_stop_without_a_token(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`export` throws, and the check of the exit code passes that on; with a token both go on."""
    exported, checked, _ = read_blocks("In a script")
    done = run(exported, sandbox, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "jdoe" in done.stdout
    done = run(checked, sandbox, tmp_path, "'went on'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")
    calls = len(sandbox.requests)
    without_token(monkeypatch)
    done = run(exported, sandbox, tmp_path, "'went on'")
    assert (done.returncode, done.stdout) == (1, "")
    assert "tokencli export failed" in done.stderr
    done = run(checked, sandbox, tmp_path, "'went on'")
    assert (done.returncode, done.stdout) == (3, "")
    assert len(sandbox.requests) == calls


def test_exec_from_powershell(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program has the token, the session hasn't, and the exit code is the program's."""
    block = read_blocks("In a script")[2]
    monkeypatch.setenv("PATH", f"{add_pwsh(tmp_path)}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "sync-groups.ps1").write_text("$env:ACCESS_TOKEN.Length -gt 20\nexit 42\n")
    done = run(block, sandbox, tmp_path, "$LASTEXITCODE; $null -eq $env:ACCESS_TOKEN")
    assert (done.stdout.split(), done.stderr) == (["True", "42", "True"], "")
    without_token(monkeypatch)
    done = run(block, sandbox, tmp_path, "$LASTEXITCODE")
    assert done.stdout == "3\n"


def add_pwsh(folder: Path) -> Path:
    """Return a directory with `pwsh` and `powershell.exe`."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("pwsh", "powershell.exe"):
        (programs / name).write_text(f'#!/bin/sh\nexec {powershell.require()} "$@"\n')
        (programs / name).chmod(0o755)
    return programs


def test_scheduled_task(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line that is registered runs the script, whose exit code it returns."""
    text, register = read_blocks("A scheduled task")
    done = powershell.run(TASKS + register, cwd=tmp_path)
    assert done.stderr == ""
    name, trigger, action = done.stdout.strip().split("; ")
    assert (name, trigger) == ("sync-groups", "True 6")
    file = tmp_path / "sync-groups.ps1"
    file.write_text(text.replace(API, sandbox.url))
    command = action.replace(r"C:\Scripts\sync-groups.ps1", str(file)).split()
    path = f"{add_pwsh(tmp_path)}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 0
    assert json.loads(Path(os.environ["HOME"], "sync-groups.json").read_text())["subject"] == "jdoe"
    without_token(monkeypatch)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 3


def test_secret_from_a_vault(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored secret is read by the profile, with odd characters and without a line on the screen."""
    module = tmp_path / "modules" / "Microsoft.PowerShell.SecretManagement"
    module.mkdir(parents=True)
    (module / f"{module.name}.psm1").write_text(VAULT)
    (tmp_path / "vault").mkdir()
    monkeypatch.setenv("VAULT", str(tmp_path / "vault"))
    monkeypatch.setenv("PSModulePath", str(module.parent))
    monkeypatch.setenv("PATH", f"{add_pwsh(tmp_path)}{os.pathsep}{os.environ['PATH']}")
    (block,) = read_blocks("Secrets in a vault")
    password = Path(sandbox.directory, "groupid.password").read_text()
    entered = "function Read-Host([switch]$AsSecureString) { '%s' | ConvertTo-SecureString -AsPlainText }\n"
    done = powershell.run(entered % password.strip() + block, cwd=tmp_path)
    assert done.returncode == 0
    assert "changed profile groupid" in done.stderr
    assert "Get-Secret" in Path(sandbox.config_file).read_text()
    done = powershell.run("tokencli get groupid --force | Out-Null; $LASTEXITCODE", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("0\n", "")

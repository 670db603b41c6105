"""The hook in a real PowerShell: prompts and lines that it wraps, renewals, and what it leaves behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import powershell
from tests.conftest import script
from tests.fast_path_world import TOKENS, World, world

P, Q = TOKENS["p"], TOKENS["q.2"]
LOAD = "tokencli hook powershell {} | Out-String | Invoke-Expression"
SHOW = "/bin/sh -c 'echo \"<$P_TOKEN> <$Q_TOKEN>\"'"
LATE = "$global:_tokencli.Next = 0"
STRICT = """\
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
"""


@pytest.fixture
def place() -> Iterator[World]:
    """Provide a warm world whose profiles set different variables."""
    powershell.require()
    with world() as made:
        made.make()
        text = made.config.read_text()
        made.write(text.replace('min_ttl = "2m"', 'min_ttl = "2m"\nexport = "Q_TOKEN"'))
        made.environ["PATH"] = f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
        yield made


def hooked(text: str, place: World, profiles: str = "p", *, constrained: bool = False) -> str:
    """Run a script after the hook was loaded and return its stdout; stderr must be empty."""
    loaded = f"{LOAD.format(profiles)}\n{text}"
    done = powershell.run(loaded, place.environ, constrained=constrained)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("constrained", [False, True], ids=["full", "constrained"])
@pytest.mark.parametrize("settings", ["", STRICT], ids=["plain", "strict"])
def test_prompts_see_the_users_status(settings: str, constrained: bool, place: World) -> None:
    """The wrapped prompt runs once, with the user's `$?` and `$LASTEXITCODE`, which stays.

    The variable is set, and `$Error` has nothing new, in every language mode and with any preferences.
    """
    text = f"""{settings}
function global:prompt {{ "mine $? $LASTEXITCODE>"; /bin/true }}
{LOAD.format("p")}
{LOAD.format("p")}
$global:LASTEXITCODE = 3
$errors = $Error.Count
try {{ Get-Item /nonexistent -ErrorAction SilentlyContinue; prompt }} finally {{ }}
{SHOW}
$null = 1; prompt
$global:LASTEXITCODE = 7
$null = 1; prompt
"code $LASTEXITCODE, errors $($Error.Count - $errors)"
"""
    done = powershell.run(text, place.environ, constrained=constrained)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "mine False 3>",
        f"<{P}> <>",
        "mine True 0>",
        "mine True 7>",
        "code 7, errors 1",  # the user's
    ]

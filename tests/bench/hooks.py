"""The time of a hooked `get` in bash, zsh and fish, and of a hooked prompt in PowerShell.

It is measured in the shell, because neither starts a process.
"""

import shutil
import subprocess
import time
from collections.abc import Mapping
from typing import NamedTuple

from tests import powershell

CALLS = 500
LOOPS = {
    "bash": (["bash", "--norc", "--noprofile", "-c"], 'eval "$(tokencli hook bash)"',
             "for ((i = 0; i < {n}; i++)); do tokencli get >/dev/null; done"),
    "zsh": (["zsh", "-f", "-c"], 'eval "$(tokencli hook zsh)"',
            "for ((i = 0; i < {n}; i++)); do tokencli get >/dev/null; done"),
    "fish": (["fish", "--no-config", "-c"], "tokencli hook fish | source",
             "for i in (seq {n}); tokencli get >/dev/null; end"),
}  # fmt: skip
"""Shell -> how it is started, how it is hooked, and many calls."""


def seconds(shell: str, environ: Mapping[str, str], rounds: int = 12) -> float | None:
    """Return the least time of one hooked `get` in seconds, or None without that shell.

    It is the difference between many calls and one, which excludes the shell's own start.
    """
    if shutil.which(shell) is None:
        return None
    start, hook, loop = LOOPS[shell]

    def timed(calls: int) -> float:
        began = time.perf_counter()
        subprocess.run(
            [*start, f"{hook}\n{loop.format(n=calls)}"], env=environ, check=True, timeout=300
        )
        return time.perf_counter() - began

    pairs = [(timed(1), timed(CALLS)) for _ in range(rounds)]
    one, many = (min(times) for times in zip(*pairs, strict=True))
    return (many - one) / (CALLS - 1)


POWERSHELL = """
function prompt { 'PS> ' }
function Measure-Least($calls, $code) {
    $least = [double]::MaxValue
    foreach ($round in 1..ROUNDS) {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        foreach ($call in 1..$calls) { $null = . $code }
        $least = [Math]::Min($least, $watch.Elapsed.TotalSeconds / $calls)
    }
    $least
}
Measure-Least CALLS { prompt }
tokencli hook powershell bench | Out-String | Invoke-Expression
$null = prompt
if (-not $env:ACCESS_TOKEN) { throw 'no variable' }
Measure-Least CALLS { prompt }
Measure-Least 20 { true }
"""


class PowerShellTimes(NamedTuple):
    """Least times in seconds, measured in one PowerShell."""

    prompt: float
    """A prompt function that returns a text."""
    hooked_prompt: float
    """The same with the hook, while nothing is due."""
    process: float
    """Running `true`."""


def powershell_times(environ: Mapping[str, str], rounds: int = 12) -> PowerShellTimes | None:
    """Return what a prompt costs in PowerShell, or None without it."""
    if powershell.find_program() is None:
        return None
    text = POWERSHELL.replace("ROUNDS", str(rounds)).replace("CALLS", str(CALLS))
    done = powershell.run(text, environ)
    assert done.stderr == "", done.stderr
    return PowerShellTimes(*map(float, done.stdout.split()))

"""Measure commands in turns, so that load on the machine affects all of them alike."""

import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Command = Sequence[str]


@dataclass(frozen=True)
class Measured:
    """What one command takes, as a whole process."""

    wall: float
    """Median seconds from start to end."""
    instructions: int | None
    """Instructions in user space, its threads' included; None without valgrind."""


def side_by_side(
    commands: Mapping[str, Command],
    environ: Mapping[str, str],
    rounds: int,
    own: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Measured]:
    """Run the commands in turns, each `rounds` times after one warm-up.

    All share one environment, except those with an environment in `own`.
    """
    environs = {name: (own or {}).get(name, environ) for name in commands}
    for name, command in commands.items():
        run(command, environs[name])
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds):
        names = list(commands)
        for name in names if number % 2 else reversed(names):
            start = time.perf_counter()
            run(commands[name], environs[name])
            times[name].append(time.perf_counter() - start)
    return {
        name: Measured(statistics.median(times[name]), instructions(command, environs[name]))
        for name, command in commands.items()
    }


def run(command: Command, environ: Mapping[str, str]) -> None:
    """Run a command, discard its output, and require success."""
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def instructions(command: Command, environ: Mapping[str, str]) -> int | None:
    """Count the instructions of a command in user space; None without valgrind.

    The number doesn't depend on the machine's load, and hardly on the run.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    counter = [valgrind, "--tool=cachegrind", "--cache-sim=no", "--trace-children=yes"]
    done = subprocess.run(
        [*counter, "--cachegrind-out-file=/dev/null", *command],
        env={**environ, "PATH": environ.get("PATH", os.defpath)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)
    return sum(int(count.replace(",", "")) for count in counts)

"""Measure commands in turns, so that load on the machine affects all of them alike."""

import os
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
    instructions: float | None
    """Instructions in user space, its threads' included; None without `perf`."""


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


def instructions(command: Command, environ: Mapping[str, str], rounds: int = 5) -> float | None:
    """Return the median number of instructions of a command, or None without `perf`."""
    perf = shutil.which("perf")
    if perf is None:
        return None
    found = []
    for _ in range(rounds):
        done = subprocess.run(
            [perf, "stat", "-x,", "-e", "instructions:u", *command],
            env={**environ, "LC_ALL": "C", "PATH": environ.get("PATH", os.defpath)},
            capture_output=True,
            text=True,
            check=False,
        )
        for line in done.stderr.splitlines():
            fields = line.split(",")
            if len(fields) > 2 and fields[2].startswith("instructions") and fields[0].isdigit():
                found.append(float(fields[0]))
    return statistics.median(found) if found else None

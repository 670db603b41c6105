"""Measure what `tokencli.fast_dataclass` saves in a cold `get`: `python -m tests.bench.fast_dataclass`.

Two copies of the package are compared, one of them with the standard library's dataclass. Instructions
are counted by valgrind, as their number does not depend on the machine's load.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import tokencli
from tests.bench.locations import bench_place
from tests.bench.measure import run

MAIN = "import sys; sys.path.insert(0, {!r}); from tokencli.__main__ import main; main()"


def count_instructions(package: Path, environ: dict[str, str]) -> int:
    """Return the number of instructions of a cold `get` with the package in that directory."""
    command = [sys.executable, "-c", MAIN.format(str(package)), "get", "--timeout", "300"]
    run(command, environ)
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
    done = subprocess.run(
        [*valgrind, "--cachegrind-out-file=/dev/null", *command],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    match = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert match, done.stderr
    return int(match[1].replace(",", ""))


def main() -> None:
    """Count the instructions of both and print them with their ratio."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with TemporaryDirectory() as scratch, bench_place(lifetime=0) as environ:
        counts = []
        for name in ("fast", "standard"):
            package = Path(scratch, name)
            shutil.copytree(Path(tokencli.__file__).parent, package / "tokencli")
            if name == "standard":
                module = package / "tokencli" / "fast_dataclass.py"
                module.write_text("from dataclasses import dataclass as dataclass\n")
            counts.append(count_instructions(package, environ))
    fast, standard = counts
    sys.stdout.write(f"{fast:,} of {standard:,} instructions: {1 - fast / standard:.1%} saved\n")


if __name__ == "__main__":
    main()

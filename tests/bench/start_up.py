"""Measure what the modules that exist for start-up time save in a cold `get`.

`python -m tests.bench.start_up` compares the package with copies of it in which one of these modules does
nothing."""

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import tokencli
from tests.bench.locations import bench_place
from tests.bench.measure import instructions, run

MAIN = "import sys; sys.path.insert(0, {!r}); from tokencli.__main__ import main; main()"
DISABLED = {
    "fast_dataclass.py": "from dataclasses import dataclass as dataclass\n",
    "commands/fast_commands.py": "\nFAST_COMMANDS.clear()\n",
    "fastpath/profile_cache.py": "\ndef parse_profile(text: str) -> Profile:\n    raise ValueError\n",
}
"""Module -> what is appended to it so that it no longer saves anything; `fast_dataclass` is replaced."""


def count_instructions(package: Path, environ: dict[str, str]) -> int:
    """Return the number of instructions of a cold `get` with the package in that directory."""
    command = [sys.executable, "-c", MAIN.format(str(package)), "get"]
    run(command, environ)
    counted = instructions(command, environ)
    assert counted is not None, "valgrind is not installed"
    return counted


def main() -> None:
    """Count the instructions with and without each module, and print the share that it saves."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with TemporaryDirectory() as scratch, bench_place(lifetime=0) as environ:
        counts = {}
        for number, disabled in enumerate((None, *DISABLED)):
            package = Path(scratch, str(number))
            shutil.copytree(Path(tokencli.__file__).parent, package / "tokencli")
            if disabled is not None:
                module = package / "tokencli" / disabled
                before = "" if disabled == "fast_dataclass.py" else module.read_text()
                module.write_text(before + DISABLED[disabled])
            counts[disabled] = count_instructions(package, environ)
    for disabled in DISABLED:
        saved = 1 - counts[None] / counts[disabled]
        sys.stdout.write(
            f"{disabled}: {counts[None]:,} of {counts[disabled]:,} instructions, {saved:.1%} saved\n"
        )


if __name__ == "__main__":
    main()

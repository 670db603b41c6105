"""A warm `get` under Wine against an empty console script, in turns: `python -m tests.bench.wine`."""

import statistics
import sys
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from tests.windows import wine
from tokencli.sandbox.server import Sandbox

RUNS = 7
EMPTY = (
    "import sys\nfrom empty_script import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
)


def make_empty_script(windows: wine.Windows) -> None:
    """Install a console script that does nothing, with the launcher that pip made for ours."""
    scripts = windows.python / "Scripts"
    with ZipFile(scripts / "tokencli.exe") as archive:
        start = archive.infolist()[0].header_offset
    program = BytesIO()
    with ZipFile(program, "w") as archive:
        archive.writestr("__main__.py", EMPTY)
    launcher = (scripts / "tokencli.exe").read_bytes()[:start]
    (scripts / "empty-script.exe").write_bytes(launcher + program.getvalue())
    (windows.site / "empty_script.py").write_text("def main():\n    pass\n", encoding="ascii")


def measure() -> dict[str, float]:
    """Return the median time of each command as a multiple of an empty console script's."""
    with TemporaryDirectory() as folder, wine.Windows(Path(folder, "prefix")) as windows:
        windows.install(wine.build_wheel(Path(folder)))
        make_empty_script(windows)
        with Sandbox() as sandbox:
            env = windows.configure(sandbox, "keyring")
            empty = str(windows.python / "Scripts" / "empty-script.exe")
            commands = {
                "an empty console script": (empty,),
                "warm `get PROFILE`": ("tokencli", "get", "socialid"),
                "warm `export PROFILE`": ("tokencli", "export", "socialid"),
                "`get PROFILE --json`": ("tokencli", "get", "socialid", "--json"),
            }
            times: dict[str, list[float]] = {name: [] for name in commands}
            for turn in range(RUNS + 1):
                for name, command in commands.items():
                    start = time.perf_counter()
                    done = windows.run(*command, env=env)
                    assert done.code == 0, (command, done)
                    if turn:  # the first fills caches
                        times[name].append(time.perf_counter() - start)
    base = statistics.median(times["an empty console script"])
    return {name: statistics.median(each) / base for name, each in times.items()}


if __name__ == "__main__":
    for name, ratio in measure().items():
        sys.stdout.write(f"| {name} | {ratio:.2f} |\n")

"""Child processes of a program that runs for a long time."""

import subprocess
import sys

SCRIPT = """
import ctypes, os, time
from pathlib import Path
from tokencli.system.child_process import run_with_limit

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become children
os.getpid = lambda: 1
me = Path("/proc/self").resolve().name
for _ in range(3):
    assert run_with_limit(["sh", "-c", "sleep 0.1 & exit 3"], os.environ, 5) == "exited with code 3"
    time.sleep(0.5)
assert run_with_limit(["true"], os.environ, 5) is None
print(repr(Path(f"/proc/{me}/task/{me}/children").read_text()))
"""


def test_process_1_leaves_no_zombies() -> None:
    """What a command has left running is collected, so that a container doesn't run out of processes."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr) == ("''\n", "")

"""The programs to compare with: an empty console script, and a handwritten one."""

import sys
from pathlib import Path

from tests.conftest import script

BY_HAND = """\
#!{python}
import os

import keyring
import requests

secret = keyring.get_password("tokencli:bench:client_secret", "client_secret")
reply = requests.post(
    os.environ["BENCH_URL"],
    data={{"grant_type": "client_credentials"}},
    auth=(os.environ["BENCH_ID"], secret),
    timeout=30,
    verify=os.environ["BENCH_CA"],
)
reply.raise_for_status()
print(reply.json()["access_token"])
"""
"""The ten lines that get a token without this program."""


def empty_script(folder: Path) -> Path:
    """Write a console script like tokencli's, whose `main` returns at once."""
    own = Path(script()).read_text(encoding="utf-8")
    assert "from tokencli.__main__ import main" in own
    path = folder / "empty"
    path.write_text(own.replace("tokencli.__main__", "empty_main"), encoding="utf-8")
    path.chmod(0o755)
    (folder / "empty_main.py").write_text("def main():\n    pass\n", encoding="utf-8")
    return path


def script_by_hand(folder: Path) -> Path:
    """Write the handwritten script."""
    path = folder / "by-hand"
    path.write_text(BY_HAND.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return path

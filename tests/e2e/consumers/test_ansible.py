"""Ansible with a token that a lookup gets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import script
from tests.e2e.consumers.expiries import set_lifetime
from tokencli.commands.help import read_page
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
PAUSE = """    - name: Wait until the token has expired
      ansible.builtin.pause:
        seconds: SECONDS
"""


def run_playbook(
    sandbox: Sandbox, folder: Path, *, rounds: int, pause_s: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the playbook of the manual's page, with its task several times, in a folder."""
    text = read_page("ansible").partition("```yaml\n")[2].partition("```")[0]
    text = text.replace("groupid", "oauth2").replace("/etc/ssl/demo-ca.pem", sandbox.ca_file)
    text = text.replace(
        "https://demomachine:4443/GroupIDDataService/api/me", f"{sandbox.url}/oauth2/resource"
    )
    head, tasks, task = text.partition("  tasks:\n")
    assert tasks
    playbook = folder / "playbook.yml"
    playbook.write_text(
        head + tasks + (task + PAUSE.replace("SECONDS", str(pause_s))) * (rounds - 1) + task
    )
    return subprocess.run(
        [PLAYBOOK, "-vvv", "-i", "localhost,", "-c", "local", playbook],
        env={
            **os.environ,
            "PATH": f"{Path(script()).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_LOG_PATH": str(folder / "log"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
    )


def test_tokens_expire_during_a_playbook(short_lived: Sandbox, tmp_path: Path) -> None:
    """Each task gets a token that is fresh at that moment; no token is in the output or the log."""
    lifetime = set_lifetime(short_lived, 4)
    done = run_playbook(short_lived, tmp_path, rounds=4, pause_s=lifetime)
    assert done.returncode == 0, done.stdout + done.stderr
    states = [token.state for token in short_lived.issued_tokens]
    assert states.count("expired") >= 3
    calls = [each for each in short_lived.requests if each.path == "/oauth2/resource"]
    assert [each.status for each in calls] == [200] * 4
    shown = done.stdout + done.stderr + (tmp_path / "log").read_text()
    assert not any(token.token in shown for token in short_lived.issued_tokens)


def test_failure_stops_the_playbook(short_lived: Sandbox, tmp_path: Path) -> None:
    """The task fails, and calls no API."""
    short_lived.set_faults(fail="503")
    done = run_playbook(short_lived, tmp_path, rounds=1)
    assert done.returncode == 2, done.stdout
    assert not [each for each in short_lived.requests if each.path == "/oauth2/resource"]

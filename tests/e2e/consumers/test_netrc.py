"""curl, git and Python with the netrc file of `get --format netrc`."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import Run
from tests.e2e.consumers.expiries import until_expired
from tests.e2e.consumers.test_git import GitHandler
from tests.e2e.consumers.token_server import TokenServer, serve
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long


@pytest.fixture
def git_server(lasting_seconds: Sandbox, tmp_path: Path) -> Iterator[TokenServer]:
    """Serve an empty repository that requires the token as a password."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", "--bare", folder / "x.git"], check=True)
    with serve(GitHandler, lasting_seconds, folder) as server:
        yield server


def test_tokens_expire_during_a_script(git_server: TokenServer, tokencli: Run) -> None:
    """Each program reads the entry that was written just before, and sends it with HTTP Basic."""
    path, url = Path(os.environ["HOME"]) / ".netrc", f"{git_server.url}/x.git"
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSL_CAINFO": git_server.ca_file}
    info = f"{url}/info/refs?service=git-upload-pack"
    for _ in until_expired(git_server.sandbox):
        words = ("--format", "netrc", "--url", url, "--output", str(path))
        done = tokencli("get", "oauth2", *words)
        assert (done.code, done.err) == (0, "")
        subprocess.run(["git", "ls-remote", url], env=environ, timeout=60, check=True)
        tokencli("get", "oauth2", *words)
        curl = ["curl", "-sS", "--fail", "--cacert", git_server.ca_file, "--netrc-file", str(path)]
        subprocess.run([*curl, info], stdout=subprocess.DEVNULL, timeout=60, check=True)
        tokencli("get", "oauth2", *words)
        assert requests.get(info, verify=git_server.ca_file, timeout=60).status_code == 200
    assert all(header.startswith("Basic ") for header in git_server.credentials if header)

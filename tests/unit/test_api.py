"""The Python API: the same token as on the command line, and requests that carry it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import tokencli
from tests.conftest import Run
from tokencli.errors import ConfigError
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system


def test_token_is_what_get_prints(tokencli_at: Run, sandbox: Sandbox) -> None:
    """The API and the command share one store, so there is one token and one request."""
    assert tokencli.token() + "\n" == tokencli_at("get").out
    assert tokencli.token("groupid", force=True) + "\n" == tokencli_at("get").out
    assert sandbox.database.token_requests == 2


@pytest.mark.parametrize("system", ["groupid", "socialid", "oauth2"])
def test_requests_carry_the_token(sandbox: Sandbox, system: str) -> None:
    """The resource accepts a request that TokenAuth has authenticated."""
    reply = requests.get(
        sandbox.url + load_system(system).resource_path,
        auth=tokencli.TokenAuth(system),
        verify=sandbox.ca_file,
        timeout=30,
    )
    assert reply.status_code == 200


def test_expired_token_is_renewed_between_requests(sandbox: Sandbox) -> None:
    """Each request gets a token that is fresh at that moment."""
    sandbox.set_faults(lifetime=0)
    auth = tokencli.TokenAuth("groupid")
    seen = {
        requests.Request("GET", "https://api.example.com/", auth=auth)
        .prepare()
        .headers["Authorization"]
        for _ in range(2)
    }
    assert len(seen) == 2


def test_failures_are_tokencli_errors(tmp_path: Path) -> None:
    """An unknown profile is the same error as on the command line."""
    with pytest.raises(ConfigError):
        tokencli.token("nope", config=str(tmp_path / "none.toml"))


def test_import_loads_nothing_else() -> None:
    """PEP 562: the public names are loaded on first use, and there are no others."""
    code = "import sys, tokencli; print([n for n in sys.modules if n.startswith('tokencli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError):
        _ = tokencli.nothing


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.fixture
def tokencli_at(tokencli: Run) -> Run:
    """Give the console script a name that does not hide the package."""
    return tokencli

"""`keyring-tokencli`: what pip and uv get for which package index."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Result, name_apis
from tokencli.sandbox.server import Sandbox

HELPER = Path(sys.executable).with_name("keyring-tokencli")
INDEX = "https://pypi.example.com/simple/"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox for all tests."""
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def indexes(sandbox: Sandbox, write_config: Callable[[str], Path]) -> None:
    """Give some of the sandbox's profiles an API on an index."""
    urls = {
        "oauth2": INDEX,
        "dpop-demo": "https://bound.example.com:8443",
        "corp": "https://twice.example.com/a",
        "tv": "https://twice.example.com/b",
    }
    write_config(name_apis(Path(sandbox.config_file).read_text(), urls))


def run(*words: str) -> Result:
    """Run the helper as pip and uv do, which let stderr through."""
    done = subprocess.run(
        [HELPER, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("url", [INDEX, "https://pypi.example.com:443/other/acme-1.0.whl"])
@pytest.mark.parametrize(
    ("before", "after", "members"),
    [
        ((), ("robot",), {}),
        (("--mode", "password"), ("robot",), {}),
        ((), ("--mode", "creds"), {"username": "oauth2"}),
        (("--mode=creds",), ("robot",), {"username": "robot"}),
    ],
)
def test_index_of_a_profile(
    sandbox: Sandbox,
    url: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    members: dict[str, str],
) -> None:
    """The answer has the form of keyring's, as lines or as JSON."""
    plain = run(*before, "get", url, *after)
    assert plain.code == 0, plain.err
    *names, token = plain.out.splitlines()
    assert names == list(members.values())
    assert token in [each.token for each in sandbox.issued_tokens]
    as_json = run("--output=json", *before, "get", url, *after)
    assert json.loads(as_json.out) == {**members, "password": token}


@pytest.mark.parametrize(
    "url",
    [
        "pypi.example.com",
        "pypi.example.com:443",
        "http://pypi.example.com/simple/",
        "https://pypi.example.com:8443/simple/",
        "https://pypi.example.com.evil.example/simple/",
        "https://evil.example/?https://pypi.example.com/simple/",
        "https://canary@pypi.example.com/simple/",
        "\x1b[31m",
        "",
    ],
)
@pytest.mark.parametrize("options", [(), ("--mode=creds", "--output=json")])
def test_other_servers_get_no_token(url: str, options: tuple[str, ...], sandbox: Sandbox) -> None:
    """Also not a host alone, which pip names for an index without TLS as well."""
    count = len(sandbox.issued_tokens)
    found = run(*options, "get", url, "robot")
    assert (found.code, found.out) == (1, "")
    assert "canary" not in found.err
    assert len(sandbox.issued_tokens) == count


def test_note_says_for_which_server_there_is_none() -> None:
    """So that a misspelled host is found."""
    found = run("get", "https://pipy.example.com/simple/", "robot")
    assert found.err == "tokencli: no profile is for https://pipy.example.com\n"
    found = run("get", "https://pipy.example.com/simple/", "robot", "--profile", "oauth2")
    assert found.err == "tokencli: profile 'oauth2' isn't for https://pipy.example.com\n"


def test_profile_host_and_username_can_be_named() -> None:
    """For a helper of the user's own, a script with these options."""
    options = ("--profile", "oauth2", "--host", "other.example.com", "--username", "robot")
    found = run(*options, "--mode=creds", "get", "https://other.example.com/simple/")
    assert found.out.splitlines()[0] == "robot"
    assert run(*options, "get", INDEX).code == 1
    found = run("--host", "other.example.com", "get", "https://other.example.com/")
    assert found.code == 2
    assert "fix: tokencli keyring-credential --help" in found.err


def test_several_profiles_for_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named, and the environment chooses one."""
    found = run("get", "https://twice.example.com/simple/", "robot")
    assert found.code == 2
    assert "several profiles are for this server: corp and tv" in found.err
    monkeypatch.setenv("TOKENCLI_PROFILE", "tv")
    found = run("get", "https://twice.example.com/simple/", "robot")
    assert found.code == 4
    assert "tokencli login tv" in found.err


def test_bound_token_is_refused() -> None:
    """Neither pip nor uv can make a proof for each request."""
    found = run("get", "https://bound.example.com:8443/", "robot")
    assert (found.code, found.out) == (2, "")
    assert "DPoP-bound" in found.err


@pytest.mark.parametrize("operation", ["set", "del", "diagnose"])
def test_passwords_are_not_stored(operation: str) -> None:
    """pip offers to store a password that was typed; nothing says that it was."""
    found = run(operation, INDEX, "robot")
    assert (found.code, found.out) == (2, "")
    assert "stores no passwords" in found.err

"""`docker-credential-tokencli`: what Docker gets for which registry."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Result, name_apis
from tokencli import __version__
from tokencli.sandbox.server import Sandbox

HELPER = Path(sys.executable).with_name("docker-credential-tokencli")
NOT_FOUND = "credentials not found in native keychain\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox for all tests."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def registries(sandbox: Sandbox, write_config: Callable[[str], Path]) -> None:
    """Give some of the sandbox's profiles an API on a registry."""
    urls = {
        "oauth2": "https://registry.example.com/v2/",
        "dpop-demo": "https://bound.example.com:5000",
        "corp": "https://twice.example.com/a",
        "tv": "https://twice.example.com/b",
    }
    write_config(name_apis(Path(sandbox.config_file).read_text(), urls))


def run(*words: str, stdin: str = "") -> Result:
    """Run the helper as Docker does."""
    done = subprocess.run(
        [HELPER, *words], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


pytestmark = pytest.mark.usefixtures("registries")


@pytest.mark.parametrize(
    "server",
    ["registry.example.com", "https://registry.example.com/v1/", "registry.example.com:443\n"],
)
def test_registry_of_a_profile(sandbox: Sandbox, server: str) -> None:
    """The profile is the one whose API is on the registry; the answer names the registry as given."""
    found = run("get", stdin=server)
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    assert answer.pop("Secret") in [each.token for each in sandbox.issued_tokens]
    assert answer == {"ServerURL": server.strip(), "Username": "oauth2"}


@pytest.mark.parametrize(
    "server",
    [
        "evil.example",
        "registry.example.com.evil.example",
        "registry.example.com:5000",
        "http://registry.example.com",
        "bound.example.com",
        "https://evil@registry.example.com/",
        "\x1b[31m",
    ],
)
@pytest.mark.parametrize("operation", ["get", "erase"])
def test_other_registries_have_no_credential(server: str, operation: str) -> None:
    """Docker knows the message, and tries without a credential; nothing is printed on stderr."""
    assert run(operation, stdin=server) == Result(1, NOT_FOUND, "")


def test_profile_host_and_username_can_be_named(sandbox: Sandbox) -> None:
    """For a helper of the user's own, a script with these options."""
    options = ("--profile", "oauth2", "--host", "other.example.com", "--username", "robot")
    found = run("get", *options, stdin="other.example.com")
    assert json.loads(found.out)["Username"] == "robot"
    assert run("get", *options, stdin="registry.example.com").out == NOT_FOUND
    assert json.loads(run("get", "--profile", "oauth2", stdin=sandbox.url).out)["Secret"]
    assert run("get", "--host", "other.example.com", stdin="other.example.com").code == 2


def test_several_profiles_for_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named, and the environment chooses one."""
    found = run("get", stdin="twice.example.com")
    assert found.code == 2
    assert "several profiles are for this server: corp and tv" in found.out
    assert "TOKENCLI_PROFILE" in found.err
    monkeypatch.setenv("TOKENCLI_PROFILE", "tv")
    assert "tokencli login tv" in run("get", stdin="twice.example.com").err


def test_bound_token_is_refused() -> None:
    """Docker can't make a proof for each request; the reason is on both streams."""
    found = run("get", stdin="bound.example.com:5000")
    assert found.code == 2
    assert "DPoP-bound" in found.out
    assert "DPoP-bound" in found.err


def test_store_and_erase_change_nothing(sandbox: Sandbox) -> None:
    """`docker login` may store the token that it was given; a secret for another server is not taken."""
    count = len(sandbox.issued_tokens)
    given = {"ServerURL": "registry.example.com", "Username": "u", "Secret": "canary-secret"}
    stored = run("store", stdin=json.dumps(given))
    assert (stored.code, stored.out) == (0, "")
    erased = run("erase", stdin="registry.example.com")
    assert (erased.code, erased.out) == (0, "")
    assert "tokencli logout oauth2" in erased.err
    other = run("store", stdin=json.dumps({**given, "ServerURL": "evil.example"}))
    assert other.code == 2
    assert "can't store a registry's password" in other.out
    assert "canary-secret" not in stored.err + other.out + other.err
    assert len(sandbox.issued_tokens) == count


def test_default_api_is_no_registry(sandbox: Sandbox) -> None:
    """GroupID's profile has an `api_url` on the sandbox by default."""
    assert run("get", stdin=sandbox.url).out == NOT_FOUND


def test_list_and_version(sandbox: Sandbox) -> None:
    """The registries with their user names; the program with its version."""
    listed = json.loads(run("list").out)
    assert sandbox.url not in listed
    assert listed["https://registry.example.com"] == "oauth2"
    assert listed["https://bound.example.com:5000"] == "oauth2"
    assert run("version").out == f"docker-credential-tokencli {__version__}\n"


@pytest.mark.parametrize(
    ("operation", "text"),
    [("get", ""), ("get", " \n"), ("store", "{"), ("store", "{}"), ("store", "[" * 100_000)],
)
def test_missing_registry(operation: str, text: str) -> None:
    """Docker knows this message as well."""
    found = run(operation, stdin=text)
    assert (found.code, found.out) == (2, "no credentials server URL\n")


def test_unknown_operation() -> None:
    """It is named, with those that there are."""
    found = run("fetch")
    assert found.code == 2
    assert "get, store, erase, list, version" in found.err

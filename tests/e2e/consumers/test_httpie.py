"""HTTPie with the authentication type `tokencli`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.e2e.consumers.expiries import set_lifetime, until_expired
from tests.servers.configured import Configure
from tests.unit.api.servers import USES, Api, apis, shown_token, write_profile
from tokencli.sandbox.server import Sandbox

__all__ = ["apis"]

HTTP = Path(sys.executable).with_name("http")
PROFILE = ("--auth-type", "tokencli", "-a", "p")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide the password of the profile `p`."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")


def http(*args: str) -> Result:
    """Run HTTPie."""
    done = subprocess.run(
        [HTTP, "--ignore-stdin", *args], capture_output=True, text=True, timeout=60, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_tokens_expire_during_a_script(short_lived: Sandbox) -> None:
    """Each of its requests gets a token that is fresh at that moment."""
    set_lifetime(short_lived, 2)
    for _ in until_expired(short_lived):
        found = http(
            *("--verify", short_lived.ca_file, "--check-status"),
            *("--auth-type", "tokencli", "-a", "oauth2"),
            f"{short_lived.url}/oauth2/resource",
        )
        assert found.code == 0, found.err
        assert json.loads(found.out)["client"] == "batch"


def test_default_profile(short_lived: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `-a`, it is the one that `tokencli get` uses."""
    monkeypatch.setenv("TOKENCLI_PROFILE", "oauth2")
    url = f"{short_lived.url}/oauth2/resource"
    found = http("--verify", short_lived.ca_file, "--auth-type", "tokencli", url)
    assert json.loads(found.out)["client"] == "batch"


@pytest.mark.parametrize("use", USES)
def test_token_is_used_as_the_provider_defines(
    configure: Configure, apis: tuple[Api, Api], use: str
) -> None:
    """It is in the provider's header or parameter; the body is that of the request."""
    write_profile(configure, apis[0], use)
    found = http(*PROFILE, "--check-status", f"{apis[0].url}/a", "k=v")
    assert found.code == 0, found.err
    assert shown_token(use) in apis[0].received[0]
    assert json.loads(apis[0].bodies[0]) == {"k": "v"}


def test_refused_token_is_renewed(configure: Configure, apis: tuple[Api, Api]) -> None:
    """After a 401, the request is sent again with a new token, and its body with it."""
    write_profile(configure, apis[0], "Authorization")
    apis[0].refused = (1,)
    found = http(*PROFILE, "--check-status", f"{apis[0].url}/a", "k=v")
    assert found.code == 0, found.err
    assert apis[0].issued == 2
    assert apis[0].bodies[0] == apis[0].bodies[1]


def test_every_token_is_refused(configure: Configure, apis: tuple[Api, Api]) -> None:
    """HTTPie shows the server's answer, after one attempt with a new token."""
    write_profile(configure, apis[0], "Authorization")
    apis[0].refused = tuple(range(9))
    found = http(*PROFILE, "--check-status", "--headers", f"{apis[0].url}/a")
    assert found.code == 4
    assert "401" in found.out
    assert apis[0].issued == 2


@pytest.mark.parametrize("use", USES)
def test_redirect_to_another_origin_gets_no_token(
    configure: Configure, apis: tuple[Api, Api], use: str
) -> None:
    """Another port is another origin; a redirect to the same one gets the token."""
    write_profile(configure, apis[0], use)
    apis[0].locations = {"/a": (302, "/b"), "/b": (307, f"{apis[1].url}/c?QUERY")}
    found = http(*PROFILE, "--follow", "--check-status", f"{apis[0].url}/a")
    assert found.code == 0, found.err
    assert shown_token(use) in apis[0].received[0]
    assert len(apis[1].received) == 1
    assert "canary" not in apis[1].received[0]


def test_session_has_no_token(configure: Configure, apis: tuple[Api, Api], tmp_path: Path) -> None:
    """It stores the profile's name, and each later request gets a token of that profile."""
    write_profile(configure, apis[0], "X-Auth-Token")
    session, url = tmp_path / "session.json", f"{apis[0].url}/a"
    first = http(*PROFILE, f"--session={session}", url)
    apis[0].refused = (1,)
    second = http(f"--session={session}", "--check-status", url)
    assert (first.code, second.code) == (0, 0), second.err
    assert shown_token("X-Auth-Token", 2) in apis[0].received[-1]
    stored = session.read_text()
    assert json.loads(stored)["auth"] == {"type": "tokencli", "raw_auth": "p"}
    assert "canary" not in stored


@pytest.mark.parametrize("options", [(), ("--offline",), ("--session=./new.json",)])
def test_failure_is_readable(
    configure: Configure,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTPie prints what is wrong and what helps, without a traceback; no request is sent."""
    monkeypatch.chdir(tmp_path)
    configure("")
    found = http(*options, *PROFILE, "http://127.0.0.1:9/")
    assert found.code == 1
    assert "http: error: TokenError: there is no profile yet\ncause: " in found.err
    assert "\nfix: tokencli " in found.err
    assert "Traceback" not in found.err
    assert found.out == ""


def test_problems_of_the_configuration_are_listed(configure: Configure) -> None:
    """Each one with its key."""
    configure('[profiles.p]\nprovider = "nosuch"\n')
    found = http(*PROFILE, "http://127.0.0.1:9/")
    assert found.code == 1
    assert "profiles.p.provider" in found.err
    assert "Traceback" not in found.err


def test_start_of_httpie_loads_nothing_else() -> None:
    """HTTPie imports the plug-in each time it starts, also for requests without it."""
    program = (
        "import sys, httpie.core; before = {*sys.modules}\n"
        "import tokencli.api.httpie_plugin; print(*sorted({*sys.modules} - before))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert {name.partition(".")[0] for name in loaded} <= {"tokencli", "httpie"}
    assert len(loaded) < 15, loaded

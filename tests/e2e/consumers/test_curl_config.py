"""curl with the configuration file of `get --format curl`."""

import json
import subprocess

import pytest

from tests.conftest import Run
from tests.e2e.consumers.expiries import until_expired
from tests.servers.configured import Configure
from tests.unit.api.servers import USES, Api, apis, shown_token, write_profile
from tokencli.formats import curl as curl_format
from tokencli.sandbox.server import Sandbox

__all__ = ["apis"]


def curl(config: str, *words: str) -> str:
    """Run curl with a configuration file on stdin, and return what it prints."""
    done = subprocess.run(
        ["curl", "-sS", "--fail", "-K-", *words],
        input=config,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.long
def test_tokens_expire_during_a_script(lasting_seconds: Sandbox, tokencli: Run) -> None:
    """Each call of curl gets a token that is fresh at that moment."""
    ca_file, url = lasting_seconds.ca_file, f"{lasting_seconds.url}/oauth2/resource"
    for _ in until_expired(lasting_seconds):
        config = tokencli("get", "oauth2", "--format", "curl").out
        found = curl(config, "--cacert", ca_file, url)
        assert json.loads(found)["client"] == "batch"


@pytest.mark.parametrize("use", USES)
def test_token_is_sent_as_the_provider_defines(
    configure: Configure,
    apis: tuple[Api, Api],
    use: str,
    tokencli: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Headers and parameters arrive as the program's own requests send them, beside the URL's query."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")
    write_profile(configure, apis[0], use)
    done = tokencli("get", "p", "--format", "curl")
    assert (done.code, done.err) == (0, "")
    curl(done.out, f"{apis[0].url}/a?x=1")
    assert shown_token(use).lower() in apis[0].received[0].lower()  # curl writes %2b
    assert apis[0].received[0].startswith("/a?x=1")


@pytest.mark.requirement(26)
@pytest.mark.parametrize(
    "value",
    ['a"b', "a\\b", "a\\nb", '\\"', "a'b #c", "@/etc/passwd", "-K x", "a;", "{x}", "~!$%^&*"],
)
def test_curl_reads_back_every_value(value: str, apis: tuple[Api, Api]) -> None:
    """Quotation marks and backslashes in a value don't end it, and nothing in it is an option."""
    curl(curl_format.render_option("header", f"X-Value: {value}"), f"{apis[0].url}/a")
    assert f"X-Value: {value}\n" in apis[0].received[0].replace("\r\n", "\n")

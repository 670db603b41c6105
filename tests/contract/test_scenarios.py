"""Every scenario of the sandbox: the API refuses the token for the reason that its name says."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
import requests

from tests.conftest import Run
from tokencli.errors import UsageError
from tokencli.sandbox.api import API_METADATA_PATH
from tokencli.sandbox.scenarios import SCENARIOS
from tokencli.sandbox.server import Sandbox

STATUSES: Mapping[str, Collection[int]] = {
    "api_down": (502, 503),
    "intermediary": (200, 403),
    "jwks_unreachable": (401, 500, 503),
    "local_clock": (200,),
    "missing_scope": (403,),
    "not_permitted": (403,),
    "nothing_wrong": (200,),
    "other_account": (403,),
    "rate_limited": (403, 429),
    "too_large": (400, 431),
}
"""What the API answers by the cause; 401 for the others."""
ERRORS: Mapping[str, type[Exception]] = {
    "api_down:dropped": requests.ConnectionError,
    "api_down:hangs": requests.Timeout,
    "api_down:refused": requests.ConnectionError,
    "dns": requests.ConnectionError,
    "intermediary:proxy": requests.ConnectionError,
    "tls": requests.exceptions.SSLError,
    "tls:expired": requests.exceptions.SSLError,
    "tls:wrong_name": requests.exceptions.SSLError,
}
"""Scenarios in which the API doesn't answer, or not a call without the scenario's proxy."""
NOT_SENT = ("mangled:wrapped", "no_token")
"""Scenarios without a token that could be sent."""


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in (*ERRORS, *NOT_SENT)])
def test_api_refuses_the_token(name: str) -> None:
    """It accepts the token if nothing is wrong, and explains a refusal unless the variant is bare."""
    with Sandbox(scenario=name) as sandbox:
        reply = call_api(sandbox)
    cause, _, variant = name.partition(":")
    if variant == "dpop" and cause == "nothing_wrong":  # needs a proof
        cause = "bound_token_sent_bare"
    assert reply.status_code in STATUSES.get(cause, (401,))
    explains = "WWW-Authenticate" in reply.headers or bool(reply.text)
    assert explains == (variant != "bare")


@pytest.mark.parametrize(("name", "error"), ERRORS.items())
def test_api_does_not_answer(name: str, error: type[Exception]) -> None:
    """The call fails as it does with a server of this kind."""
    with Sandbox(scenario=name) as sandbox, pytest.raises(error):
        call_api(sandbox)


def test_proxy_requires_credentials() -> None:
    """The proxy in the variables answers 407."""
    with Sandbox(scenario="intermediary:proxy") as sandbox:
        proxies = {"https": sandbox.variables["HTTPS_PROXY"]}
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            call_api(sandbox, proxies)


def call_api(sandbox: Sandbox, proxies: dict[str, str] | None = None) -> requests.Response:
    """Call the API with the token of the scenario as a bearer token."""
    file = sandbox.variables.get("SANDBOX_TOKEN_FILE")
    token = Path(file).read_bytes().strip() if file else last_token(sandbox)
    return requests.get(
        sandbox.variables["SANDBOX_API"],
        headers={b"Authorization": b"Bearer " + token},
        verify=sandbox.ca_file,
        timeout=5,
        proxies=proxies,
    )


def last_token(sandbox: Sandbox) -> bytes:
    """Return the access token that was issued last."""
    return sandbox.issued_tokens[-1].token.encode()


def test_tokens_are_obtained_before_something_changes(tokencli: Run) -> None:
    """The profile has the token of the time before, by whose clock it was fresh."""
    with Sandbox(scenario="expired") as sandbox:
        token = sandbox.issued_tokens[-1]
        assert (token.state, len(sandbox.issued_tokens)) == ("expired", 1)
        inspected = tokencli("inspect", "orders", "--json", env=sandbox.variables)
    assert '"state": "expired"' in inspected.out


def test_api_describes_itself() -> None:
    """Its metadata names its issuer (RFC 9728), unless it doesn't say why it refuses tokens."""
    for name, status in (("wrong_issuer", 200), ("wrong_issuer:bare", 404)):
        with Sandbox(scenario=name) as sandbox:
            reply = requests.get(
                sandbox.url + API_METADATA_PATH, verify=sandbox.ca_file, timeout=20
            )
            assert reply.status_code == status
            if status == 200:
                assert reply.json()["authorization_servers"] == [f"{sandbox.url}/oauth2"]


def test_another_name_is_an_error() -> None:
    """The error names what was probably meant."""
    with pytest.raises(UsageError) as raised:
        Sandbox(scenario="key_rotate")
    assert "key_rotated" in str(raised.value.cause)


def test_command_gets_profile_and_api(tokencli: Run) -> None:
    """`tokencli sandbox --scenario` exports them, so that one line shows the cause."""
    script = 'echo "$SANDBOX_PROFILE $SANDBOX_API"; cat "$SANDBOX_TOKEN_FILE"'
    done = tokencli("sandbox", "--scenario", "mangled:quoted", "--", "sh", "-c", script)
    first, second = done.out.splitlines()
    assert first.startswith("orders https://127.0.0.1:") and first.endswith("/orders")
    assert second.startswith('"ey') and second.endswith('"')

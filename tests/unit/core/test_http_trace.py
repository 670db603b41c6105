"""`--trace` shows what is sent and what comes back, and no secret, however short and wherever."""

import json

import pytest

from tests.fakes import FakeTransport, make_profile
from tokencli.core.http_trace import TracingTransport
from tokencli.models import AuthAdditions, Connection, HttpReply, HttpRequest, Secret
from tokencli.providers.request_writer import write_oauth_request

LONG = "canary-Secret-Value"


def told(request: HttpRequest, headers: dict[str, str], body: object) -> list[str]:
    """Return what is told of an exchange."""
    text = body if isinstance(body, str) else json.dumps(body)
    lines: list[str] = []
    transport = FakeTransport([HttpReply(200, headers, text.encode())])
    TracingTransport(transport, make_profile(), lines.append).send(request, Connection())
    return lines


def request(secret: str = LONG) -> HttpRequest:
    """Return OAuth's own request with this client secret in its body."""
    auth = AuthAdditions(params={"client_secret": Secret(secret)})
    return write_oauth_request(make_profile(), {"grant_type": "client_credentials"}, auth)


def test_secrets_that_come_back_as_names_are_masked() -> None:
    """Of headers, which come in lower case, and of members at any depth; the reply's token, too."""
    body = {LONG: 1, "a": [{f"x-{LONG}": "v"}], "access_token": "canary-at", "canary-at": 2}
    headers = {"content-type": "application/json", f"x-{LONG.lower()}": "1"}
    text = "\n".join(told(request(), headers, body))
    assert LONG.lower() not in text.lower()
    assert "canary-at" not in text
    assert "< x-***: " in text


def test_a_short_secret_is_masked_by_its_place_in_the_request() -> None:
    """And nothing else of the request is touched by it."""
    lines = told(request("c"), {"content-type": "application/json"}, {})
    assert "> grant_type=client_credentials&client_secret=***" in lines


@pytest.mark.parametrize("secret", ["739", "73918"])
def test_a_short_secret_is_masked_in_the_reply(secret: str) -> None:
    """Under the name that the request gives it, and as a value, text or number, of any member."""
    sent = HttpRequest(
        "POST",
        "https://id.example.com/token",
        {"Content-Type": "application/json"},
        json.dumps({"pin": secret, "n": 1}).encode(),
        (Secret(secret),),
        masked_copy=HttpRequest(
            "POST",
            "https://id.example.com/token",
            {"Content-Type": "application/json"},
            b'{"pin": "***", "n": 1}',
        ),
    )
    body = {"pin": f"was {secret}", "who": secret, "as": int(secret), secret: 1, "n": 12}
    lines = told(sent, {"content-type": "application/json", "pin": "x", "x": secret}, body)
    assert '> {"pin": "***", "n": 1}' in lines
    assert '< {"pin": "***", "who": "***", "as": "***", "***": 1, "n": 12}' in lines
    assert {"< pin: ***", "< x: ***"} <= set(lines)
    text = "\n".join(told(sent, {"content-type": "text/html"}, f"<pin>{secret}</pin> pin={secret}"))
    assert secret not in text

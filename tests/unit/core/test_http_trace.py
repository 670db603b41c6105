"""`--trace` shows requests and replies without any secret, however short."""

import json

import pytest

from tests.fakes import FakeTransport, make_profile
from tokencli.core.http_trace import TracingTransport
from tokencli.models import AuthAdditions, Connection, HttpReply, HttpRequest, Secret
from tokencli.providers.request_writer import write_oauth_request

LONG = "canary-Secret-Value"


def trace_lines(request: HttpRequest, headers: dict[str, str], body: object) -> list[str]:
    """Return the logged lines of one request and reply."""
    text = body if isinstance(body, str) else json.dumps(body)
    lines: list[str] = []
    transport = FakeTransport([HttpReply(200, headers, text.encode())])
    TracingTransport(transport, make_profile(), lines.append).send(request, Connection())
    return lines


def request(secret: str = LONG) -> HttpRequest:
    """Return a standard token request with this client secret in its body."""
    auth = AuthAdditions(params={"client_secret": Secret(secret)})
    return write_oauth_request(make_profile(), {"grant_type": "client_credentials"}, auth)


def test_secrets_as_names_are_masked() -> None:
    """Names of headers (in lower case) and of members at any depth, and the reply's token."""
    body = {LONG: 1, "a": [{f"x-{LONG}": "v"}], "access_token": "canary-at", "canary-at": 2}
    headers = {"content-type": "application/json", f"x-{LONG.lower()}": "1"}
    text = "\n".join(trace_lines(request(), headers, body))
    assert LONG.lower() not in text.lower()
    assert "canary-at" not in text
    assert "< x-***: " in text


def test_short_secret_in_the_request() -> None:
    """It is masked by its field, and nothing else of the request is masked."""
    lines = trace_lines(request("c"), {"content-type": "application/json"}, {})
    assert "> grant_type=client_credentials&client_secret=***" in lines


@pytest.mark.parametrize("secret", ["739", "73918"])
def test_short_secret_in_the_reply(secret: str) -> None:
    """It is masked under its name in the request, and as the whole value of any member, text or number."""
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
    body = {
        "pin": f"was {secret}",
        "who": secret,
        "as": int(secret),
        secret: 1,
        "n": 12,
        "sub": "u",
    }
    lines = trace_lines(sent, {"content-type": "application/json", "pin": "x", "x": secret}, body)
    assert '> {"pin": "***", "n": 1}' in lines
    assert '< {"pin": "***", "who": "***", "as": "***", "***": 1, "n": 12, "sub": "u"}' in lines
    assert {"< pin: ***", "< x: ***"} <= set(lines)
    text = "\n".join(
        trace_lines(sent, {"content-type": "text/html"}, f"<pin>{secret}</pin> pin={secret}")
    )
    assert secret not in text


def test_client_id_is_shown() -> None:
    """A client ID isn't a secret, even if it looks like a token alone or together with its name."""
    for client_id in ("7d1c0f52-made-up-id", "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4"):
        profile = make_profile(values={"client_id": client_id})
        lines: list[str] = []
        auth = AuthAdditions(params={"client_id": client_id, "client_secret": Secret(LONG)})
        sent = write_oauth_request(profile, {"grant_type": "client_credentials"}, auth)
        reply = HttpReply(200, {"content-type": "application/json"}, b"{}")
        TracingTransport(FakeTransport([reply]), profile, lines.append).send(sent, Connection())
        assert f"> grant_type=client_credentials&client_id={client_id}&client_secret=***" in lines


def test_form_fields_are_masked_one_by_one() -> None:
    """A token-like value is masked, but its name and its neighbours are shown."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = "identity_store_id=1234567890&x=a1b2c3d4e5f6a1b2c3d4e5f6a1b2&code=abc&scope=read"
    lines = trace_lines(request(), headers, f"access_token=t&{body}")
    assert "< access_token=***&identity_store_id=1234567890&x=***&code=***&scope=read" in lines

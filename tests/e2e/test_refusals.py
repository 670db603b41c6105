"""Refusals end to end: what the server says reaches the person, with its likely cause and no secret."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest

from tests.conftest import Run

SECRET = "canary-client-secret-91be"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Server:
    """A token endpoint with one reply for everything, and the requests that it got."""

    port: int = 0
    status: int = 401
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    forms: list[dict[str, list[str]]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the token endpoint on loopback."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.forms.append(parse_qs(form.decode()))
            body = state.body.encode("latin-1")
            self.send_response(state.status)
            for name, value in {"Content-Length": str(len(body)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = httpd.server_port
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def profile(
    server: Server, write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configure a client whose secret is in a variable."""
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    write_config(
        f'[profiles.p]\nprovider = "oauth2"\nallow_http = true\ntoken_url = "http://127.0.0.1:{server.port}/token"\nclient_id = "batch"\n'
        'client_secret = { env = "CLIENT_SECRET" }\nstore = "none"\n'
    )


JSON = {"Content-Type": "application/json"}
ENTRA = (
    "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is"
    " the client secret value, not the client secret ID, for a secret added to app 'x'. Trace ID:"
    " 0b1f4f4e-8d5c-4f0a-9e5e-2f1c5b0b0e00 Correlation ID: 6d4b1a1e-0e3a-4f6e-a6a2-3f9f9d1d2e00"
    " Timestamp: 2026-11-26 14:00:00Z"
)
REASONS: dict[str, tuple[int, Mapping[str, str], str, str]] = {
    "OAuth": (401, JSON, json.dumps({"error": "invalid_client", "error_description": ENTRA}), ENTRA),
    "problem": (401, {"Content-Type": "application/problem+json"}, '{"title": "Unauthorized", "status": 401, "detail": "client secret expired on 2026-11-01"}', "client secret expired on 2026-11-01"),
    "title": (400, JSON, '{"type": "about:blank", "title": "The tenant is paused"}', "The tenant is paused"),
    "message": (401, JSON, '{"message": "Unauthorized: API key expired"}', "Unauthorized: API key expired"),
    "msg": (403, JSON, '{"code": 40301, "msg": "plan does not include the API"}', "plan does not include the API"),
    "bare error": (401, JSON, '{"error": "Unauthorized", "message": "the batch window is closed"}', "the batch window is closed"),
    "fault": (401, JSON, '{"fault": {"faultstring": "Invalid client identifier {0}", "detail": {"errorcode": "oauth.v2.InvalidClientIdentifier"}}}', "Invalid client identifier {0}"),
    "errorSummary": (401, JSON, '{"errorCode": "E0000004", "errorSummary": "Authentication failed", "errorId": "oaeHfmOAx1iRLa0H10DeMz5fQ", "errorCauses": []}', "Authentication failed"),
    "errors": (422, JSON, '{"errors": [{"message": "scope orders is retired"}, {"message": "use scope orders.v2"}]}', "scope orders is retired; use scope orders.v2"),
    "nested": (400, JSON, '{"error": {"code": 400, "message": "PROJECT_SUSPENDED", "status": "INVALID_ARGUMENT"}}', "PROJECT_SUSPENDED"),
    "list": (422, JSON, '{"detail": [{"loc": ["body", "grant_type"], "msg": "string does not match regex"}]}', "string does not match regex"),
    "plain text": (403, {"Content-Type": "text/plain"}, "Forbidden: your IP 10.0.0.1 is not on the allow list", "Forbidden: your IP 10.0.0.1 is not on the allow list"),
    "JSON text": (401, JSON, '"the client is not enrolled"', "the client is not enrolled"),
    "XML": (500, {"Content-Type": "text/xml"}, "<Fault><faultcode>C</faultcode><faultstring>clients are read only</faultstring></Fault>", "clients are read only"),
    "page": (403, {"Content-Type": "text/html"}, "<html><head><title>Blocked by Acme</title><script>x()</script></head><body>Your support ID is: 1234567890</body></html>", "Blocked by Acme; Your support ID is: 1234567890"),
    "challenge": (401, {"WWW-Authenticate": 'Bearer error="invalid_client", error_description="the DPoP proof is stale"'}, "", "the DPoP proof is stale"),
    "long": (400, JSON, json.dumps({"error": "invalid_request", "error_description": "because " * 120 + "the end"}), "because the end"),
}  # fmt: skip
"""Form -> status, headers, body, and the clue in it."""


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize("form", REASONS)
def test_the_servers_reason_reaches_the_person(tokencli: Run, server: Server, form: str) -> None:
    """In whatever form it is, in text and in JSON, whole."""
    server.status, server.headers, server.body, clue = REASONS[form]
    done = tokencli("get", "p")
    assert (done.code, done.out) == (5, "")
    assert clue in done.err
    shown = json.loads(tokencli("get", "p", "--json").err)["error"]
    assert clue in shown["message"] and clue in shown["description"]
    assert shown["status"] == server.status


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({**JSON, "X-Request-Id": TRACE_ID}, '{"error": "server_error"}'),
        (JSON, f'{{"error": "server_error", "trace_id": "{TRACE_ID}"}}'),
        (JSON, f'{{"error": "server_error", "error_description": "failed. Trace ID: {TRACE_ID}"}}'),
        ({"X-Correlation-ID": TRACE_ID}, ""),
    ],
)
def test_ids_for_the_administrators_are_whole(
    tokencli: Run, server: Server, headers: Mapping[str, str], body: str
) -> None:
    """Whether in the body or in a header."""
    server.status, server.headers, server.body = 500, headers, body
    assert TRACE_ID in tokencli("get", "p").err
    shown = json.loads(tokencli("get", "p", "--json").err)["error"]
    assert TRACE_ID in json.dumps(shown)


@pytest.mark.usefixtures("profile")
def test_retry_after_is_told(tokencli: Run, server: Server) -> None:
    """In words, and in seconds for programs."""
    server.status, server.headers = 429, {**JSON, "Retry-After": "3600"}
    server.body = '{"error": "too_many_requests"}'
    done = tokencli("get", "p", "--timeout", "5s")
    assert done.code == 5 and "wait 1 hour" in done.err
    shown = json.loads(tokencli("get", "p", "--json", "--timeout", "5s").err)["error"]
    assert (shown["retry_after"], shown["error"]) == (3600, "too_many_requests")


@pytest.mark.usefixtures("profile")
def test_an_echoed_secret_is_masked_in_every_form(tokencli: Run, server: Server) -> None:
    """Member, header, page or plain text."""
    server.headers = {**JSON, "X-Request-Id": SECRET, "X-Error-Message": f"no {SECRET}"}
    for body in (
        json.dumps({"message": f"wrong secret {SECRET}", "code": SECRET, "requestId": SECRET}),
        json.dumps({"error": SECRET, "errors": [SECRET, {"detail": SECRET}]}),
        f"<html><title>{SECRET}</title><body>{SECRET}</body></html>",
        f"no {SECRET}",
        "",
    ):
        server.body = body
        for options in ([], ["--json"], ["-v"]):
            done = tokencli("get", "p", *options)
            assert done.code == 5
            assert SECRET not in done.err + done.out


@pytest.mark.usefixtures("profile")
def test_a_wrong_secret_from_a_variable_is_not_to_be_entered(tokencli: Run, server: Server) -> None:
    """The message names the variable; a command that can't help is not suggested."""
    server.headers, server.body = JSON, '{"error": "invalid_client"}'
    done = tokencli("get", "p")
    assert "environment variable CLIENT_SECRET" in done.err and "fix:" not in done.err

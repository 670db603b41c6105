"""A constant that a provider lists in several spellings: each is tried once, and what works is remembered."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.conftest import Run
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.server import Sandbox


@dataclass
class Server:
    """A token endpoint that knows one spelling of one constant, and the requests that it got."""

    port: int = 0
    find: Callable[[Any], Any] = lambda _: None
    """Returns the constant of a request."""
    accepted: Any = None
    status: int = 400
    code: str = "E17"
    reply: dict[str, Any] = field(default_factory=lambda: {"access_token": "at", "expires_in": 600})
    sent: list[Any] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the token endpoint on loopback."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            is_json = self.headers.get("Content-Type") == "application/json"
            members = json.loads(body) if is_json else dict(parse_qsl(body))
            url = urlsplit(self.path)
            request = {"path": url.path, "query": dict(parse_qsl(url.query)), "body": members}
            spelling = state.find(request)
            state.sent.append(spelling)
            fits = json.dumps(spelling) == json.dumps(state.accepted)
            reply = state.reply if fits else {"error": state.code}
            self.send_response(200 if fits else state.status)
            self.send_header("Content-Type", "application/json")
            data = json.dumps(reply).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST

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
def configure(
    server: Server, write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Return a function that configures profile `p` with these keys of its provider."""
    monkeypatch.setenv("ACME_KEY", "canary-key")

    def configure(keys: str) -> None:
        write_config(
            f'[providers.acme]\ntitle = "Acme"\nendpoints.token = "{{base}}/t"\n'
            'fields = { base.kind = "url", key.kind = "secret" }\n'
            f"{keys}\n[profiles.p]\nprovider = 'acme'\nallow_http = true\nstore = 'file'\n"
            f"base = 'http://127.0.0.1:{server.port}'\nclient_id = 'c'\nkey = {{ env = 'ACME_KEY' }}\n"
        )

    return configure


RULE = 'values = ["one", "two", "three"], on = "E17"'
NUMBERS = 'values = [1, "1", true], on = ["E16", "E17"]'
FORMS = {
    "form": (
        f'client_auth = ["none"]\ngrants.acme.params = {{ v = "one", k = "{{key}}" }}\nspellings.v = {{ {RULE} }}',
        lambda request: request["body"].get("v"),
    ),
    "flat JSON": (
        'client_auth = ["none"]\nrequest.body = "json"\ngrants.acme.params = { v = "one" }\n'
        f"spellings.v = {{ {RULE} }}",
        lambda request: request["body"].get("v"),
    ),
    "nested member": (
        'request = { body = "json", send = { k = "{key}", a = [{ b = { v = "one" } }] } }\n'
        f"spellings.v = {{ {RULE} }}",
        lambda request: request["body"]["a"][0]["b"]["v"],
    ),
    "query": (
        f'request = {{ method = "GET", query = {{ v = "one", k = "{{key}}" }} }}\nspellings.v = {{ {RULE} }}',
        lambda request: request["query"].get("v"),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_constant_has_spellings(
    form: str, tokencli: Run, server: Server, configure: Callable[[str], None]
) -> None:
    """Each is tried once, in order, and only the accepted one from then on; --dry-run shows it."""
    keys, server.find = FORMS[form]
    configure(keys)
    server.accepted = "three"
    first = tokencli("get", "p", "-v")
    assert (first.code, first.out) == (0, "at\n"), first.err
    assert server.sent == ["one", "two", "three"]
    assert "trying v=two instead of one" in first.err and "accepts v=three" in first.err
    assert tokencli("refresh", "p").code == 0
    assert server.sent[3:] == ["three"]
    shown = tokencli("get", "p", "--dry-run").out
    assert "three" in shown and "one" not in shown
    assert "canary" not in first.err + shown
    server.accepted = "one"  # the server was replaced by an older one
    assert tokencli("refresh", "p").code == 0
    assert server.sent[4:] == ["three", "one"]


def test_types_are_spellings(
    tokencli: Run, server: Server, configure: Callable[[str], None]
) -> None:
    """A number, the same number as text, and a boolean are told apart, also when remembered."""
    server.find = lambda request: request["body"]["v"]
    configure(
        f'request = {{ body = "json", send = {{ v = 1, k = "{{key}}" }} }}\nspellings.v = {{ {NUMBERS} }}'
    )
    server.accepted = True
    assert tokencli("get", "p").code == 0
    assert tokencli("refresh", "p").code == 0
    assert list(map(json.dumps, server.sent)) == ["1", '"1"', "true", "true"]


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [(400, "E17", 3), (400, "E18", 1), (401, "E17", 1), (403, "E17", 1), (429, "E17", 1)],
)
def test_no_other_refusal_is_repeated(
    status: int,
    code: str,
    requests: int,
    tokencli: Run,
    server: Server,
    configure: Callable[[str], None],
) -> None:
    """Only the codes that the provider names lead to another request, and none of a failed sign-in."""
    keys, server.find = FORMS["form"]
    configure(keys)
    server.status, server.code = status, code
    for number in (1, 2):
        done = tokencli("get", "p")
        assert done.code == 5 and code in done.err
        assert len(server.sent) == requests * number


def test_the_second_request_and_the_renewal_have_spellings(
    tokencli: Run, server: Server, configure: Callable[[str], None]
) -> None:
    """Only the refused request of several is repeated; a refused renewal is explained as one."""
    server.find = lambda request: request["body"].get("action")
    server.reply = {"access_token": "at", "expires_in": 600, "refresh_token": "canary-rt"}
    configure(
        'request = { body = "json", send = { k = "{key}" } }\n'
        'then = { url = "{base}/then", body = "json", send = { action = "issue" } }\n'
        'refresh = { url = "{base}/r", body = "json", send = { action = "renew", r = "{refresh_token}" } }\n'
        'spellings.action = { values = ["renew", "Renew"], on = "E17" }'
    )
    seen: list[Any] = []

    def find(request: dict[str, Any]) -> Any:
        seen.append((request["path"], request["body"].get("action")))
        return request["body"].get("action") in (None, "issue", "Renew")

    server.find, server.accepted = find, True
    done = tokencli("get", "p")
    assert done.code == 0, done.err
    assert seen == [("/t", None), ("/then", "issue")]
    done = tokencli("refresh", "p")
    assert done.code == 0, done.err
    assert seen[2:] == [("/r", "renew"), ("/r", "Renew")]
    assert "Renew" in tokencli("get", "p", "--dry-run").out
    assert tokencli("refresh", "p").code == 0
    assert seen[4:] == [("/r", "Renew")]


@pytest.mark.usefixtures("keyring_env")
def test_groupid_11_1_is_sent_password(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind IdentityServer it knows only `password`. It costs one more request, once."""
    monkeypatch.setattr(GroupId, "grant_handlers", {"password": GroupId.grant_password})
    with Sandbox(lifetime=600) as sandbox:
        env = {"TOKENCLI_CONFIG": sandbox.config_file}
        first = tokencli("get", "groupid", "-v", env=env)
        assert first.code == 0, first.err
        assert "trying grant_type=password instead of Password" in first.err
        assert sandbox.database.token_requests == 2
        assert tokencli("profiles", "test", "groupid", env=env).code == 0
        assert sandbox.database.token_requests == 3
        tokencli("logout", "groupid", env=env)
        assert "grant_type=password" in tokencli("get", "groupid", "--dry-run", env=env).out
    with Sandbox(lifetime=600) as other:  # a refusal of the credentials shows what is known, too
        env = {"TOKENCLI_CONFIG": other.config_file}
        Path(other.config_file).with_name("groupid.password").write_text("wrong\n")
        wrong = tokencli("get", "groupid", env=env)
        assert (wrong.code, other.database.token_requests) == (5, 2)
        assert "invalid_grant" in wrong.err and "unsupported" not in wrong.err
        assert tokencli("get", "groupid", env=env).code == 5
        assert other.database.token_requests == 3

"""The Python API: the same token as on the command line, and requests that carry it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

import tokencli
from tests.conftest import Run
from tests.servers.configured import Configure, configure
from tokencli.errors import ConfigError
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

__all__ = ["configure"]


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


TOKEN = "canary/token+1=="
USES = {
    "Authorization": 'use = "Authorization: Custom {token}"',
    "X-Auth-Token": 'use = ["X-Auth-Token: {token}", "X-Tenant: {tenant}"]',
    "session": 'use = ["?session={token}", "X-Tenant: {tenant}"]',
}
"""Where the token is in a request -> the provider's `use`."""


class Api(ThreadingHTTPServer):
    """A server that issues the token and redirects where it is told; it records what it receives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.locations: dict[str, tuple[int, str]] = {}
        self.received: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        body = b""
        if path == "/token":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            body = json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode()
        else:
            self.server.received.append(f"{self.path}\n{self.headers}")
            status, location = self.server.locations.get(path, (200, ""))
            self.send_response(status)
            if location:
                self.send_header("Location", location.replace("QUERY", query))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


@pytest.fixture
def apis() -> Iterator[tuple[Api, Api]]:
    """Run two servers, which are two origins."""
    servers = Api(), Api()
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        for server in servers
    ]
    for thread in threads:
        thread.start()
    yield servers
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def authenticate(configure: Configure, api: Api, use: str) -> tokencli.TokenAuth:
    """Return the auth object of a profile whose provider uses the token like this."""
    config = configure(
        f"""
[providers.acme]
title = "Acme"
endpoints.token = "{api.url}/token"
request.send = {{ user = "{{username}}", password = "{{password}}" }}
fields = {{ tenant.optional = true }}
{USES[use]}

[profiles.p]
provider = "acme"
allow_http = true
username = "demo"
tenant = "canary-tenant"
password = {{ env = "ACME_PASSWORD" }}
store = "file"
"""
    )
    return tokencli.TokenAuth("p", config=str(config))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("use", USES)
def test_redirect_to_another_origin_gets_no_token(
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    apis: tuple[Api, Api],
    use: str,
    status: int,
) -> None:
    """Neither header nor parameter, also if the first server repeats the query in its Location.

    They aren't sent again if the other server redirects back. A redirect within the origin keeps
    the headers.
    """
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")
    api, other = apis
    auth = authenticate(configure, api, use)
    api.locations = {
        "/a": (status, "/b?QUERY"),
        "/b": (status, f"{other.url}/c?keep=1&QUERY&next={quote(quote(api.url + '/a?'))}QUERY"),
    }
    other.locations = {"/c": (status, f"{api.url}/d")}
    reply = requests.post(f"{api.url}/a", auth=auth, data={"x": "1"}, timeout=30)
    assert reply.status_code == 200
    first, second, back = api.received
    shown = {"session": f"session={quote(TOKEN, safe='')}"}.get(use, TOKEN)
    assert shown in first
    assert shown in second
    assert ("canary-tenant" in first) == ("canary-tenant" in second) == (use != "Authorization")
    for received in (other.received[0], back):
        assert "canary" not in received
    assert other.received[0].startswith("/c?keep=1")
    assert "canary" in str(reply.history[1].request.headers) + str(reply.history[1].request.url)


@pytest.mark.parametrize(
    "location",
    [
        "{other}",
        "//127.0.0.1:{port}/c",
        "http://localhost:{own}/c",
        "http://127.0.0.1:{port}\\@127.0.0.1:{own}/c",
    ],
)
def test_any_form_of_another_origin(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, apis: tuple[Api, Api], location: str
) -> None:
    """A URL without a scheme, another name of the same host, and one that parsers read differently."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")
    api, other = apis
    auth = authenticate(configure, api, "X-Auth-Token")
    ports = {"port": other.server_address[1], "own": api.server_address[1]}
    api.locations = {"/a": (302, location.format(other=other.url, **ports))}
    requests.get(f"{api.url}/a", auth=auth, timeout=30)
    received = api.received[1:] + other.received
    assert len(received) == 1
    assert "canary" not in received[0]


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

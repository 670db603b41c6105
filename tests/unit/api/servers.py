"""A resource server that issues its own tokens, and profiles whose providers use them differently."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.servers.configured import Configure, configure

__all__ = ["apis", "configure"]

TOKEN = "canary/token+%d=="
USES = {
    "Authorization": 'use = "Authorization: Custom {token}"',
    "X-Auth-Token": 'use = ["X-Auth-Token: {token}", "X-Tenant: {tenant}"]',
    "session": 'use = ["?session={token}", "X-Tenant: {tenant}"]',
}
"""Where the token is in a request -> the provider's `use`."""


class Api(ThreadingHTTPServer):
    """A server that issues tokens, and refuses and redirects as it is told; it records what it receives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.locations: dict[str, tuple[int, str]] = {}
        """Path -> status and Location of a redirect."""
        self.received: list[str] = []
        """Path and headers of each request that isn't for a token."""
        self.bodies: list[bytes] = []
        self.issued = 0
        """The number of token requests; the tokens are numbered."""
        self.refused: tuple[int, ...] = ()
        """Numbers of the tokens that get HTTP 401."""
        self.challenge = ""
        """The WWW-Authenticate of HTTP 401."""
        self.token_delay = 0.0
        """Seconds until a token request is answered."""
        self.token_status = 200


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self) -> None:
        server, (path, _, query) = self.server, self.path.partition("?")
        body = self._read_body()
        reply = b""
        if path == "/token":
            server.issued += 1
            number = server.issued
            time.sleep(server.token_delay)
            self.send_response(server.token_status)
            self.send_header("Content-Type", "application/json")
            reply = json.dumps({"access_token": TOKEN % number, "expires_in": 3600}).encode()
        else:
            received = f"{self.path}\n{self.headers}"
            server.received.append(received)
            server.bodies.append(body)
            if any(TOKEN % number in unquote(received) for number in server.refused):
                self.send_response(401)
                if server.challenge:
                    self.send_header("WWW-Authenticate", server.challenge)
            else:
                status, location = server.locations.get(path, (200, ""))
                self.send_response(status)
                if location:
                    nested = quote(quote(query, safe=""), safe="")
                    location = location.replace("NESTED", nested).replace("QUERY", query)
                    self.send_header("Location", location)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_POST = do_GET

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


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


def write_profile(configure: Configure, api: Api, use: str) -> Path:
    """Configure the profile `p`, whose provider uses the token like this."""
    return configure(
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


def shown_token(use: str, number: int = 1) -> str:
    """Return the token as it is in a request."""
    return f"session={quote(TOKEN % number, safe='')}" if use == "session" else TOKEN % number

"""A package registry on loopback HTTPS that requires a token of the sandbox for each request."""

import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import trustme

from tokencli.sandbox.server import Sandbox

HOST = "127.0.0.1"


@dataclass
class Registry:
    """The files of a registry, and who asked for them."""

    sandbox: Sandbox
    url: str
    ca_file: Path
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Path -> media type and content."""
    slow_paths: set[str] = field(default_factory=set)
    """Files whose replies take until the token has expired that was sent."""
    refusals: int = 0
    """How many requests with a token were refused."""

    def accepts(self, authorization: str, *, until_expired: bool) -> bool:
        """Tell whether a header has a token that is valid now, as bearer token or as password.

        `until_expired` waits until it no longer is.
        """
        scheme, _, value = authorization.partition(" ")
        if scheme == "Basic":
            value = b64decode(value).decode().partition(":")[2]
        found = [token for token in self.sandbox.issued_tokens if token.token == value]
        accepted = [token.state for token in found] == ["active"]
        self.refusals += bool(value) and not accepted
        while accepted and until_expired and found[0].state == "active":
            time.sleep(0.05)
            found = [token for token in self.sandbox.issued_tokens if token.token == value]
        return accepted


@contextmanager
def running_registry(sandbox: Sandbox, folder: Path) -> Iterator[Registry]:
    """Run a registry without files."""
    authority = trustme.CA()
    ca_file = folder / "registry-ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    server = ThreadingHTTPServer((HOST, 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    registry = Registry(sandbox, f"https://{HOST}:{server.server_address[1]}", ca_file)
    server.RequestHandlerClass = _make_handler(registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _make_handler(registry: Registry) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            media_type, content = registry.files.get(self.path, ("text/plain", b""))
            if not registry.accepts(authorization, until_expired=self.path in registry.slow_paths):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="registry"')
                content = b""
            elif self.path not in registry.files:
                self.send_response(404)
            else:
                self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler

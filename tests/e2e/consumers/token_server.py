"""HTTPS servers on loopback that accept the tokens of a sandbox."""

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from tokencli.sandbox.server import Sandbox


class TokenServer(ThreadingHTTPServer):
    """An HTTPS server with its own CA; `accepts` knows which tokens are valid at this moment."""

    daemon_threads = True

    def __init__(self, handler: type["TokenHandler"], sandbox: Sandbox, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.sandbox = sandbox
        self.directory = directory
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"https://{self.host}"
        self.credentials: list[str] = []
        """The Authorization header of each request; empty without one."""
        self.statuses: list[int] = []
        self.paths: list[str] = []
        """Method and path of each request, if the handler records them."""
        authority = trustme.CA()
        self.ca_file = str(directory / "server-ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def accepts(self, token: str) -> bool:
        """Tell whether the sandbox issued the token and it is neither expired nor revoked."""
        return any(
            issued.token == token and issued.state == "active"
            for issued in self.sandbox.issued_tokens
        )

    def revoke_all(self) -> None:
        """Revoke every token that was issued."""
        for issued in self.sandbox.issued_tokens:
            self.sandbox.database.revoke_token(
                issued.token, system=issued.system, client_id=issued.client_id
            )


class TokenHandler(BaseHTTPRequestHandler):
    """Refuses requests without a valid token, as a Bearer or as the password of Basic."""

    server: TokenServer
    challenge = 'Bearer realm="test"'
    schemes: tuple[str, ...] = ("Basic", "Bearer")
    """Those in which it takes the token."""

    def is_authorized(self) -> bool:
        """Tell whether the token is valid; if not, the request is answered with HTTP 401."""
        header = self.headers.get("Authorization", "")
        self.server.credentials.append(header)
        scheme, _, credential = header.partition(" ")
        if scheme == "Basic":
            credential = base64.b64decode(credential).decode().partition(":")[2]
        if scheme in self.schemes and self.server.accepts(credential):
            return True
        self.send_response(401)
        self.send_header("WWW-Authenticate", self.challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def send_response(self, code: int, message: str | None = None) -> None:
        """Record the status."""
        self.server.statuses.append(code)
        super().send_response(code, message)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serve(handler: type[TokenHandler], sandbox: Sandbox, directory: Path) -> Iterator[TokenServer]:
    """Run a server until the block ends."""
    server = TokenServer(handler, sandbox, directory)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

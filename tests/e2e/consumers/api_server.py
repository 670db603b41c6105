"""An API over HTTPS whose requests need a token of a sandbox, and a profile that is for it."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from tests.conftest import script
from tests.e2e.consumers.token_server import TokenHandler, TokenServer, serve
from tokencli.sandbox.server import Sandbox

BINARY = bytes(range(256)) * 512
BIG_PIECE = BINARY * 8
"""One mebibyte."""


class ApiHandler(TokenHandler):
    """Resources that show what arrived, and replies of many kinds."""

    protocol_version = "HTTP/1.1"
    challenge = 'Bearer realm="orders", error="invalid_token"'

    def do_GET(self) -> None:
        """Reply by the path."""
        hasher, body, size = hashlib.sha256(), b"", 0
        for piece in self._iterate_body():
            hasher.update(piece)
            size += len(piece)
            body = body + piece if size < 4096 else b""
        self.server.paths.append(f"{self.command} {self.path}")
        if not self.is_authorized():
            return
        path = self.path.partition("?")[0]
        if path.startswith("/status/"):
            self._reply(int(path[8:]), b'{"error": "no luck"}', Location="https://other.example/x")
        elif path == "/binary":
            self._reply(200, BINARY, content_type="application/octet-stream")
        elif path == "/escape":
            self._reply(200, b"\x1b]0;evil\x07 text", content_type="text/plain")
        elif path.startswith("/big/"):
            self._stream(int(path[5:]))
        elif path.startswith("/slow/"):
            self._stream(int(path[6:]), pause=0.3, piece=b"x")
        elif path in ("/broken", "/stalled"):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            sleep(5 if path == "/stalled" else 0)
        elif path == "/silent":
            sleep(5)
            self.close_connection = True
        elif path == "/json/broken":
            self._reply(200, b'{"half": 1,', content_length=100)
            self.close_connection = True
        elif path == "/json/bom":
            self._reply(200, b'\xef\xbb\xbf{"whole":1}')
        elif path.startswith("/charset/"):
            self._reply(200, b"caf\xe9", content_type=f"text/plain; charset={path[9:]}")
        elif path.startswith("/coding/"):
            self._reply(200, b"packed", **{"Content-Encoding": path[8:]})
        else:
            seen = {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "size": size,
                "sha256": hasher.hexdigest(),
                "body": body.decode("latin-1"),
                "number": 1.10,
            }
            self._reply(200, json.dumps(seen).encode())

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def _iterate_body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers.get("Content-Length", 0))
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            left -= len(piece)
            yield piece

    def _reply(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        content_length: int | None = None,
        **headers: str,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(content_length or len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, pieces: int, pause: float = 0.0, piece: bytes = BIG_PIECE) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(pieces * len(piece)))
        self.end_headers()
        for _ in range(pieces):
            try:
                self.wfile.write(piece)
            except OSError:  # the client has gone
                self.close_connection = True
                return
            sleep(pause)


@contextmanager
def serve_api(
    sandbox: Sandbox, directory: Path, handler: type[ApiHandler] = ApiHandler
) -> Iterator[TokenServer]:
    """Run the API; the sandbox's profile `oauth2` names it and trusts its CA as well."""
    with serve(handler, sandbox, directory) as server:
        bundle = directory / "both.pem"
        bundle.write_text(Path(server.ca_file).read_text() + Path(sandbox.ca_file).read_text())
        settings = (f"api_url={server.url}", f"ca_file={bundle}")
        words = [word for setting in settings for word in ("--set", setting)]
        environ = {**os.environ, "TOKENCLI_CONFIG": str(sandbox.config_file)}
        subprocess.run(
            [script(), "profiles", "edit", "oauth2", *words],
            env=environ,
            check=True,
            capture_output=True,
        )
        yield server


def read_argv_of_all_processes() -> str:
    """Return the command line and the environment of every process of this user."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found.append((process / name).read_bytes().decode("latin-1"))
            except OSError:
                continue
    return "\n".join(found)

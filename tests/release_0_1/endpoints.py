"""Token endpoints of any https address, behind an HTTP proxy of our own on this machine.

The client is pointed at the proxy by HTTPS_PROXY. Whatever host it asks to CONNECT to is spoken for
here, with a certificate of a throwaway authority. So configurations can name documented addresses,
and nothing ever leaves the machine.
"""

import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import BinaryIO
from urllib.parse import parse_qs

import trustme


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came."""

    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    """Lower-case name -> value."""
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """Return the form in the body; of several values of a name, the first."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Reply:
    """One HTTP reply: JSON and headers."""

    json: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Reply]


class Endpoints:
    """The proxy and all servers behind it, for the length of a `with` block."""

    def __init__(self, answer: Answer, ca_file: Path) -> None:
        self.requests: list[Request] = []
        """Every request, in the order in which they came."""
        self.connections: list[str] = []
        """Every host that was asked for."""
        self._answer = answer
        self._authority = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._authority.cert_pem.write_to_path(ca_file)
        endpoints = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                endpoints._serve(self.request)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def proxy(self) -> str:
        """Return the proxy's URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Endpoints":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(30)
        with plain.makefile("rb", buffering=0) as reader:
            line, _ = _head(reader)
        method, target, *_rest = line.split()
        host = target.rpartition(":")[0]
        self.connections.append(host)
        if method != "CONNECT":
            plain.sendall(b"HTTP/1.1 405 CONNECT alone\r\nContent-Length: 0\r\n\r\n")
            return
        plain.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            with self._context(host).wrap_socket(plain, server_side=True) as secure:
                self._exchange(host, secure)
        except OSError:
            return  # the client went away

    def _exchange(self, host: str, secure: ssl.SSLSocket) -> None:
        with secure.makefile("rb") as reader:
            line, headers = _head(reader)
            method, path, *_rest = line.split()
            body = reader.read(int(headers.get("content-length", "0")))
        request = Request(host, method, path, headers, body)
        self.requests.append(request)
        reply = self._answer(request)
        data = json.dumps(reply.json).encode()
        shown = {
            "Content-Type": "application/json",
            **reply.headers,
            "Content-Length": str(len(data)),
            "Connection": "close",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
        secure.sendall(f"HTTP/1.1 {reply.status} Status\r\n{head}\r\n".encode() + data)

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


def _head(reader: BinaryIO | socket.SocketIO) -> tuple[str, dict[str, str]]:
    """Read the first line and the headers."""
    first = reader.readline(65536).decode("latin-1").strip()
    headers = {}
    while line := reader.readline(65536).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return first, headers

"""The server itself: TLS on a loopback port, one thread for each connection, HTTP/1.1."""

import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import urlsplit

from tokencli.sandbox.http_messages import Request, Response

HOST = "127.0.0.1"
IDLE_TIMEOUT_S = 15.0
"""Seconds after which a connection that says nothing is closed, in the TLS handshake too."""
CLOSE_TIMEOUT_S = 5.0
MAX_BODY_BYTES = 1 << 20


class RequestHandler(BaseHTTPRequestHandler):
    """Read a request whole, have it answered, and write the reply."""

    protocol_version = default_request_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one TLS record
    server: "HttpsServer"

    def answer_request(self) -> None:
        """Answer one request of any method."""
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        try:
            path = urlsplit(self.path).path
        except ValueError:
            self.send_error(400)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.respond(Request(self.command, path, headers, body))
        if reply.delay_s:
            self.server.closing.wait(reply.delay_s)
        if reply.drop_connection or self.server.closing.is_set():
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer_request

    def version_string(self) -> str:
        """Return the Server header."""
        return "tokencli-sandbox"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time as the server believes it to be, in the form of a Date header."""
        return super().date_time_string(self.server.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the state has its own log."""

    def _read_body(self) -> bytes | None:
        """Return the body, or None where there can be no answer but an error."""
        if "transfer-encoding" in self.headers:
            self.send_error(411)
            return None
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:10]) > MAX_BODY_BYTES:
            self.send_error(413 if length.isdigit() else 400)
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None


class HttpsServer(ThreadingHTTPServer):
    """Answer each request with what `reply` returns, in the thread of its connection."""

    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self.tls_context = tls
        self.respond: Callable[[Request], Response]
        self.now: Callable[[], float]
        self.closing = Event()
        self._open_connections: set[socket.socket] = set()
        self._connections_changed = Condition()
        self._thread: Thread | None = None
        super().__init__((HOST, port), RequestHandler)

    def start(self, reply: Callable[[Request], Response], now: Callable[[], float]) -> None:
        """Serve from a thread of its own; `now` is what the Date header says."""
        self.respond, self.now = reply, now
        self._thread = Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="sandbox"
        )
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait for their threads."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.closing.set()
        with self._connections_changed:
            for wire in self._open_connections:
                with suppress(OSError):  # SSLSocket's own shutdown would race with its reader
                    socket.socket.shutdown(wire, socket.SHUT_RDWR)
            self._connections_changed.wait_for(lambda: not self._open_connections, CLOSE_TIMEOUT_S)
        self.server_close()

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that http.server makes."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands and answer; this runs in the connection's own thread."""
        request.settimeout(IDLE_TIMEOUT_S)
        with self.tls_context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        ) as wire:
            with self._connections_changed:
                self._open_connections.add(wire)
            try:
                if not self.closing.is_set():
                    wire.do_handshake()
                    RequestHandler(wire, client_address, self)
            finally:
                with self._connections_changed:
                    self._open_connections.discard(wire)
                    self._connections_changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """Let a broken connection be; say of anything else what it was."""
        error = sys.exception()
        if not isinstance(error, OSError):
            sys.stderr.write(f"tokencli sandbox: {type(error).__name__} while answering\n")

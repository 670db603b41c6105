"""The HTTPS server: HTTP/1.1 on a loopback port, with TLS and without, one thread per connection."""

import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import urlsplit

from tokencli.sandbox.http_messages import Request, Response, hash_base64url
from tokencli.system.timeout import join_thread

HOST = "127.0.0.1"
IDLE_TIMEOUT_S = 15.0
"""Seconds after which an idle connection is closed, also during the TLS handshake."""
CLOSE_TIMEOUT_S = 5.0
MAX_BODY_BYTES = 1 << 20
TLS_HANDSHAKE = b"\x16"
"""The first byte of a TLS connection (RFC 8446 section 5.1)."""


class RequestHandler(BaseHTTPRequestHandler):
    """Read a complete request, let the server respond to it, and write the response."""

    protocol_version = default_request_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one TLS record
    server: "HttpsServer"

    def answer_request(self) -> None:
        """Handle one request of any method."""
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        try:
            target = urlsplit(self.path)
        except ValueError:
            self.send_error(400)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        tls = self.connection if isinstance(self.connection, ssl.SSLSocket) else None
        certificate = (tls.getpeercert() if tls is not None else None) or {}
        alternatives = certificate.get("subjectAltName", ())
        names = tuple(str(each[1]) for each in alternatives if each[0] == "DNS")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        thumbprint = hash_base64url(shown) if shown else None
        over_tls = tls is not None
        response = self.server.respond(
            Request(
                self.command, target.path, headers, body, target.query, over_tls, names, thumbprint
            )
        )
        if response.delay_s:
            self.server.closing.wait(response.delay_s)
        if response.drop_connection or self.server.closing.is_set():
            self.close_connection = True
            return
        self.send_response_only(response.status)
        self.send_header("Server", self.version_string())
        self.send_header("Date", self.date_time_string(response.sent_at))
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_CONNECT = (
        answer_request
    )

    def version_string(self) -> str:
        """Return the Server header."""
        return "tokencli-sandbox"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the server's time in the format of a Date header."""
        return super().date_time_string(self.server.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing here: requests are logged in the token database."""

    def _read_body(self) -> bytes | None:
        """Return the body, or None if an error was sent or the body is incomplete."""
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
    """Answer each request with what `respond` returns, in the connection's own thread."""

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

    def start(self, respond: Callable[[Request], Response], now: Callable[[], float]) -> None:
        """Serve in a background thread; `now` provides the time for the Date header."""
        self.respond, self.now = respond, now
        self._thread = Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="sandbox"
        )
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait for their threads."""
        if self._thread is not None:
            self.shutdown()
            join_thread(self._thread)
        self.closing.set()
        with self._connections_changed:
            for connection in self._open_connections:
                with suppress(OSError):  # SSLSocket.shutdown would race with the reading thread
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            self._connections_changed.wait_for(lambda: not self._open_connections, CLOSE_TIMEOUT_S)
        self.server_close()

    def server_bind(self) -> None:
        """Bind without the host name lookup of http.server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handle the requests of one connection, in its own thread.

        A connection that doesn't begin with a TLS handshake is plain HTTP: browsers don't trust the
        sandbox's CA, so the sign-in pages are served without TLS as well.
        """
        request.settimeout(IDLE_TIMEOUT_S)
        with self._tracked(request):
            if request.recv(1, socket.MSG_PEEK) != TLS_HANDSHAKE:
                RequestHandler(request, client_address, self)
                return
        with (
            self.tls_context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            ) as connection,
            self._tracked(connection),
        ):
            if not self.closing.is_set():
                connection.do_handshake()
                RequestHandler(connection, client_address, self)

    @contextmanager
    def _tracked(self, connection: socket.socket) -> Iterator[None]:
        """Let `stop` close a connection and wait for it."""
        with self._connections_changed:
            self._open_connections.add(connection)
        try:
            yield
        finally:
            with self._connections_changed:
                self._open_connections.discard(connection)
                self._connections_changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """Ignore broken connections; report other exceptions by type."""
        error = sys.exception()
        if not isinstance(error, OSError):
            sys.stderr.write(f"tokencli sandbox: {type(error).__name__} while handling a request\n")

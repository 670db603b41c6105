"""The loopback redirect server (RFC 8252 section 7.3): it accepts one redirect at one URL.

All other requests are refused and change nothing: other paths, methods and hosts, and requests that
are too long or too slow. Each connection has its own thread and timeout, so that a connection that a
browser opens and leaves idle delays nothing.
"""

import errno
import re
import socket
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic, sleep

from tokencli import platforms
from tokencli.errors import ConfigError
from tokencli.models import DEFAULT_REDIRECT_PATH, AuthorizationResponse
from tokencli.system.timeout import iter_waits, join_thread

MAX_REQUEST_HEAD_BYTES = 32 * 1024
"""Limit of a request's line and headers."""
REQUEST_TIMEOUT_S = 10.0
"""Seconds in which a request must be complete."""
DRAIN_TIMEOUT_S = 1.0
"""Seconds for which data after the request is still received."""
ACCEPT_POLL_S = 0.25
"""Seconds between two checks whether the server was closed."""
MAX_CONNECTIONS = 64
"""Limit of concurrent connections; further ones are closed at once."""
MAX_PORT_TRIES = 20
"""Free ports of 127.0.0.1 that are tried until one is free on ::1, too."""
HTTP_PORT = 80
LOOPBACK_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

_REQUEST_HEAD_RE = re.compile(rb"([!-~]+) ([!-~]+) HTTP/1\.[01]\r\n((?:[^\r\n]+\r\n)*)\r\n")
_HOST_HEADER_RE = re.compile(rb"(?im)^host[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r$")

_PAGE_STYLE = (
    "body{max-width:32rem;margin:20vh auto 0;padding:0 1.5rem;font:1.125rem/1.5 system-ui,sans-serif}"
    "h1{font-size:1.75rem;margin:0}"
)
_PAGE_TEMPLATE = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
    # Both themes, in the browser's own colors.
    '<meta name="color-scheme" content="light dark">\n'
    "<title>{title} - tokencli</title>\n"
    "<style>{style}</style>\n"
    "<main><h1>{title}</h1><p>{text}</p></main>\n</html>\n"
)
SIGNED_IN_PAGE = (200, "Signed in", "You can close this page and return to the terminal.")
SIGN_IN_FAILED_PAGE = (200, "Not signed in", "The terminal shows why. You can close this page.")
UNEXPECTED_REQUEST_PAGE = (
    400,
    "Not expected",
    "This is not the address of a sign-in. Nothing was changed.",
)
NOT_FOUND_PAGE = (404, "Not found", "Nothing was changed.")
METHOD_NOT_ALLOWED_PAGE = (405, "Not expected", "Nothing was changed.")
HEAD_TOO_LONG_PAGE = (431, "Too long", "Nothing was changed.")
_REASON_PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
            431: "Request Header Fields Too Large"}  # fmt: skip

ResponsePage = tuple[int, str, str]
"""Status, title and text; a page contains nothing of a request."""


class LoopbackListener:
    """Listens on 127.0.0.1, or on ::1 if there is no IPv4, at `port` or any free one.

    If `host` is `localhost`, which servers may require in the redirect URI, it listens on both
    addresses, because a browser may connect to either (RFC 8252 section 8.3).

    Raises:
        ConfigError: another program uses the port, or there is no loopback address.
    """

    def __init__(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        *,
        host: str = "127.0.0.1",
        path: str = DEFAULT_REDIRECT_PATH,
        request_timeout: float = REQUEST_TIMEOUT_S,
    ) -> None:
        is_name = host == "localhost"
        self._sockets = _open_loopback_sockets(port or 0, both=is_name)
        self._accept_redirect = accept
        self._path = path
        self._request_timeout = request_timeout
        address, number = self._sockets[0].getsockname()[:2]
        literal = f"[{address}]" if ":" in address else address
        name = "localhost" if is_name else literal
        self._authority = name if number == HTTP_PORT else f"{name}:{number}"
        self._connection_slots = BoundedSemaphore(MAX_CONNECTIONS)
        self._redirects: SimpleQueue[AuthorizationResponse] = SimpleQueue()
        self._final_page: ResponsePage | None = None
        self._redirect_lock = Lock()
        self._closed = False
        self._accept_threads = [
            Thread(target=self._accept_connections, args=(each,), daemon=True)
            for each in self._sockets
        ]
        for thread in self._accept_threads:
            thread.start()

    @property
    def redirect_uri(self) -> str:
        """Return the URL to which the authorization server must redirect."""
        return f"http://{self._authority}{self._path}"

    def wait_for_redirect(self, seconds: float) -> AuthorizationResponse | None:
        """Return the redirect, or None if it did not arrive in time."""
        for piece in iter_waits(seconds):
            with suppress(Empty):
                return self._redirects.get(timeout=piece)
        return None

    def close(self) -> None:
        """Close the port; requests in progress are still answered."""
        self._closed = True
        for each in self._sockets:
            with suppress(OSError):  # wakes the accepting thread on some systems
                each.shutdown(socket.SHUT_RDWR)
        for thread, each in zip(self._accept_threads, self._sockets, strict=True):
            join_thread(thread)
            each.close()

    def _accept_connections(self, listening: socket.socket) -> None:
        while not self._closed:
            try:
                client, _ = listening.accept()
            except TimeoutError:
                continue
            except OSError:  # the client has gone, or too many files are open
                if not self._closed:
                    sleep(ACCEPT_POLL_S)
                continue
            if not self._connection_slots.acquire(blocking=False):
                client.close()
                continue
            Thread(target=self._serve_connection, args=(client,), daemon=True).start()

    def _serve_connection(self, client: socket.socket) -> None:
        try:
            with client, suppress(OSError):
                head = self._read_request_head(client)
                if head is None:
                    return
                page, redirect = self._route_request(head)
                try:
                    _send_page(client, page)
                finally:  # after the page, because the process may end once it has the redirect
                    if redirect is not None:
                        self._redirects.put(redirect)
                _drain_connection(client)
        finally:
            self._connection_slots.release()

    def _read_request_head(self, client: socket.socket) -> bytes | None:
        """Return a request up to its empty line, cut if it is too long; None if it is incomplete."""
        end = monotonic() + self._request_timeout
        head = b""
        while b"\r\n\r\n" not in head and len(head) <= MAX_REQUEST_HEAD_BYTES:
            remaining = end - monotonic()
            if remaining <= 0:
                return None
            client.settimeout(remaining)
            chunk = client.recv(8192)
            if not chunk:
                return None
            head += chunk
        return head

    def _route_request(self, head: bytes) -> tuple[ResponsePage, AuthorizationResponse | None]:
        """Return the page that answers a request, and the redirect if it is the expected one."""
        match = _REQUEST_HEAD_RE.match(head)
        if match is None:
            return (
                HEAD_TOO_LONG_PAGE
                if len(head) > MAX_REQUEST_HEAD_BYTES
                else UNEXPECTED_REQUEST_PAGE
            ), None
        method, target, headers = match[1], match[2].decode("ascii"), match[3]
        if [host.decode("latin-1").lower() for host in _HOST_HEADER_RE.findall(headers)] != [
            self._authority
        ]:
            # No host, or a name that was made to point here (DNS rebinding).
            return UNEXPECTED_REQUEST_PAGE, None
        path, _, query = target.partition("?")
        if path != (self._path or "/"):
            return NOT_FOUND_PAGE, None
        if method != b"GET":
            return METHOD_NOT_ALLOWED_PAGE, None
        redirect = self._accept_redirect(query)
        if redirect is None:
            return UNEXPECTED_REQUEST_PAGE, None
        with self._redirect_lock:
            if self._final_page is not None:  # a reload or a double click
                return self._final_page, None
            self._final_page = SIGNED_IN_PAGE if redirect.error is None else SIGN_IN_FAILED_PAGE
            return self._final_page, redirect


def _send_page(client: socket.socket, page: ResponsePage) -> None:
    status, title, text = page
    body = _PAGE_TEMPLATE.format(title=title, text=text, style=_PAGE_STYLE).encode()
    style_hash = b64encode(sha256(_PAGE_STYLE.encode()).digest()).decode()
    head = (
        f"HTTP/1.1 {status} {_REASON_PHRASES[status]}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{style_hash}';"
        " frame-ancestors 'none'\r\n"
        "Cache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    client.sendall(head.encode() + body)
    client.shutdown(socket.SHUT_WR)


def _drain_connection(client: socket.socket) -> None:
    """Receive further data for a moment: closing the socket with unread data would reset it."""
    end = monotonic() + DRAIN_TIMEOUT_S
    while (remaining := end - monotonic()) > 0:
        client.settimeout(remaining)
        if not client.recv(64 * 1024):
            return


def _open_loopback_sockets(port: int, *, both: bool) -> list[socket.socket]:
    """Return sockets that listen at `port` or, for 0, at any free one, on the first address or `both`."""
    in_use = False
    for _ in range(1 if port else MAX_PORT_TRIES):
        opened: list[socket.socket] = []
        in_use = False
        for family, address in LOOPBACK_ADDRESSES:
            number = opened[0].getsockname()[1] if opened else port
            try:
                opened.append(_listen_on(family, address, number))
            except OSError as error:  # in use, or there is no such address
                in_use = in_use or error.errno == errno.EADDRINUSE
            if in_use or (opened and not both):
                break
        if opened and not in_use:
            return opened
        for each in opened:
            each.close()
    raise ConfigError(
        f"can't wait for the browser: another program uses port {port} of this computer"
        if in_use
        else "can't wait for the browser: no port can be opened on 127.0.0.1 or ::1",
        cause="end that program, or set redirect_port to another port registered for the client"
        if in_use
        else "if this computer has no loopback interface, use the grant device_code",
    )


def _listen_on(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        platforms.current().prepare_listener(opened)
        opened.bind((host, port))
        opened.listen(MAX_CONNECTIONS)
        opened.settimeout(ACCEPT_POLL_S)
    except OSError:
        opened.close()
        raise
    return opened

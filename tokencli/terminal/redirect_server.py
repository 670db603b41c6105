"""The loopback redirect (RFC 8252 section 7.3): one address that one browser may come back to, once.

Whatever else knocks at the port is turned away and changes nothing: other paths, methods and hosts,
what is too long or too slow. Each connection has a thread and a deadline of its own, so that one
which a browser opens and leaves idle keeps nobody waiting.
"""

import errno
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic, sleep

from tokencli.errors import ConfigError
from tokencli.models import AuthorizationResponse

CALLBACK_PATH = "/callback"
MAX_REQUEST_HEAD_BYTES = 32 * 1024
"""Bytes of a request's line and headers, at most."""
REQUEST_TIMEOUT_S = 10.0
"""Seconds in which a request has to be complete."""
DRAIN_TIMEOUT_S = 1.0
"""Seconds for which what nobody reads is still taken in."""
ACCEPT_POLL_S = 0.25
"""Seconds between two looks at whether the port is still wanted."""
MAX_CONNECTIONS = 64
"""Connections at a time; more are closed at once."""

_REQUEST_HEAD_RE = re.compile(rb"([!-~]+) ([!-~]+) HTTP/1\.[01]\r\n((?:[^\r\n]+\r\n)*)\r\n")
_HOST_HEADER_RE = re.compile(rb"(?im)^host[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r$")

_PAGE_TEMPLATE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>tokencli</title>"
    "<h1>{title}</h1><p>{text}</p></html>\n"
)
SIGNED_IN_PAGE = (200, "Signed in", "You can close this page and go back to the terminal.")
SIGN_IN_FAILED_PAGE = (200, "Not signed in", "The terminal says why. You can close this page.")
SIGN_IN_OVER_PAGE = (410, "Too late", "This sign-in is over. You can close this page.")
UNEXPECTED_REQUEST_PAGE = (
    400,
    "Not expected",
    "This is not the page that a sign-in ends at. Nothing was changed.",
)
NOT_FOUND_PAGE = (404, "Nothing here", "Nothing was changed.")
METHOD_NOT_ALLOWED_PAGE = (405, "Not expected", "Nothing was changed.")
HEAD_TOO_LONG_PAGE = (431, "Too long", "Nothing was changed.")
_REASON_PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
            410: "Gone", 431: "Request Header Fields Too Large"}  # fmt: skip

ResponsePage = tuple[int, str, str]
"""Status, title and text: nothing of a request is ever shown in a page."""


class LoopbackListener:
    """Listen on 127.0.0.1, or where there is none on ::1, at `port` or any that is free.

    With `by_name` the redirect URI says `localhost`, for servers that take nothing else.

    Raises:
        ConfigError: another program has the port, or there is no loopback address.
    """

    def __init__(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        *,
        slowest: float = REQUEST_TIMEOUT_S,
        by_name: bool = False,
    ) -> None:
        self._socket = _open_loopback_socket(port or 0)
        self._accept_redirect = accept
        self._request_timeout = slowest
        host, number = self._socket.getsockname()[:2]
        literal = f"[{host}]" if ":" in host else host
        self._authority = f"{'localhost' if by_name else literal}:{number}"
        self._connection_slots = BoundedSemaphore(MAX_CONNECTIONS)
        self._redirects: SimpleQueue[AuthorizationResponse] = SimpleQueue()
        self._redirect_received = False
        self._redirect_lock = Lock()
        self._closed = False
        self._accept_thread = Thread(target=self._accept_connections, daemon=True)
        self._accept_thread.start()

    @property
    def redirect_uri(self) -> str:
        """Return the address that the authorization server has to redirect to."""
        return f"http://{self._authority}{CALLBACK_PATH}"

    def wait_for_redirect(self, seconds: float) -> AuthorizationResponse | None:
        """Return the redirect, or None where it has not come once the time is over."""
        try:
            return self._redirects.get(timeout=seconds)
        except Empty:
            return None

    def close(self) -> None:
        """Give the port back; what is being answered is still answered."""
        self._closed = True
        with suppress(OSError):  # wakes the doorman where the system is kind
            self._socket.shutdown(socket.SHUT_RDWR)
        self._accept_thread.join()
        self._socket.close()

    def _accept_connections(self) -> None:
        while not self._closed:
            try:
                guest, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:  # the guest was gone already, or there are too many files
                if not self._closed:
                    sleep(ACCEPT_POLL_S)
                continue
            if not self._connection_slots.acquire(blocking=False):
                guest.close()
                continue
            Thread(target=self._serve_connection, args=(guest,), daemon=True).start()

    def _serve_connection(self, guest: socket.socket) -> None:
        try:
            with guest, suppress(OSError):
                head = self._read_request_head(guest)
                if head is None:
                    return
                page, came = self._route_request(head)
                try:
                    _send_page(guest, page)
                finally:  # the page first: once the redirect is handed on, all may end at any moment
                    if came is not None:
                        self._redirects.put(came)
                _drain_connection(guest)
        finally:
            self._connection_slots.release()

    def _read_request_head(self, guest: socket.socket) -> bytes | None:
        """Return a request up to its empty line, cut where it is too long; None if it never ends."""
        end = monotonic() + self._request_timeout
        head = b""
        while b"\r\n\r\n" not in head and len(head) <= MAX_REQUEST_HEAD_BYTES:
            left = end - monotonic()
            if left <= 0:
                return None
            guest.settimeout(left)
            piece = guest.recv(8192)
            if not piece:
                return None
            head += piece
        return head

    def _route_request(self, head: bytes) -> tuple[ResponsePage, AuthorizationResponse | None]:
        """Return the page that answers a request, and the redirect where it is the awaited one."""
        found = _REQUEST_HEAD_RE.match(head)
        if found is None:
            return (
                HEAD_TOO_LONG_PAGE
                if len(head) > MAX_REQUEST_HEAD_BYTES
                else UNEXPECTED_REQUEST_PAGE
            ), None
        method, target, headers = found[1], found[2].decode("ascii"), found[3]
        if [host.decode("latin-1").lower() for host in _HOST_HEADER_RE.findall(headers)] != [
            self._authority
        ]:
            return (
                UNEXPECTED_REQUEST_PAGE,
                None,
            )  # a name that was made to point here (DNS rebinding), or none
        path, _, query = target.partition("?")
        if path != CALLBACK_PATH:
            return NOT_FOUND_PAGE, None
        if method != b"GET":
            return METHOD_NOT_ALLOWED_PAGE, None
        redirect = self._accept_redirect(query)
        if redirect is None:
            return UNEXPECTED_REQUEST_PAGE, None
        with self._redirect_lock:
            if self._redirect_received:
                return SIGN_IN_OVER_PAGE, None
            self._redirect_received = True
        return (SIGNED_IN_PAGE if redirect.error is None else SIGN_IN_FAILED_PAGE), redirect


def _send_page(guest: socket.socket, page: ResponsePage) -> None:
    status, title, text = page
    body = _PAGE_TEMPLATE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status} {_REASON_PHRASES[status]}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
        "Cache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    guest.sendall(head.encode() + body)
    guest.shutdown(socket.SHUT_WR)


def _drain_connection(guest: socket.socket) -> None:
    """Take in what still comes, for a moment: a socket closed over it would tear the reply down."""
    end = monotonic() + DRAIN_TIMEOUT_S
    while (left := end - monotonic()) > 0:
        guest.settimeout(left)
        if not guest.recv(64 * 1024):
            return


def _open_loopback_socket(port: int) -> socket.socket:
    """Return a socket that listens on a loopback literal, at `port` or, for 0, any that is free."""
    failure: OSError | None = None
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            return _listen_on(family, host, port)
        except OSError as error:
            failure = failure or error
            if error.errno == errno.EADDRINUSE:
                break  # the other family would be another address than the registered one
    in_use = failure is not None and failure.errno == errno.EADDRINUSE
    raise ConfigError(
        f"port {port} on 127.0.0.1, at which the browser has to come back, is in use by another"
        " program"
        if in_use
        else "no port can be opened on 127.0.0.1 or ::1, at which the browser has to come back",
        fix="end that program, or set redirect_port to another port that the client is registered with"
        if in_use
        else 'sign in by grant = "device_code", which needs no port',
    )


def _listen_on(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let another program take the port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(MAX_CONNECTIONS)
        opened.settimeout(ACCEPT_POLL_S)
    except OSError:
        opened.close()
        raise
    return opened

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

from tokencli.browsing import Redirect
from tokencli.errors import ConfigError

PATH = "/callback"
MAX_HEAD = 32 * 1024
"""Bytes of a request's line and headers, at most."""
SLOWEST_S = 10.0
"""Seconds in which a request has to be complete."""
LINGER_S = 1.0
"""Seconds for which what nobody reads is still taken in."""
BREATH_S = 0.25
"""Seconds between two looks at whether the port is still wanted."""
MOST = 64
"""Connections at a time; more are closed at once."""

_HEAD = re.compile(rb"([!-~]+) ([!-~]+) HTTP/1\.[01]\r\n((?:[^\r\n]+\r\n)*)\r\n")
_HOST = re.compile(rb"(?im)^host[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r$")

_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>tokencli</title>"
    "<h1>{title}</h1><p>{text}</p></html>\n"
)
GOOD = (200, "Signed in", "You can close this page and go back to the terminal.")
FAILED = (200, "Not signed in", "The terminal says why. You can close this page.")
OVER = (410, "Too late", "This sign-in is over. You can close this page.")
IGNORED = (400, "Not expected", "This is not the page that a sign-in ends at. Nothing was changed.")
NOWHERE = (404, "Nothing here", "Nothing was changed.")
NOT_GET = (405, "Not expected", "Nothing was changed.")
TOO_LONG = (431, "Too long", "Nothing was changed.")
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
            410: "Gone", 431: "Request Header Fields Too Large"}  # fmt: skip

Page = tuple[int, str, str]
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
        accept: Callable[[str], Redirect | None],
        *,
        slowest: float = SLOWEST_S,
        by_name: bool = False,
    ) -> None:
        self._socket = _bound(port or 0)
        self._accept = accept
        self._slowest = slowest
        host, number = self._socket.getsockname()[:2]
        literal = f"[{host}]" if ":" in host else host
        self._authority = f"{'localhost' if by_name else literal}:{number}"
        self._free = BoundedSemaphore(MOST)
        self._answer: SimpleQueue[Redirect] = SimpleQueue()
        self._over = False
        self._once = Lock()
        self._closed = False
        self._doorman = Thread(target=self._admit, daemon=True)
        self._doorman.start()

    @property
    def redirect_uri(self) -> str:
        """Return the address that the authorization server has to redirect to."""
        return f"http://{self._authority}{PATH}"

    def wait(self, seconds: float) -> Redirect | None:
        """Return the redirect, or None where it has not come once the time is over."""
        try:
            return self._answer.get(timeout=seconds)
        except Empty:
            return None

    def close(self) -> None:
        """Give the port back; what is being answered is still answered."""
        self._closed = True
        with suppress(OSError):  # wakes the doorman where the system is kind
            self._socket.shutdown(socket.SHUT_RDWR)
        self._doorman.join()
        self._socket.close()

    def _admit(self) -> None:
        while not self._closed:
            try:
                guest, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:  # the guest was gone already, or there are too many files
                if not self._closed:
                    sleep(BREATH_S)
                continue
            if not self._free.acquire(blocking=False):
                guest.close()
                continue
            Thread(target=self._serve, args=(guest,), daemon=True).start()

    def _serve(self, guest: socket.socket) -> None:
        try:
            with guest, suppress(OSError):
                head = self._read(guest)
                if head is None:
                    return
                page, came = self._judge(head)
                try:
                    _reply(guest, page)
                finally:  # the page first: once the redirect is handed on, all may end at any moment
                    if came is not None:
                        self._answer.put(came)
                _drain(guest)
        finally:
            self._free.release()

    def _read(self, guest: socket.socket) -> bytes | None:
        """Return a request up to its empty line, cut where it is too long; None if it never ends."""
        end = monotonic() + self._slowest
        head = b""
        while b"\r\n\r\n" not in head and len(head) <= MAX_HEAD:
            left = end - monotonic()
            if left <= 0:
                return None
            guest.settimeout(left)
            piece = guest.recv(8192)
            if not piece:
                return None
            head += piece
        return head

    def _judge(self, head: bytes) -> tuple[Page, Redirect | None]:
        """Return the page that answers a request, and the redirect where it is the awaited one."""
        found = _HEAD.match(head)
        if found is None:
            return (TOO_LONG if len(head) > MAX_HEAD else IGNORED), None
        method, target, headers = found[1], found[2].decode("ascii"), found[3]
        if [host.decode("latin-1").lower() for host in _HOST.findall(headers)] != [self._authority]:
            return IGNORED, None  # a name that was made to point here (DNS rebinding), or none
        path, _, query = target.partition("?")
        if path != PATH:
            return NOWHERE, None
        if method != b"GET":
            return NOT_GET, None
        redirect = self._accept(query)
        if redirect is None:
            return IGNORED, None
        with self._once:
            if self._over:
                return OVER, None
            self._over = True
        return (GOOD if redirect.failure is None else FAILED), redirect


def _reply(guest: socket.socket, page: Page) -> None:
    status, title, text = page
    body = _PAGE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
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


def _drain(guest: socket.socket) -> None:
    """Take in what still comes, for a moment: a socket closed over it would tear the reply down."""
    end = monotonic() + LINGER_S
    while (left := end - monotonic()) > 0:
        guest.settimeout(left)
        if not guest.recv(64 * 1024):
            return


def _bound(port: int) -> socket.socket:
    """Return a socket that listens on a loopback literal, at `port` or, for 0, any that is free."""
    failure: OSError | None = None
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            return _listening(family, host, port)
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
        hint="end that program, or set redirect_port to another port that the client is registered with"
        if in_use
        else 'sign in by grant = "device_code", which needs no port',
    )


def _listening(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let another program take the port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(MOST)
        opened.settimeout(BREATH_S)
    except OSError:
        opened.close()
        raise
    return opened

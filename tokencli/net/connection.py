"""One exchange with a server: its progress, its limits, and what is known about it if it fails."""

import http.client
import io
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import RLock
from typing import Any, Literal, NamedTuple, TypeVar

from tokencli.fast_dataclass import dataclass
from tokencli.models import Connection, HttpReply
from tokencli.net.proxy import Proxy
from tokencli.net.request_guard import RequestTarget
from tokencli.net.tls_context import TrustConfig

T = TypeVar("T")

MAX_BODY_BYTES = 1024 * 1024
"""Limit of a body, before and after decompression."""
MAX_REPLY_BYTES = MAX_BODY_BYTES + 256 * 1024
"""Limit of a whole reply: interim replies, headers, body, chunk framing and trailers."""

ExchangeStage = Literal["connect", "proxy", "tls", "wait", "read"]
"""Name lookup and TCP, the proxy's CONNECT, the TLS handshake, waiting for the first byte, reading."""


class ReplyTooLargeError(Exception):
    """More bytes came than any token endpoint has a reason to send."""


class ExchangeCancelledError(Exception):
    """The exchange was cancelled, so nothing is sent any more."""


class Explanation(NamedTuple):
    """What is said about a failure."""

    message: str
    cause: str | None
    fix: str | None
    untrusted_issuer: str | None = None
    """See `TlsError.untrusted_issuer`."""


@dataclass(frozen=True, slots=True)
class FailureContext:
    """What is known about an exchange that failed."""

    target: RequestTarget
    connection: Connection
    trust: TrustConfig
    proxy: Proxy | None
    stage: ExchangeStage
    request_sent: bool
    """Whether the request may have reached the server."""
    elapsed_s: float
    """Wall-clock seconds since the whole exchange began, earlier attempts included."""
    remaining_s: float = 0.0
    """Wall-clock seconds until the deadline."""
    proxy_schemes: tuple[str, ...] = ()
    """How a proxy that replied with 407 wants to be authenticated to, e.g. `basic`."""
    has_client_certificate: bool = False
    idle_s: float | None = None
    """Wall-clock seconds without progress, if that is what the timeout limits."""

    @property
    def server(self) -> str:
        """Name the server, and the proxy if there is one."""
        if self.proxy is None:
            return self.target.authority
        return (
            f"{self.target.authority} (through the proxy {self.proxy.authority}, from"
            f" {self.proxy.configured_by})"
        )

    @property
    def is_connecting_directly(self) -> bool:
        """Whether no proxy was used, nor ruled out, and there is no connection yet."""
        is_external = not self.target.is_loopback and self.target.scheme == "https"
        is_undecided = self.proxy is None and self.connection.proxy is None
        return is_external and is_undecided and self.stage == "connect"

    @property
    def probe_command(self) -> str:
        """Return a command that shows whether the server can be reached at all."""
        return f"curl -v {self.target.scheme}://{self.target.authority}/"


class ExchangeProgress:
    """How far an exchange has come: written by the thread that works, read by the one that waits."""

    def __init__(self, observe: Callable[[Any], None] | None = None) -> None:
        self.stage: ExchangeStage = "connect"
        self.observe = observe
        self.request_sent = False
        self.proxy_schemes: tuple[str, ...] = ()
        """How a proxy that replied with 407 wants to be authenticated to, e.g. `basic`."""
        self._lock = RLock()  # a signal handler may cancel while this thread cancels or closes
        self._cancelled = False
        self._socket: socket.socket | None = None
        self._streams: list[io.RawIOBase] = []
        self.reply_head: HttpReply | None = None
        """The reply without its body, once its headers are complete."""
        self.body = bytearray()
        """What has come of the body."""
        self.is_reply_limited = True
        """Whether the reply may not be larger than MAX_REPLY_BYTES."""
        self.active_at = time.monotonic()
        """Monotonic seconds of the last progress."""
        self.is_waiting_for_caller = False
        """Whether the caller's function is running that supplies or takes a piece of a body."""
        self.caller_error: BaseException | None = None
        """What that function has raised, which is no failure of the exchange."""

    def record_connection(self, sock: socket.socket, stage: ExchangeStage) -> None:
        """Keep a duplicate of the socket, because TLS takes `sock` over."""
        with self._lock:
            if self._cancelled:
                raise ExchangeCancelledError
            self._socket = sock.dup()
            self.stage = stage
            self.active_at = time.monotonic()

    def record_sending(self) -> None:
        """Note that from now on the server may have the request.

        Raises:
            ExchangeCancelledError: the exchange was cancelled before.
        """
        with self._lock:
            if self._cancelled:
                raise ExchangeCancelledError
            self.request_sent = True
            self.stage = "wait"
            self.active_at = time.monotonic()

    def call_caller(self, function: Callable[..., T], *args: object) -> T:
        """Call a function of the caller that supplies or takes a piece of a body, however long it takes."""
        self.is_waiting_for_caller = True
        try:
            return function(*args)
        except BaseException as error:
            self.caller_error = error
            raise
        finally:
            self.active_at = time.monotonic()
            self.is_waiting_for_caller = False

    def raise_if_cancelled(self) -> None:
        """Raise ExchangeCancelledError if it was this side that ended the stream."""
        with self._lock:
            if self._cancelled:
                raise ExchangeCancelledError

    def cancel(self, *, unless_sent: bool = False) -> bool:
        """Shut the connection down, which ends any reading, and prevent sending.

        With `unless_sent` nothing happens if the server may have the request; the result is False.
        """
        with self._lock:
            if unless_sent and self.request_sent:
                return False
            self._cancelled = True
            if self._socket is not None:
                with suppress(OSError):  # the other side was faster
                    self._socket.shutdown(socket.SHUT_RDWR)
            return True

    def track_stream(self, stream: io.RawIOBase) -> None:
        """Remember a stream, to close it even if a library leaves that to the garbage collector."""
        self._streams.append(stream)

    def close_streams(self) -> None:
        """Close all streams; only the thread that reads them may do this."""
        for stream in self._streams:
            stream.close()

    def close(self) -> None:
        """Close the duplicate of the socket."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class _SizeLimitedStream(io.RawIOBase):
    """A raw stream that raises ReplyTooLargeError after MAX_REPLY_BYTES."""

    def __init__(self, raw: io.RawIOBase, progress: ExchangeProgress) -> None:
        self._raw = raw
        self._progress = progress
        progress.track_stream(raw)
        self._remaining_bytes = MAX_REPLY_BYTES
        self.reached_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        self.reached_end = count == 0
        if self.reached_end:
            self._progress.raise_if_cancelled()
        self._remaining_bytes -= count or 0
        if self._remaining_bytes < 0 and self._progress.is_reply_limited:
            raise ReplyTooLargeError
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


_PROXY_SCHEME_RE = rb"(?im)^Proxy-Authenticate:[ \t]*([A-Za-z-]{1,20})"


class _SizeLimitedResponse(http.client.HTTPResponse):
    """A response that counts every byte, skips interim replies and notices headers that break off.

    http.client limits the length and number of header lines, but neither interim replies nor what
    follows a chunk length such as -1. It accepts headers that break off as complete, and of the
    interim replies (RFC 9110 section 15.2) it knows only 100.
    """

    def __init__(self, progress: ExchangeProgress, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress = progress
        self._limited_stream = _SizeLimitedStream(self.fp.detach(), progress)
        self.fp: Any = io.BufferedReader(self._limited_stream)

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            status_line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if status_line[1] == 407:
                # http.client drops a proxy's headers; they are only peeked at, as later versions don't.
                self._progress.proxy_schemes = tuple(
                    match[1].decode("ascii").casefold()
                    for match in re.finditer(_PROXY_SCHEME_RE, self.fp.peek())
                )
            if not 102 <= status_line[1] <= 199:
                return status_line
            http.client.parse_headers(self.fp)

    def begin(self) -> None:
        super().begin()
        if self._limited_stream.reached_end:
            self.close()
            raise http.client.IncompleteRead(b"")


def make_tracked_connection_class(base: Any, progress: ExchangeProgress) -> Any:
    """Return a subclass of urllib3's connection class `base` that reports to `progress`."""

    class TrackedConnection(base):  # type: ignore[misc]
        response_class = staticmethod(partial(_SizeLimitedResponse, progress))
        debuglevel = 0  # http.client's global one would print headers to stdout

        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()
            try:
                progress.record_connection(sock, "proxy" if self.proxy is not None else "tls")
            except BaseException:
                sock.close()
                raise
            return sock

        def _tunnel(self) -> None:
            super()._tunnel()
            progress.stage = "tls"

        def connect(self) -> None:
            super().connect()
            # Else urllib3 warns on stderr about `insecure`; the transport has already done so.
            self.is_verified = True
            if progress.observe is not None:
                progress.observe(self.sock)

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:  # for http, urllib3 would connect only when sending
                self.connect()
            progress.record_sending()
            super().request(*args, **kwargs)

        def getresponse(self) -> Any:
            response = super().getresponse()
            progress.stage = "read"
            return response

    return TrackedConnection

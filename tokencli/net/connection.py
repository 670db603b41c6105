"""A connection that knows how far it has come, can be given up, and never reads too much."""

import http.client
import io
import socket
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Literal

MAX_BODY_BYTES = 1024 * 1024
"""Bytes that a body may have, before decompression and after it."""
MAX_REPLY_BYTES = MAX_BODY_BYTES + 256 * 1024
"""Bytes that a whole reply may have: interim replies, headers, body, chunk framing and trailers."""

ExchangeStage = Literal["connect", "proxy", "tls", "wait", "read"]
"""What is going on: name lookup and TCP, the proxy's CONNECT, the handshake, the wait for the first
byte, the reading."""


class ReplyTooLargeError(Exception):
    """More bytes came than any token endpoint has a reason to send."""


class ExchangeCancelledError(Exception):
    """Nobody waits for this exchange any more, so nothing is sent."""


class ExchangeProgress:
    """How far one exchange has come: told by the thread that works, read by the one that waits."""

    def __init__(self) -> None:
        self.stage: ExchangeStage = "connect"
        self.request_sent = False
        self._lock = Lock()
        self._cancelled = False
        self._socket: socket.socket | None = None
        self._streams: list[io.RawIOBase] = []

    def record_connection(self, sock: socket.socket, stage: ExchangeStage) -> None:
        """Remember the connection by a handle of its own, because TLS takes `sock` over."""
        with self._lock:
            if self._cancelled:
                raise ExchangeCancelledError
            self._socket = sock.dup()
            self.stage = stage

    def record_sending(self) -> None:
        """Note that from here on the server may have the request; raise GivenUp if it is too late."""
        with self._lock:
            if self._cancelled:
                raise ExchangeCancelledError
            self.request_sent = True
            self.stage = "wait"

    def raise_if_cancelled(self) -> None:
        """Take the end of the stream for the server's, unless it was cut on this side."""
        with self._lock:
            if self._cancelled:
                raise ExchangeCancelledError

    def cancel(self) -> None:
        """Cut the connection, which ends any reading, and let nothing be sent after this."""
        with self._lock:
            self._cancelled = True
            if self._socket is not None:
                with suppress(OSError):  # the other side was faster
                    self._socket.shutdown(socket.SHUT_RDWR)

    def track_stream(self, stream: io.RawIOBase) -> None:
        """Remember a stream, so that it is closed even where a library leaves it to the collector."""
        self._streams.append(stream)

    def close_streams(self) -> None:
        """Close all streams: only for the thread that reads them."""
        for stream in self._streams:
            stream.close()

    def close(self) -> None:
        """Drop the handle."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class _SizeLimitedStream(io.RawIOBase):
    """A raw stream that breaks off after MAX_WIRE bytes, whatever they are."""

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
        if self._remaining_bytes < 0:
            raise ReplyTooLargeError
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _SizeLimitedResponse(http.client.HTTPResponse):
    """A reply whose every byte is counted.

    http.client limits a header line and their number, but neither interim replies nor what follows
    a chunk length such as -1. And it takes headers that break off for whole ones.
    """

    def __init__(self, progress: ExchangeProgress, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limited_stream = _SizeLimitedStream(self.fp.detach(), progress)
        self.fp: Any = io.BufferedReader(self._limited_stream)

    def begin(self) -> None:
        super().begin()
        if self._limited_stream.reached_end:
            self.close()
            raise http.client.IncompleteRead(b"")


def make_tracked_connection_class(base: Any, progress: ExchangeProgress) -> Any:
    """Return urllib3's connection class `base`, telling `progress` what happens."""

    class Watched(base):  # type: ignore[misc]
        response_class = staticmethod(partial(_SizeLimitedResponse, progress))
        debuglevel = 0  # http.client's own would print headers to stdout

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
            # Else urllib3 warns on stderr where `insecure` is set; the transport has already.
            self.is_verified = True

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:  # for http, urllib3 would leave this to the sending
                self.connect()
            progress.record_sending()
            super().request(*args, **kwargs)

        def getresponse(self) -> Any:
            response = super().getresponse()
            progress.stage = "read"
            return response

    return Watched

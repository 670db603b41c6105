"""A server of raw sockets that runs a function on each connection, and counts."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from tests.faults.authority import CONTEXTS

STUCK_S = 20.0
"""Seconds after which a forgotten connection ends by itself."""


@dataclass(frozen=True)
class Seen:
    """One request as received."""

    head: str
    """Request line and headers."""
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@dataclass
class Counters:
    """What a server has received."""

    connections: int = 0
    requests: list[Seen] = field(default_factory=list)


class Peer:
    """The other end of one connection."""

    def __init__(self, sock: socket.socket, counters: Counters, stopped: Event) -> None:
        self.socket = sock
        self._counters = counters
        self._stopped = stopped

    def tls(self, how: str) -> None:
        """Perform a handshake with a certificate of that kind."""
        wrapped = CONTEXTS[how]().wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.socket = wrapped
        try:
            wrapped.do_handshake()
        except OSError:
            # Closing with bytes unread would send a RST, which may overtake the alert.
            self.socket = socket.socket(fileno=wrapped.detach())
            self.socket.settimeout(STUCK_S)
            self.hang()
            raise

    def read_request(self) -> Seen:
        """Read one whole request and count it; raise ConnectionError if there is none."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        seen = Seen(head.decode("latin-1"), b"")
        length = int(seen.header("content-length") or 0)
        while len(body) < length:
            body += self._more()
        seen = Seen(seen.head, body)
        self._counters.requests.append(seen)
        return seen

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the client went away")
        return data

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def drip(self, data: bytes, every: float = 0.05, size: int = 1) -> None:
        """Send a few bytes now and then while the client is connected."""
        while True:
            for start in range(0, len(data), size):
                if self._stopped.wait(every):
                    return
                self.send(data[start : start + size])

    def flood(self, data: bytes) -> None:
        """Send it repeatedly as fast as possible."""
        while not self._stopped.is_set():
            self.send(data)

    def hang(self) -> None:
        """Send nothing until the client closes."""
        with suppress(OSError):
            while self.socket.recv(65536):
                pass

    def reset(self) -> None:
        """End the connection with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Behaviour = Callable[[Peer], None]


class Server:
    """Listen on a loopback port; each connection gets a thread that runs the behaviour."""

    def __init__(self, behave: Behaviour, tls: str | None = "good") -> None:
        self.counters = Counters()
        self._behave = behave
        self._tls = tls
        self._stopped = Event()
        self._lock = Lock()
        self._peers: set[Peer] = set()
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Start accepting connections."""
        self._threads.append(Thread(target=self._accept, daemon=True))
        self._threads[0].start()

    def stop(self) -> None:
        """Close every connection and wait for all threads."""
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for peer in self._peers:
                with suppress(OSError):
                    peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(STUCK_S)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(STUCK_S)
            peer = Peer(sock, self.counters, self._stopped)
            with self._lock:
                self.counters.connections += 1
                self._peers.add(peer)
            thread = Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            if self._tls is not None:
                peer.tls(self._tls)
            self._behave(peer)
        except (OSError, ssl.SSLError):
            pass  # the client went away, or would not have it: the test sees its side of that
        finally:
            with self._lock:
                self._peers.discard(peer)
            peer.socket.close()


@contextmanager
def running(behave: Behaviour, tls: str | None = "good") -> Iterator[Server]:
    """Run a server with that behaviour during the block."""
    server = Server(behave, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()

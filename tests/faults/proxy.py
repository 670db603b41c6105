"""A proxy that records its requests and connects every CONNECT to loopback."""

import socket
from contextlib import suppress
from threading import Thread

from tests.faults.behaviours import message
from tests.faults.server import Behaviour, Peer


def tunnel(peer: Peer) -> None:
    """Accept a CONNECT to any host, and connect it to its port on this machine."""
    _connect(peer)


def tunnel_for(authorization: str) -> Behaviour:
    """Do the same for clients with this Proxy-Authorization, and require it of others."""

    def behave(peer: Peer) -> None:
        _connect(peer, authorization)

    return behave


def _connect(peer: Peer, authorization: str | None = None) -> None:
    seen = peer.read_request()
    if authorization and seen.header("proxy-authorization") != authorization:
        peer.send(message("407 Who \x1b[31m are you", b"", "Proxy-Authenticate: Basic"))
        return
    port = int(seen.head.split()[1].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as server:
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = Thread(target=_pump, args=(server, peer.socket), daemon=True)
        back.start()
        _pump(peer.socket, server)
        back.join(20)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

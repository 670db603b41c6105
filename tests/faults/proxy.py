"""A proxy that records its requests and connects every CONNECT to loopback."""

import select
import socket
import ssl

from tests.faults.behaviours import message
from tests.faults.server import STUCK_S, Behaviour, Peer


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
        _relay(peer.socket, server)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Copy bytes both ways in this one thread until either end closes.

    Two threads that read and write one TLS connection at the same time corrupt it on
    Python 3.11 and 3.12 (CPython guards it with a lock since 3.13).
    """
    other_end = {client: server, server: client}
    while True:
        # Bytes that TLS has already decrypted don't make the socket readable.
        pending = isinstance(client, ssl.SSLSocket) and client.pending()
        readable = [client] if pending else select.select([client, server], [], [], STUCK_S)[0]
        if not readable:
            return
        for source in readable:
            data = source.recv(65536)
            if not data:
                return
            other_end[source].sendall(data)

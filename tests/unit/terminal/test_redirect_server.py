"""The redirect server accepts the one expected request and is not disturbed by others."""

import errno
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from time import monotonic

import pytest

from tokencli.errors import ConfigError, RefusedError
from tokencli.models import AuthorizationResponse, Secret
from tokencli.terminal import redirect_server
from tokencli.terminal.redirect_server import LoopbackListener

CODE = AuthorizationResponse(code=Secret("canary-code-7f3a"))
REFUSED = AuthorizationResponse(error=RefusedError("no"))


def judge(query: str) -> AuthorizationResponse | None:
    """Accept a redirect as a grant would; state=right belongs to this sign-in."""
    return {"state=right&code=c": CODE, "state=right&error=e": REFUSED}.get(query)


@contextmanager
def listening(
    accept: Callable[[str], AuthorizationResponse | None] = judge, request_timeout: float = 10.0
) -> Iterator[LoopbackListener]:
    """Run a listener for the block."""
    listener = LoopbackListener(None, accept, request_timeout=request_timeout)
    try:
        yield listener
    finally:
        listener.close()


def authority(listener: LoopbackListener) -> str:
    """Return the host and port that a browser would name."""
    return listener.redirect_uri.split("/")[2]


def connect(listener: LoopbackListener) -> socket.socket:
    """Open a connection to the listener's port."""
    return socket.create_connection(("127.0.0.1", int(authority(listener).rpartition(":")[2])), 10)


def ask(
    listener: LoopbackListener, target: str, method: str = "GET", host: str | None = None
) -> tuple[str, str]:
    """Send one request as a browser does and return the reply's head and body."""
    host = f"Host: {authority(listener) if host is None else host}\r\n"
    return raw(listener, f"{method} {target} HTTP/1.1\r\n{host}Accept: */*\r\n\r\n".encode())


def raw(listener: LoopbackListener, request: bytes) -> tuple[str, str]:
    """Send these bytes and return what comes back."""
    with connect(listener) as client:
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, body


def works(listener: LoopbackListener) -> None:
    """Check that the expected redirect is still accepted."""
    head, _ = ask(listener, "/callback?state=right&code=c")
    assert head.startswith("HTTP/1.1 200 ")
    assert listener.wait_for_redirect(10) is CODE


def test_the_redirect_uri_is_a_loopback_literal_with_a_port() -> None:
    """RFC 8252 section 7.3: 127.0.0.1 with any port, not `localhost`; two listeners have two ports."""
    with listening() as one, listening() as other:
        assert one.redirect_uri.startswith("http://127.0.0.1:")
        assert one.redirect_uri.endswith("/callback")
        assert one.redirect_uri != other.redirect_uri


def test_with_localhost_only_that_host_is_accepted() -> None:
    """The port is still open only on the loopback address."""
    listener = LoopbackListener(None, judge, host="localhost")
    try:
        assert listener.redirect_uri.startswith("http://localhost:")
        host = authority(listener).replace("localhost", "127.0.0.1")
        assert ask(listener, "/callback?state=right&code=c", host=host)[0].split()[1] == "400"
        works(listener)
    finally:
        listener.close()


@pytest.mark.requirement(20)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_localhost_is_both_loopback_addresses(address: str) -> None:
    """A browser may connect to either, and both are closed afterwards."""
    listener = LoopbackListener(None, judge, host="localhost")
    port = int(authority(listener).rpartition(":")[2])
    with socket.create_connection((address, port), 10) as client:
        text = f"GET /callback?state=right&code=c HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
        client.sendall(text.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    assert listener.wait_for_redirect(10) is CODE
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), 10)


@pytest.mark.requirement(20)
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_localhost_is_not_shared_with_another_program(
    family: socket.AddressFamily, address: str
) -> None:
    """If another program listens on one of the addresses, it could receive the code."""
    with socket.socket(family) as other:
        other.bind((address, 0))
        other.listen()
        with pytest.raises(ConfigError, match="another program"):
            LoopbackListener(other.getsockname()[1], judge, host="localhost")


@pytest.mark.requirement(20)
def test_a_free_port_is_free_on_both_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is in use on ::1 is not chosen."""
    real, tried = redirect_server._listen_on, []

    def mostly_in_use(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        tried.append((host, port))
        if family == socket.AF_INET6 and len(tried) < 6:
            raise OSError(errno.EADDRINUSE, "in use")
        return real(family, host, port)

    monkeypatch.setattr(redirect_server, "_listen_on", mostly_in_use)
    listener = LoopbackListener(None, judge, host="localhost")
    listener.close()
    assert len(tried) == 6
    assert authority(listener).endswith(f":{tried[-1][1]}")


@pytest.mark.parametrize(
    ("path", "target"), [("/", "/"), ("", "/"), ("/a/b-c", "/a/b-c"), ("/callback", "/callback")]
)
def test_the_path_is_the_registered_one(path: str, target: str) -> None:
    """An empty path is requested as / (RFC 9110 section 4.2.3), and is not part of the redirect URI."""
    listener = LoopbackListener(None, judge, host="localhost", path=path)
    try:
        assert listener.redirect_uri == f"http://{authority(listener)}{path}"
        assert ask(listener, "/other?state=right&code=c")[0].split()[1] == "404"
        assert ask(listener, f"{target}?state=right&code=c")[0].split()[1] == "200"
        assert listener.wait_for_redirect(10) is CODE
    finally:
        listener.close()


def test_port_80_is_not_part_of_the_redirect_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser doesn't name the default port in its Host header either."""
    listener = LoopbackListener(None, judge)
    port = int(authority(listener).rpartition(":")[2])
    listener.close()
    monkeypatch.setattr(redirect_server, "HTTP_PORT", port)
    again = LoopbackListener(port, judge)
    again.close()
    assert again.redirect_uri == "http://127.0.0.1/callback"


NOT_AWAITED = {
    "favicon": "GET /favicon.ico HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "root": "GET /?state=right&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "longer path": "GET /callback/?state=right&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "other case": "GET /Callback?state=right&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "encoded path": "GET /%63allback?state=right&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "absolute form": "GET http://{host}/callback?state=right&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "wrong state": "GET /callback?state=wrong&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no state": "GET /callback?code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no query": "GET /callback HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "POST": "POST /callback?state=right&code=c HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n",
    "HEAD": "HEAD /callback?state=right&code=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "other host": "GET /callback?state=right&code=c HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "localhost": "GET /callback?state=right&code=c HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
    "no port": "GET /callback?state=right&code=c HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": "GET /callback?state=right&code=c HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "two hosts": "GET /callback?state=right&code=c HTTP/1.1\r\nHost: {host}\r\nHost: evil\r\n\r\n",
    "HTTP/0.9": "GET /callback?state=right&code=c\r\n\r\n",
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": "\x16\x03\x01\r\n\r\n",
    "bare newlines": "GET /callback?state=right&code=c HTTP/1.1\nHost: {host}\n\n\r\n\r\n",
}


@pytest.mark.requirement(20)
@pytest.mark.parametrize("request_text", NOT_AWAITED.values(), ids=NOT_AWAITED)
def test_other_requests_are_refused(request_text: str) -> None:
    """Other paths, methods, hosts and states get an error page; afterwards the right one works."""
    with listening() as listener:
        text = request_text.replace("{host}", authority(listener))
        head, body = raw(listener, text.encode("latin-1"))
        assert head.split(" ")[1] in ("400", "404", "405")
        assert "Nothing was changed" in body
        assert listener.wait_for_redirect(0.01) is None
        works(listener)


@pytest.mark.requirement(20)
@pytest.mark.parametrize("size", [40_000, 1_000_000])
def test_a_query_that_is_too_long_is_refused(size: int) -> None:
    """1 MB of query isn't read to its end, and the server continues to wait."""
    judged: list[str] = []

    def noting(query: str) -> AuthorizationResponse | None:
        judged.append(query)
        return judge(query)

    with listening(noting) as listener:
        with connect(listener) as client:
            try:
                client.sendall(b"GET /callback?state=right&code=" + b"c" * size)
                assert client.recv(100).startswith(b"HTTP/1.1 431 ")
            except ConnectionError:  # it was closed while we were still sending
                pass
        assert judged == []
        works(listener)


@pytest.mark.requirement(20)
def test_idle_and_slow_connections_do_not_block() -> None:
    """Empty connections and partial requests (slowloris) don't delay the right one."""
    with listening() as listener:
        idle = [connect(listener) for _ in range(20)]
        for client in idle[10:]:
            client.sendall(b"GET /callback?state=ri")
        begin = monotonic()
        works(listener)
        assert monotonic() - begin < redirect_server.REQUEST_TIMEOUT_S / 2
        for client in idle:
            client.close()


def test_a_connection_has_one_timeout() -> None:
    """Single bytes, each in time, don't keep a connection open for ever."""
    with listening(request_timeout=0.3) as listener, connect(listener) as client:
        begin = monotonic()
        with pytest.raises(ConnectionError):
            while monotonic() - begin < 20:
                client.sendall(b"x")
                client.settimeout(0.05)
                try:
                    if client.recv(1) == b"":
                        raise ConnectionResetError
                except TimeoutError:
                    continue
        works(listener)


def test_too_many_connections_are_closed() -> None:
    """A flood can't open more than the limit, and afterwards the redirect is accepted."""
    with listening(request_timeout=0.5) as listener:
        flood = [connect(listener) for _ in range(redirect_server.MAX_CONNECTIONS + 8)]
        refused = 0
        for client in flood:
            client.settimeout(10)
            refused += client.recv(1) == b""  # those with a place end at their deadline
            client.close()
        assert refused == len(flood)
        works(listener)


@pytest.mark.requirement(20)
def test_only_one_redirect_is_accepted() -> None:
    """A reload, or a second code with the right state, gets the same page and changes nothing."""
    with listening() as listener:
        works(listener)
        head, body = ask(listener, "/callback?state=right&code=c")
        assert head.startswith("HTTP/1.1 200 ")
        assert "Signed in" in body
        assert listener.wait_for_redirect(0.05) is None


def test_an_error_redirect_ends_the_wait() -> None:
    """error=… with the right state is a valid response; the page refers to the terminal."""
    with listening() as listener:
        _, body = ask(listener, "/callback?state=right&error=e")
        assert "Not signed in" in body
        assert listener.wait_for_redirect(10) is REFUSED


@pytest.mark.requirement(20)
@pytest.mark.parametrize(
    "query", ["state=right&code=c", "state=wrong&code=canary-code-7f3a<script>"]
)
def test_pages_are_static(query: str) -> None:
    """No script, image or other style, nothing is cached or sent as a referrer, nothing is echoed."""
    with listening() as listener:
        head, body = ask(listener, f"/callback?{query}")
        style = body.partition("<style>")[2].partition("</style>")[0]
        hashed = b64encode(sha256(style.encode()).digest()).decode()
        for header in (
            f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{hashed}';"
            " frame-ancestors 'none'",
            "Cache-Control: no-store",
            "Referrer-Policy: no-referrer",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ):
            assert header in head
        assert "canary" not in body
        assert "Server:" not in head


def test_the_port_is_free_after_close() -> None:
    """After close() nothing listens there, and the port can be used again at once."""
    with listening() as listener:
        port = int(authority(listener).rpartition(":")[2])
        works(listener)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 10)
    again = LoopbackListener(port, judge)
    assert again.redirect_uri == f"http://127.0.0.1:{port}/callback"
    again.close()


def test_a_port_in_use_is_a_config_error() -> None:
    """If another program uses the registered port, the fix is in the configuration."""
    with listening() as listener:
        port = int(authority(listener).rpartition(":")[2])
        with pytest.raises(ConfigError) as told:
            LoopbackListener(port, judge)
        assert str(port) in told.value.message
        assert "redirect_port" in (told.value.cause or "")


def test_ipv6_is_used_without_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8252 section 7.3: [::1] if there is no 127.0.0.1."""
    real = redirect_server._listen_on

    def no_ipv4(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        if family == socket.AF_INET:
            raise OSError(99, "Cannot assign requested address")
        return real(family, host, port)

    monkeypatch.setattr(redirect_server, "_listen_on", no_ipv4)
    with listening() as listener:
        assert listener.redirect_uri.startswith("http://[::1]:")
        port = int(authority(listener).rpartition(":")[2])
        with socket.create_connection(("::1", port), 10) as client:
            text = f"GET /callback?state=right&code=c HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n"
            client.sendall(text.encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert listener.wait_for_redirect(10) is CODE


@pytest.mark.requirement(20)
def test_it_listens_only_on_loopback() -> None:
    """It is bound only to the loopback address."""
    with listening() as listener:
        port = int(authority(listener).rpartition(":")[2])
        with pytest.raises(OSError, match=r"refused|unreachable|assign"):
            socket.create_connection(("127.0.0.2", port), 10)

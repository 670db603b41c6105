"""What the transport sends, what it returns, and what it refuses to send."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Peer, Server, running
from tokencli import __version__
from tokencli.errors import ConfigError, DeadlineError, TokencliError
from tokencli.models import Connection, HttpReply, HttpRequest, Secret
from tokencli.net import tls_errors
from tokencli.net.request_guard import RequestTarget
from tokencli.net.transport import HttpTransport
from tokencli.system.signals import defer_signals
from tokencli.system.timeout import WORKER_THREAD_NAME

GOOD = b.says(b.message("200 OK", b.TOKEN, "X-Two: a", "X-Two: b"))
CANARY = "canary-password-7f3a"


def send(
    server: Server,
    headers: dict[str, str] | None = None,
    body: bytes = b"grant_type=client_credentials",
    *,
    query: str = "",
    said: Callable[[str], None] = lambda _: None,
    timeout: float = 10.0,
) -> HttpReply:
    """Post to `server` and return the reply."""
    request = HttpRequest("POST", f"https://127.0.0.1:{server.port}/t{query}", headers or {}, body)
    return HttpTransport({}, said, said).send(request, Connection(timeout, ca_file=str(ca_file())))


def test_the_reply_is_complete() -> None:
    """Status, body and headers are returned, with names in lower case and repeated headers joined."""
    with running(GOOD) as server:
        reply = send(server)
    assert (reply.status, reply.body) == (200, b.TOKEN)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-two"] == "a, b"


def test_only_the_request_and_necessary_headers_are_sent() -> None:
    """The request carries its own headers, four of ours and the framing, and no cookie."""
    with running(GOOD) as server:
        send(server, {"Content-Type": "application/x-www-form-urlencoded"}, query="?tenant=a%2Fb")
    (seen,) = server.counters.requests
    lines = seen.head.split("\r\n")
    assert lines[0] == "POST /t?tenant=a%2Fb HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept-Encoding: identity",
        "Accept: application/json",
        "Connection: close",
        "Content-Length: 29",
        "Content-Type: application/x-www-form-urlencoded",
        f"Host: 127.0.0.1:{server.port}",
        f"User-Agent: tokencli/{__version__}",
    ]
    assert seen.body == b"grant_type=client_credentials"


def test_a_request_header_replaces_the_default() -> None:
    """The provider's Accept replaces the default in any case; an empty body has a Content-Length."""
    with running(GOOD) as server:
        send(server, {"accept": "application/jwt"}, b"")
    (seen,) = server.counters.requests
    assert seen.head.lower().count("accept:") == 1
    assert seen.header("accept") == "application/jwt"
    assert seen.header("content-length") == "0"


def test_http_works_with_loopback() -> None:
    """http is allowed with loopback addresses, for the sandbox and tests."""
    with running(GOOD, tls=None) as server:
        reply = HttpTransport({}, print, lambda _: None).send(
            HttpRequest("POST", f"http://127.0.0.1:{server.port}/t", {}), Connection()
        )
    assert reply.status == 200


@pytest.mark.requirement(10)
@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/token",
        "http://localhost/token",
        "http://127.0.0.1.idp.example/token",
        "http://127.1/token",
        "http://2130706433/token",
        "http://[::ffff:10.0.0.1]/token",
        f"https://user:{CANARY}@idp.example/token",
        r"https://idp.example\@evil.example/token",
        "https://idp.example/token#fragment",
        "https://idp.example/to\nken",
        "https://idp.example:99999/token",
        "https:///token",
        "ftp://idp.example/token",
        "file:///etc/passwd",
        "",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """Only https URLs, and http to loopback addresses, are used; the URL isn't quoted."""
    with pytest.raises(ConfigError) as caught:
        HttpTransport({}, print, print).send(HttpRequest("POST", url, {}), Connection())
    assert "nothing was sent" in caught.value.message
    assert caught.value.fix
    assert CANARY not in caught.value.message + caught.value.fix


@pytest.mark.requirement(26)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Key", f"{CANARY}\r\nHost: evil.example"),
        ("X-Key", f"{CANARY}\n"),
        ("X-Key", f"{CANARY}\x00"),
        ("X-Key", f"{CANARY}\x1b[0m"),
        ("X-Key", f"{CANARY}\x0b"),
        ("X-Key", f"{CANARY}\x7f"),
        ("X-Key", f"{CANARY}é"),
        ("X-Key", f"{CANARY}€"),
        ("X-Key", f"{CANARY} "),
        ("X-Key", f"\t{CANARY}"),
        ("X Key", CANARY),
        ("X-Key:", CANARY),
        ("", CANARY),
        ("X-Kéy", CANARY),
        ("Host", CANARY),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Proxy-Authorization", CANARY),
    ],
)
def test_invalid_headers_are_refused(name: str, value: str) -> None:
    """Names must be tokens, values visible ASCII, and framing headers are refused; no value is quoted."""
    with running(GOOD) as server, pytest.raises(ConfigError) as caught:
        send(server, {name: value})
    assert server.counters.connections == 0
    assert CANARY not in f"{caught.value.message} {caught.value.fix}"


@pytest.mark.requirement(15)
def test_details_show_no_header_values() -> None:
    """Details show host, path, status, time and header names, but no query and no value."""
    said: list[str] = []
    with running(GOOD) as server:
        send(server, {"Authorization": f"Bearer {CANARY}"}, query=f"?k={CANARY}", said=said.append)
        host = f"127.0.0.1:{server.port}"
    text = "\n".join(said)
    assert f"POST https://{host}/t directly" in text
    assert "Authorization" in text
    assert "HTTP 200" in text
    assert " ms" in text
    assert "x-two" in text
    assert CANARY not in text


@pytest.mark.requirement(15)
def test_libraries_log_nothing_about_requests(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """At DEBUG, with a header that urllib3 warns about, there is no record and no output."""
    caplog.set_level(logging.DEBUG)
    bad = b.says(b.HEAD + b"Content-Length: 2\r\nno colon here\r\n\r\n{}")
    with running(bad) as server:
        send(server, query=f"?k={CANARY}")
    assert not [record for record in caplog.records if record.name.startswith("urllib3")]
    assert capfd.readouterr() == ("", "")


@pytest.mark.requirement(7)
def test_netrc_and_environment_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries for the host and the default entry don't change Authorization."""
    for entry in ("machine 127.0.0.1", "default"):
        netrc = tmp_path / ".netrc"
        netrc.write_text(f"{entry} login canary-login password canary-netrc\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        for variable in (None, str(netrc)):
            if variable:
                monkeypatch.setenv("NETRC", variable)
            for headers in ({}, {"Authorization": "Bearer a"}, {"Authorization": "Basic YTpi"}):
                with running(GOOD) as server:
                    send(server, headers)
                (seen,) = server.counters.requests
                assert headers.get("Authorization") == seen.header("authorization")


def test_cookies_are_not_kept() -> None:
    """A cookie of one reply isn't sent with the next request."""
    with running(b.says(b.message("200 OK", b.TOKEN, "Set-Cookie: a=b"))) as server:
        for _ in range(2):
            send(server)
    assert [seen.header("cookie") for seen in server.counters.requests] == [None, None]


@pytest.mark.requirement(8)
def test_a_timed_out_exchange_sends_nothing_later() -> None:
    """If a name lookup ends after the deadline, nothing is sent."""
    from tests.faults.child.fault_resolver import resolving

    release = threading.Event()
    with running(GOOD) as server, resolving("loopback"):
        import socket

        answer = socket.getaddrinfo

        def late(*args: object, **kwargs: object) -> object:
            release.wait(20)
            return answer(*args, **kwargs)  # type: ignore[arg-type]

        socket.getaddrinfo = late  # type: ignore[assignment]
        with pytest.raises(DeadlineError) as caught:
            HttpTransport({}, print, lambda _: None).send(
                HttpRequest("POST", f"https://idp.example:{server.port}/t", {}),
                Connection(0.2, ca_file=str(ca_file())),
            )
        assert not caught.value.request_sent
        workers = [thread for thread in threading.enumerate() if thread.name == WORKER_THREAD_NAME]
        release.set()
        for worker in workers:
            worker.join(20)
            assert not worker.is_alive()
    assert server.counters.requests == []


@pytest.mark.requirement(8)
def test_a_dripping_server_leaves_no_thread_behind() -> None:
    """At the deadline the connection is shut down, which ends the reading thread."""
    with running(b.drips(b.LONG, b" ", 0.01)) as server, suppress(DeadlineError):
        send(server, timeout=0.3)
    started = time.monotonic()
    for thread in threading.enumerate():
        if thread.name == WORKER_THREAD_NAME:
            thread.join(5)
    assert time.monotonic() - started < 5


INTERRUPTED = """
import sys
from tokencli.net.transport import HttpTransport
from tokencli.models import Connection, HttpRequest
try:
    HttpTransport({}, print, lambda _: None).send(HttpRequest("POST", sys.argv[1], {}), Connection(600))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_the_wait_at_once() -> None:
    """Ctrl-C during a silent exchange ends it and shuts the connection down."""
    asked, cut = threading.Event(), threading.Event()

    def behave(peer: Peer) -> None:
        peer.read_request()
        asked.set()
        peer.hang()
        cut.set()

    with running(behave, tls=None) as server:
        url = f"http://127.0.0.1:{server.port}/t"
        command = [sys.executable, "-c", INTERRUPTED, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert asked.wait(20)
            child.send_signal(signal.SIGINT)
            assert child.communicate(timeout=20) == ("interrupted\n", None)
        assert cut.wait(20)


def test_an_invalid_host_name_is_a_config_error() -> None:
    """A label that is too long is a configuration error and not a network failure."""
    url = f"https://{'a' * 64}.example/token"
    with pytest.raises(ConfigError):
        HttpTransport({}, print, lambda _: None).send(HttpRequest("POST", url, {}), Connection())


@pytest.mark.requirement(6)
def test_an_echoed_secret_in_a_redirect_is_masked() -> None:
    """The target's host and path are shown up to a limit, but no secret in them."""
    location = f"Location: https://idp.example/{CANARY}/{'x' * 5000}"
    with running(b.says(b.message("302 Found", b"", location))) as server:
        request = HttpRequest(
            "POST", f"https://127.0.0.1:{server.port}/t", {}, b"", (Secret(CANARY),)
        )
        with pytest.raises(TokencliError) as caught:
            HttpTransport({}, print, lambda _: None).send(
                request, Connection(ca_file=str(ca_file()))
            )
    assert "https://idp.example/" in caught.value.message
    assert CANARY not in caught.value.message
    assert len(caught.value.message) < 400


MEASURE = """
import resource, sys
from tokencli.net.transport import HttpTransport
from tokencli.errors import ReplyError
from tokencli.models import Connection, HttpRequest
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def send(url):
    try:
        reply = HttpTransport({}, print, lambda _: None).send(HttpRequest("POST", url, {}), Connection(10, ca_file=sys.argv[3]))
    except ReplyError:
        return True
    return isinstance(reply.defect, ReplyError)
send(sys.argv[1])
before = peak()
assert send(sys.argv[2])
print(peak() - before)
"""


@pytest.mark.requirement(23)
@pytest.mark.parametrize(
    "behave",
    [
        b.says(b.packed(b.bomb(), "gzip")),
        b.says(b.packed(b.bomb(twice=True), "gzip, gzip")),
        b.floods(b.HEAD + b"\r\n", b" " * 65536),
        b.floods(b.CHUNKED + b"-1\r\n", b" " * 65536),
        b.floods(b.CHUNKED, b"0" * 65536),
    ],
    ids=["gzip", "gzip twice", "endless body", "chunk of -1", "endless chunk length"],
)
def test_a_decompression_bomb_uses_little_memory(behave: Callable[[object], None]) -> None:
    """The peak memory is less than 20 MB above that for a normal reply."""
    with running(GOOD) as good, running(behave) as bad:
        urls = [f"https://127.0.0.1:{server.port}/t" for server in (good, bad)]
        child = subprocess.run(
            [sys.executable, "-c", MEASURE, *urls, str(ca_file())],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        )
    assert int(child.stdout) < 20_000_000


def test_truststore_is_imported_only_if_needed() -> None:
    """With a CA file, no trust store is imported, nor anything slow that requests doesn't import itself.

    requests imports PySocks if it is installed, as it is beside HTTPie.
    """
    code = (
        "import sys, requests; of_requests = set(sys.modules)\n"
        "from tokencli.net.transport import HttpTransport\n"
        "from tokencli.net.tls_context import TrustConfig, build_tls_context\n"
        "from pathlib import Path; from tokencli.models import Connection\n"
        f"build_tls_context(TrustConfig((('ca_file', Path({str(ca_file())!r})),)))\n"
        "loaded = set(sys.modules) - of_requests\n"
        "assert not {'truststore', 'keyring', 'rich', 'pydantic', 'typer', 'socks'} & loaded\n"
        "build_tls_context(TrustConfig()); assert 'truststore' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_signal_ends_the_look_at_the_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a refused certificate, a server may accept another connection and stay silent."""
    monkeypatch.setattr(tls_errors, "CERTIFICATES_TIMEOUT_S", 60.0)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = RequestTarget("https", "127.0.0.1", silent.getsockname()[1], "/")
        kill = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt), defer_signals(lambda _: None, "", keep_reply=False):
            kill.start()
            assert tls_errors.fetch_peer_certificates(target, 60.0) == []
    assert time.monotonic() - began < 30

"""`tokencli proxy` between real clients and real servers, while tokens expire."""

import asyncio
import hashlib
import json
import os
import pty
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import aiohttp
import pytest
import requests
import trustme
import websockets

from tests.conftest import Run, script
from tests.e2e.consumers.expiries import EXPIRIES, until_expired
from tests.e2e.consumers.streaming_api import CHUNK, EVENTS, StreamingApi
from tests.e2e.test_why_gateways import find_port, find_program, started
from tests.faults.proxy import tunnel_for
from tests.faults.server import Peer
from tests.faults.server import running as running_server
from tests.servers.configured import Configure
from tests.unit.api.servers import USES, Api, apis, shown_token, write_profile
from tokencli.sandbox.server import Sandbox

__all__ = ["apis"]

pytestmark = pytest.mark.long

MIB = 1024 * 1024
MEMORY_LIMIT_KIB = 40 * 1024
"""What a proxy may need more after 200 MiB went through it."""


class Proxy:
    """A proxy that is running."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, log: Path) -> None:
        self.process, self.url, self._log = process, url, log

    @property
    def log(self) -> str:
        """What it has printed to stderr so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def secret(self) -> str:
        """Return the secret in the base URL."""
        return urlsplit(self.url).path.strip("/")

    @property
    def address(self) -> tuple[str, int]:
        """Return the address that it listens on."""
        parts = urlsplit(self.url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port

    def exchange(self, head: str) -> str:
        """Send raw bytes, and return the whole reply."""
        with socket.create_connection(self.address, 20) as connection:
            connection.sendall(head.encode("latin-1"))
            reply = b""
            while chunk := connection.recv(65536):
                reply += chunk
        return reply.decode("latin-1")

    def memory_kib(self) -> int:
        """Return the largest resident size so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


@contextmanager
def proxy(profile: str, to: str | None = None, *args: str, **env: str) -> Iterator[Proxy]:
    """Run `tokencli proxy` until the end of the block, and require that it ends well."""
    log = Path(os.environ["HOME"]) / f"proxy-{time.monotonic_ns()}.log"
    with log.open("w") as err:
        process = subprocess.Popen(
            [script(), "proxy", profile, *(("--to", to) if to else ()), *args],
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, log.read_text()
        running = Proxy(process, url, log)
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, running.log
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def proxied(
    sandbox: Sandbox, *args: str, profile: str = "oauth2"
) -> Iterator[tuple[StreamingApi, Proxy]]:
    """Run an API that accepts the sandbox's tokens, and a proxy to it."""

    def accepts(token: str) -> bool:
        return not isinstance(sandbox.database.check_access_token(token, "oauth2"), str)

    with StreamingApi(accepts) as api, proxy(profile, api.url, *args) as running:
        yield api, running


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose tokens don't expire soon, and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Provide a client that keeps connections."""
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def curl(*args: str, stdin: bytes | None = None) -> bytes:
    """Run curl, and require that it succeeds."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", *args], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def count_token_requests(sandbox: Sandbox) -> int:
    """Return how often a token was requested."""
    return len([each for each in sandbox.requests if each.kind == "token"])


@pytest.mark.parametrize("client", ["requests", "curl", "aiohttp"])
def test_tokens_expire_during_a_job(
    short_lived: Sandbox, session: requests.Session, client: str
) -> None:
    """None of the requests fails, whatever the client, with and without a body."""

    async def fetch(url: str, body: bytes | None) -> bytes:
        async with (
            aiohttp.ClientSession() as opened,
            opened.request("POST" if body else "GET", url, data=body) as reply,
        ):
            assert reply.status == 200
            return await reply.read()

    with proxied(short_lived) as (_, running):
        url = f"{running.url}/echo"
        for number in until_expired(short_lived):
            body = b"made-up body" if number % 2 else None
            if client == "requests":
                text = session.request("POST" if body else "GET", url, data=body).content
            elif client == "curl":
                text = curl("-f", url, *(("--data-binary", "@-") if body else ()), stdin=body)
            else:
                text = asyncio.run(fetch(url, body))
            assert json.loads(text)["size"] == len(body or b"")


def test_a_thousand_requests_across_two_expiries(sandbox: Sandbox) -> None:
    """With 50 at once there is no failure, and each expiry costs one token request."""
    sandbox.set_faults(lifetime="3s")
    with proxied(sandbox) as (_, running):
        before = count_token_requests(sandbox)
        assert before == 1
        failures: list[int] = []
        sent = 0

        async def work(opened: aiohttp.ClientSession, number: int) -> None:
            async with opened.post(f"{running.url}/echo", data=b"x" * number) as reply:
                if reply.status != 200 or (await reply.json())["size"] != number:
                    failures.append(reply.status)

        async def run() -> None:
            nonlocal sent
            connector = aiohttp.TCPConnector(limit=50)
            async with aiohttp.ClientSession(connector=connector) as opened:
                while sent < 1000 or len(sandbox.issued_tokens) < 3:
                    await asyncio.gather(*(work(opened, sent + i) for i in range(50)))
                    sent += 50
                    if len(sandbox.issued_tokens) == 2:
                        sandbox.set_faults()  # the third token lasts until the end, however slow
                    # A slow pace, so that both expiries are among the 1000 requests.
                    await asyncio.sleep(0.3 if len(sandbox.issued_tokens) < 3 else 0)

        asyncio.run(run())
        requested = count_token_requests(sandbox) - before
    assert failures == []
    assert sent >= 1000
    assert requested == 2


def test_refused_token_is_replaced_once(sandbox: Sandbox, session: requests.Session) -> None:
    """However many requests are refused at once, there is one token request, and all succeed."""
    with proxied(sandbox) as (api, running):
        first = session.get(f"{running.url}/echo").json()
        token = dict(first["headers"])["Authorization"].removeprefix("Bearer ")
        api.accepts = lambda given: given != token
        before = count_token_requests(sandbox)
        with ThreadPoolExecutor(20) as pool:
            replies = list(
                pool.map(lambda n: requests.post(f"{running.url}/echo", data=b"x" * n), range(20))
            )
        assert [reply.status_code for reply in replies] == [200] * 20
        assert [reply.json()["size"] for reply in replies] == list(range(20))
        assert count_token_requests(sandbox) == before + 1


def test_api_that_refuses_every_token(sandbox: Sandbox, session: requests.Session) -> None:
    """The 401 is passed on, and no more than one token is requested for it."""
    with proxied(sandbox) as (api, running):
        api.accepts = lambda _: False
        before = count_token_requests(sandbox)
        for _ in range(5):
            reply = session.get(f"{running.url}/echo")
            assert (reply.status_code, reply.text) == (401, "refused")
            assert "expired" in reply.headers["WWW-Authenticate"]
        assert count_token_requests(sandbox) == before + 1


def test_large_body_is_not_sent_again(sandbox: Sandbox, session: requests.Session) -> None:
    """The client gets the 401 of a body that isn't kept, and the next request the new token."""
    with proxied(sandbox) as (api, running):
        session.get(f"{running.url}/echo")
        used = api.requests[-1].headers["Authorization"].removeprefix("Bearer ")
        api.accepts, api.reads_before_refusing = (lambda given: given != used), True
        body = (CHUNK for _ in range(64))
        assert session.put(f"{running.url}/echo", data=body).status_code == 401
        assert session.get(f"{running.url}/echo").status_code == 200
        assert [each.method for each in api.requests] == ["GET", "PUT", "GET"]


@pytest.mark.parametrize(("chunks", "read_bytes", "status"), [(4, 1, 200), (64, MIB + 1, 502)])
def test_connection_that_the_api_closes(
    sandbox: Sandbox, session: requests.Session, chunks: int, read_bytes: int, status: int
) -> None:
    """A body is sent again whole or not at all, also if a part of it has been read from the client."""
    with proxied(sandbox) as (api, running):
        api.bytes_before_dropping = read_bytes
        url = f"{running.url}/drops_once"
        reply = session.put(url, data=(CHUNK for _ in range(chunks)))
        assert reply.status_code == status
        if status == 200:
            assert reply.json()["size"] == chunks * len(CHUNK)
        api.has_dropped, api.bytes_before_dropping = False, 1
        assert session.post(url, data=b"not idempotent").status_code == 502
        assert [each.method for each in api.requests[-2:]] == ["PUT", "POST"]


def test_cookies_and_next_pages(sandbox: Sandbox, session: requests.Session) -> None:
    """A client that keeps cookies and follows Link headers stays with the proxy."""
    with proxied(sandbox) as (_, running):
        first = session.get(f"{running.url}/session")
        assert len(session.cookies) == 3
        assert len(session.get(f"{running.url}/session").json()) == 3
        jar = str(Path(os.environ["HOME"]) / "jar")
        for _ in range(2):
            kept = curl("-f", "-b", jar, "-c", jar, f"{running.url}/session")
        assert len(json.loads(kept)) == 3
        assert first.links["x"]["url"] == "https://other.example.com/"
        assert session.get(first.links["next"]["url"]).json()["target"] == "/v1/echo?page=2"


def test_refused_before_a_large_body_is_sent(sandbox: Sandbox) -> None:
    """A client that waits for 100 Continue has sent nothing yet, so any body can be sent after all."""
    with proxied(sandbox) as (api, running):
        curl("-f", f"{running.url}/echo")
        used = api.requests[-1].headers["Authorization"].removeprefix("Bearer ")
        api.accepts = lambda given: given != used
        body = os.urandom(5 * MIB)
        # The API's own server asks for the body before it is refused.
        text = curl("-f", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-T", "-",
                    f"{running.url}/echo", stdin=body)  # fmt: skip
        assert json.loads(text)["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("use", USES)
def test_token_is_used_as_the_provider_defines(
    configure: Configure,
    apis: tuple[Api, Api],
    use: str,
    monkeypatch: pytest.MonkeyPatch,
    session: requests.Session,
) -> None:
    """It is in the provider's header or parameter, instead of what the client sends there."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")
    api, _ = apis
    write_profile(configure, api, use)
    api.locations["/orders"] = (302, f"{api.url}/next?QUERY")
    own = {"Authorization": "Bearer client", "X-Auth-Token": "client"}
    with proxy("p", api.url) as running:
        reply = session.get(
            f"{running.url}/orders?a=1&session=client", headers=own, allow_redirects=False
        )
        api.refused, api.challenge = (1,), 'Bearer error="invalid_token"'
        renewed = session.post(f"{running.url}/orders", data=b"body", allow_redirects=False)
    assert (reply.status_code, renewed.status_code) == (302, 302)
    sent, _, again = api.received
    assert shown_token(use) in sent and shown_token(use, 2) in again
    assert api.bodies == [b"", b"body", b"body"]
    assert ("session=client" in sent) == (use != "session")
    assert f"{use}: client" not in sent
    assert reply.headers["Location"].startswith(f"{running.url}/next?a=1")
    assert unquote(shown_token(use)) not in unquote(reply.headers["Location"])


def test_bound_tokens_get_a_proof_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has its own DPoP proof, with the nonce that the API requires."""
    with Sandbox(scenario="nothing_wrong:dpop") as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        url = running.variables["SANDBOX_API"]
        with proxy(running.variables["SANDBOX_PROFILE"], url) as opened:
            for _ in range(3):
                assert "orders" in json.loads(curl("-f", opened.url))


def test_nonce_of_the_api(sandbox: Sandbox, session: requests.Session) -> None:
    """A request without the API's nonce is sent again with it, also one with a body."""
    with proxied(sandbox, profile="dpop-demo") as (api, running):
        api.nonce = "made-up-nonce"
        assert session.post(f"{running.url}/echo", data=b"body").json()["size"] == 4
        assert session.get(f"{running.url}/echo").status_code == 200
        assert api.refused == 1
        assert count_token_requests(sandbox) == 1


def test_secret_is_in_no_log_and_no_command_line(sandbox: Sandbox) -> None:
    """Neither does the API see it, nor is the token or a query in the log of `-v`."""
    with proxied(sandbox, "-v") as (api, running):
        headers = {
            "Referer": f"{running.url}/page?x",
            "Destination": f"{running.url}/new",
            "X-Own": f"see {running.url}",
            "X-Tokencli-Secret": running.secret,
        }
        arrived = requests.get(f"{running.url}/echo?canary=1", headers=headers).json()
        command = Path(f"/proc/{running.process.pid}/cmdline").read_text()
    log = running.log
    assert running.secret not in json.dumps(arrived) + command + log
    sent = dict(arrived["headers"])
    assert (sent["Referer"], sent["Destination"]) == (f"{api.url}/page?x", f"{api.url}/new")
    assert "GET /echo 200" in log
    assert "canary" not in log
    assert sent["Authorization"].removeprefix("Bearer ") not in log


def test_ways_to_present_the_secret(sandbox: Sandbox, session: requests.Session) -> None:
    """It is the first path segment or a header; without it, nothing reaches the API."""
    with proxied(sandbox) as (api, running):
        base = running.url.rpartition("/")[0]
        assert session.get(f"{base}/echo").status_code == 403
        assert session.get(f"{base}/wrong/echo").status_code == 403
        header = {"X-Tokencli-Secret": running.secret}
        assert session.get(f"{base}/echo", headers=header).json()["target"] == "/v1/echo"
        assert len(api.requests) == 1
    with proxied(sandbox, "--no-secret") as (_, running):
        assert running.secret == ""
        assert session.get(f"{running.url}/echo").status_code == 200
        foreign = {"Origin": "https://evil.example.com"}
        assert session.get(f"{running.url}/echo", headers=foreign).status_code == 403
        rebound = {"Host": "evil.example.com"}
        assert session.get(f"{running.url}/echo", headers=rebound).status_code == 421


def test_listens_on_loopback_only(sandbox: Sandbox) -> None:
    """127.0.0.1 and ::1 are all that it listens on, and a port in use is an error."""
    with proxied(sandbox) as (_, running):
        port = running.address[1]
        table = "".join(Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6"))
        listening = {
            line.split()[1].partition(":")[0]
            for line in table.splitlines()
            if f":{port:04X} " in line.split("  ")[0] + line[:60] and line.split()[3] == "0A"
        }
        assert "0100007F" in listening
        assert listening <= {"0100007F", "00000000000000000000000001000000"}
        busy = subprocess.run(
            [script(), "proxy", "oauth2", "--to", "https://api.example.com", "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (busy.returncode, busy.stdout) == (2, "")
    assert f"port {port} is in use" in busy.stderr


def test_unix_socket(sandbox: Sandbox, tmp_path: Path) -> None:
    """Only its owner can connect; a stale one is replaced, and anything else is left alone."""
    path = tmp_path / "api.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with proxied(sandbox, "--socket", str(path)) as (_, running):
        assert unquote(running.url) == f"http+unix://{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        arrived = json.loads(curl("-f", "--unix-socket", str(path), "http://localhost/echo"))
        assert arrived["target"] == "/v1/echo"
        second = refused_socket(path)
        assert "another process listens" in second
    assert not path.exists()
    path.write_text("precious")
    assert f"{path} exists and is not a socket\ntokencli: fix: mv " in refused_socket(path)
    assert path.read_text() == "precious"
    for other in (tmp_path, Path(os.devnull)):
        assert refused_socket(other) == f"tokencli: error: {other} exists and is not a socket\n"
    missing = tmp_path / "no such" / "socket"
    assert f"fix: mkdir -p -m 700 '{missing.parent}'\n" in refused_socket(missing)


def refused_socket(path: Path) -> str:
    """Return why a proxy can't listen there."""
    done = subprocess.run(
        [script(), "proxy", "oauth2", "--to", "https://api.example.com", "--socket", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize(
    "target",
    ["/SECRET/../x", "/SECRET/%2e%2e/x", "http://evil.example.com/SECRET/echo", "*", "//SECRET/x"],
)
def test_nothing_but_the_api_is_reachable(sandbox: Sandbox, target: str) -> None:
    """A request that would leave the API's prefix or server doesn't reach any server."""
    with proxied(sandbox) as (api, running):
        target = target.replace("SECRET", running.secret)
        host = f"127.0.0.1:{running.address[1]}"
        reply = running.exchange(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        assert reply.split()[1] in ("400", "403")
        assert api.requests == []


@pytest.mark.parametrize(
    "rest",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "X-Bad : 1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_ambiguous_requests_are_refused(sandbox: Sandbox, rest: str) -> None:
    """What two servers could read differently is not forwarded."""
    with proxied(sandbox) as (api, running):
        host = f"127.0.0.1:{running.address[1]}"
        reply = running.exchange(f"POST /{running.secret}/echo HTTP/1.1\r\nHost: {host}\r\n{rest}")
        assert reply.split()[1] == "400"
        assert [each.headers.get("Content-Length") for each in api.requests] in ([], [None])


def test_http_semantics_are_kept(sandbox: Sandbox, session: requests.Session) -> None:
    """Status lines, repeated headers, HEAD, compressed bodies and missing headers arrive as they are."""
    with proxied(sandbox) as (_, running):
        odd = session.get(f"{running.url}/odd")
        assert (odd.status_code, odd.reason) == (299, "Quite Fine")
        cookies = odd.raw.headers.getlist("Set-Cookie")
        assert cookies == [f"a=1; Path=/{running.secret}", "b=2; Domain=example.com"]
        assert "X-Hop" not in odd.headers
        head = session.head(f"{running.url}/odd")
        assert head.status_code == 299
        assert head.headers["Content-Length"] == "1"
        zipped = session.get(f"{running.url}/gzip", stream=True)
        assert zipped.raw.read(2, decode_content=False) == b"\x1f\x8b"
        encoded = {
            "Content-Encoding": "gzip",
            "Connection": "X-Mine",
            "X-Mine": "1",
            "TE": "trailers",
        }
        sent = session.post(f"{running.url}/echo", data=b"not gzip", headers=encoded).json()
        assert sent["size"] == 8
        names = {name.lower() for name, _ in sent["headers"]}
        assert "content-encoding" in names
        assert not names & {"x-mine", "te", "x-tokencli-secret"}
        bare = curl("-f", "-H", "User-Agent:", "-H", "Accept:", f"{running.url}/echo")
        assert {name for name, _ in json.loads(bare)["headers"]} == {"Host", "Authorization"}
        patched = session.request("PATCH", f"{running.url}/echo", data=iter([b"a", b"b"])).json()
        assert (patched["method"], patched["size"]) == ("PATCH", 2)
        assert dict(patched["headers"])["Transfer-Encoding"] == "chunked"


def test_redirects_stay_in_the_proxy(sandbox: Sandbox, session: requests.Session) -> None:
    """The client follows them itself, and to other servers without the token."""
    with proxied(sandbox) as (api, running):
        url = f"{running.url}/redirect?to="
        assert session.get(f"{url}{api.url}/echo").json()["target"] == "/v1/echo"
        assert session.get(f"{url}/v1/echo").url == f"{running.url}/echo"
        away = session.get(f"{url}https://other.example.com/", allow_redirects=False)
        assert away.headers["Location"] == "https://other.example.com/"


def test_large_bodies_need_no_memory(sandbox: Sandbox) -> None:
    """200 MiB in either direction, also to a side that is slow, stay out of the proxy's memory."""
    chunks = 200 * MIB // len(CHUNK)
    with proxied(sandbox) as (api, running):
        session = requests.Session()
        session.get(f"{running.url}/echo")
        before = running.memory_kib()
        reply = session.get(f"{running.url}/big?chunks={chunks}", stream=True)
        time.sleep(1)  # while nothing is read, the API can't send much
        assert api.sent_bytes < 20 * MIB
        received = sum(map(len, reply.iter_content(MIB)))
        assert received == 200 * MIB
        sent = 0

        def body() -> Iterator[bytes]:
            nonlocal sent
            for _ in range(chunks):
                sent += len(CHUNK)
                yield CHUNK

        with ThreadPoolExecutor(1) as pool:
            upload = pool.submit(session.post, f"{running.url}/slow_sink", data=body())
            time.sleep(1)
            held_back = sent
            api.may_read.set()
            assert upload.result().json()["size"] == 200 * MIB
        assert held_back < 20 * MIB
        assert running.memory_kib() - before < MEMORY_LIMIT_KIB


def test_server_sent_events_arrive_at_once(sandbox: Sandbox) -> None:
    """Each one is there before the next is sent, and the headers before the first."""
    with proxied(sandbox) as (api, running):
        reply = requests.get(f"{running.url}/events", stream=True, timeout=20)
        lines = reply.iter_lines()
        for event in EVENTS:
            api.next_event.set()
            assert next(lines).decode() == f"data: {event}"
            assert next(lines) == b""


def test_websocket(short_lived: Sandbox) -> None:
    """Messages of every size pass in both directions, with the subprotocol and the code of the end.

    Each handshake has a token that is fresh at that moment.
    """

    async def talk(url: str) -> None:
        async with websockets.connect(
            url, subprotocols=[websockets.Subprotocol("made-up")], max_size=None, proxy=None
        ) as opened:
            assert opened.subprotocol == "made-up"
            for message in ("hello", "x" * MIB, b"\0" * MIB):
                await opened.send(message)
                assert await opened.recv() == message
            await opened.send(iter(["in ", "frag", "ments"]))
            assert await opened.recv() == "in fragments"
            await opened.ping()
            await opened.send("bye")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await opened.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "see you")

    with proxied(short_lived) as (_, running):
        for _ in until_expired(short_lived):
            asyncio.run(talk(running.url.replace("http:", "ws:") + "/ws"))


def test_websocket_refused(sandbox: Sandbox) -> None:
    """A handshake that the API refuses is answered with the API's reply."""
    with proxied(sandbox) as (api, running):
        api.accepts = lambda _: False
        url = running.url.replace("http:", "ws:") + "/ws"

        async def connect() -> None:
            async with websockets.connect(url, proxy=None):
                pass

        with pytest.raises(websockets.InvalidStatus) as refused:
            asyncio.run(connect())
        assert refused.value.response.status_code == 401
        assert refused.value.response.body == b"refused"


@pytest.mark.parametrize(
    ("name", "status"), [("refuse_early", 413), ("ignores_expect", 200), ("echo", 200)]
)
def test_expect_continue(sandbox: Sandbox, name: str, status: int) -> None:
    """The API decides whether the body is sent; one that says nothing gets it after a while."""
    with proxied(sandbox) as (_, running):
        body = os.urandom(MIB)
        done = subprocess.run(
            ["curl", "-sv", "-H", "Expect: 100-continue", "--expect100-timeout", "20",
             "--max-time", "30", "-T", "-", f"{running.url}/{name}"],
            input=body, capture_output=True, check=False,
        )  # fmt: skip
        log = done.stderr.decode(errors="replace")
        assert f"HTTP/1.1 {status}" in log
        assert ("HTTP/1.1 100" in log) == (status == 200)
        if status == 200:
            assert json.loads(done.stdout)["sha256"] == hashlib.sha256(body).hexdigest()


def test_client_that_goes_away(sandbox: Sandbox) -> None:
    """Its request to the API ends as well."""
    with proxied(sandbox) as (api, running):
        with pytest.raises(requests.Timeout):
            requests.get(f"{running.url}/hang", timeout=0.5)
        assert api.cancelled.wait(30)


def test_reply_that_breaks_off(sandbox: Sandbox) -> None:
    """The client doesn't take it for complete, and the cause is on stderr."""
    with proxied(sandbox) as (_, running):
        with pytest.raises(requests.RequestException):
            _ = requests.get(f"{running.url}/broken").content
        assert "in the middle of its reply" in running.log


def test_api_that_is_down(sandbox: Sandbox, session: requests.Session) -> None:
    """The reply is a 502 with the cause; the same text is on stderr, but not once for each request."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with proxy("oauth2", f"http://127.0.0.1:{port}/v1") as running:
            for _ in range(3):
                reply = session.get(f"{running.url}/echo")
            assert reply.status_code == 502
            assert reply.headers["Content-Type"].startswith("application/problem+json")
            assert "refused the connection" in reply.json()["detail"]
            assert reply.json()["fix"] == f"curl -v http://127.0.0.1:{port}/"
            assert running.log.count("refused the connection") == 1


def test_certificate_of_the_api_is_checked(sandbox: Sandbox, session: requests.Session) -> None:
    """With the profile's CA file it is accepted, without it the reply says what is wrong."""
    with proxy("oauth2", f"{sandbox.url}/oauth2") as running:
        assert session.get(f"{running.url}/resource").json()["client"] == "batch"
    with Sandbox() as other, proxy("oauth2", f"{other.url}/oauth2") as running:
        reply = session.get(f"{running.url}/resource")
        assert reply.status_code == 502
        assert "certificate" in reply.json()["detail"]
        assert "error:" in running.log


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX-A: canary\rX-B: 1\r\n\r\n", "malformed reply"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"canary" * 20000 + b"\r\n\r\n", "Got more than 65536"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "Content-Length"),
    ],
)
def test_reply_that_is_not_understood(
    sandbox: Sandbox, session: requests.Session, head: bytes, told: str
) -> None:
    """The error says whether it is not HTTP at all or what is wrong with it, and quotes none of it."""

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(head)

    with (
        running_server(behave, tls=None) as api,
        proxy("oauth2", f"http://127.0.0.1:{api.port}") as running,
    ):
        reply = session.get(f"{running.url}/x")
        assert (reply.status_code, reply.json()["code"]) == (502, "bad_reply")
        assert told in reply.json()["detail"]
        assert "canary" not in reply.text + running.log


@pytest.mark.parametrize(("password", "status"), [("canary-password", 200), ("wrong", 502)])
def test_api_behind_another_proxy(
    sandbox: Sandbox, session: requests.Session, tmp_path: Path, password: str, status: int
) -> None:
    """HTTPS_PROXY is used with its password, which no message shows."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.example.com").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(Path(sandbox.ca_file).read_bytes() + authority.cert_pem.bytes())
    config = Path(sandbox.config_file)
    config.write_text(config.read_text().replace(sandbox.ca_file, str(bundle)))
    expected = f"Basic {b64encode(b'demo:canary-password').decode()}"
    with Api() as api, running_server(tunnel_for(expected), tls=None) as egress:
        api.socket = context.wrap_socket(api.socket, server_side=True)
        Thread(target=api.serve_forever, daemon=True).start()
        variables = {"HTTPS_PROXY": f"http://demo:{password}@127.0.0.1:{egress.port}"}
        to = f"https://api.example.com:{api.server_address[1]}"
        with proxy("oauth2", to, **variables) as running:
            reply = session.get(f"{running.url}/orders")
            log = running.log
        api.shutdown()
    assert reply.status_code == status, reply.text
    assert len(api.received) == (status == 200)
    assert password not in reply.text + log
    assert ("HTTP 407" in reply.text) == (status == 502)


def test_client_certificate_and_default_api(monkeypatch: pytest.MonkeyPatch, tokencli: Run) -> None:
    """The profile's certificate is shown to the API, and `api_url` is where it is."""
    with Sandbox(scenario="bound_token_sent_bare:certificate") as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        missing = tokencli("proxy", "mtls")
        assert (missing.code, missing.out) == (2, "")
        assert "--to is required" in missing.err
        setting = f"api_url={running.variables['SANDBOX_API']}"
        assert tokencli("profiles", "edit", "mtls", "--set", setting).code == 0
        with proxy("mtls") as opened:
            assert json.loads(curl("-f", opened.url))["subject"] == "mtls"


def test_token_server_that_is_down(sandbox: Sandbox, session: requests.Session) -> None:
    """The old token is used while it is valid, then the reply is 503; afterwards all is well again."""
    sandbox.set_faults(lifetime="8s")
    with proxied(sandbox) as (_, running):
        sandbox.set_faults(lifetime="8s", fail="500")
        replies: list[tuple[bool, int]] = []
        while not replies or replies[-1][1] == 200:
            has_failed = "HTTP 500" in running.log
            replies.append((has_failed, session.get(f"{running.url}/echo").status_code))
            time.sleep(0.1)
        assert (True, 200) in replies
        assert replies[-1] == (True, 503)
        sandbox.set_faults()
        while session.get(f"{running.url}/echo").status_code != 200:
            time.sleep(0.2)


def test_no_token_no_proxy(sandbox: Sandbox, tokencli: Run) -> None:
    """If there is no token to begin with, the command fails as `get` does and prints no URL."""
    sandbox.set_faults(fail="500")
    done = tokencli("proxy", "oauth2", "--to", "https://api.example.com")
    assert (done.code, done.out) == (5, "")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://x",
        "https://u:p@api.example.com",
        "https://x/?q",
        "http://localhost:1",
    ],
)
def test_urls_that_are_refused(sandbox: Sandbox, tokencli: Run, url: str) -> None:
    """The API must be https, without a user name and a query."""
    done = tokencli("proxy", "oauth2", "--to", url)
    assert (done.code, done.out) == (2, "")
    assert ("write 127.0.0.1" in done.err) == ("localhost" in url)
    assert "u:p" not in done.err


def test_idle_connections(sandbox: Sandbox, session: requests.Session) -> None:
    """500 clients that send nothing don't keep others from being served."""
    with proxied(sandbox) as (_, running):
        idle = [socket.create_connection(running.address) for _ in range(500)]
        try:
            assert session.get(f"{running.url}/echo").status_code == 200
        finally:
            for connection in idle:
                connection.close()


def test_does_not_forward_to_itself(sandbox: Sandbox, tokencli: Run) -> None:
    """Each request would become endless ones."""
    port = find_port()
    done = tokencli("proxy", "oauth2", "--to", f"http://127.0.0.1:{port}", "--port", str(port))
    assert (done.code, done.out) == (2, "")
    assert "can't forward to itself" in done.err


def test_ends_during_an_upload(sandbox: Sandbox) -> None:
    """What the proxy breaks off itself is not reported as a failure of the API."""
    with proxied(sandbox) as (api, running):
        with socket.create_connection(running.address, 30) as connection:
            head = (
                f"PUT /{running.secret}/slow_sink HTTP/1.1\r\nHost: localhost:{running.address[1]}"
            )
            connection.sendall(f"{head}\r\nContent-Length: 5000\r\n\r\nhalf".encode())
            while not api.requests:
                time.sleep(0.05)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(30) == 0
        assert "error" not in running.log
        api.may_read.set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_with_requests_going_on(sandbox: Sandbox, number: int) -> None:
    """It doesn't wait for a request that takes a minute, and its status is 0."""
    with proxied(sandbox) as (api, running), ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: requests.get(f"{running.url}/hang"))
        while not api.requests:
            time.sleep(0.05)
        running.process.send_signal(number)
        assert running.process.wait(30) == 0


def test_without_aiohttp(sandbox: Sandbox, tokencli: Run, tmp_path: Path) -> None:
    """The command says what is missing, and how to install it."""
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')")
    done = tokencli(
        "proxy", "oauth2", "--to", "https://x.example.com", env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.code == 3
    assert f"fix: {sys.executable} -m pip install aiohttp" in done.err


def test_command_behind_a_proxy(short_lived: Sandbox, tokencli: Run) -> None:
    """It sees a URL and no token, its requests never fail, and its exit status is passed on."""

    def accepts(token: str) -> bool:
        return not isinstance(short_lived.database.check_access_token(token, "oauth2"), str)

    loop = """
for i in 1 2 3 4 5 6 7; do curl -fsS "$TOKENCLI_PROXY_URL/echo" > /dev/null || exit 99; sleep 0.6; done
env; tr '\\0' ' ' < /proc/$PPID/cmdline; exit 42
"""
    with StreamingApi(accepts) as api:
        done = tokencli(
            *("exec", "oauth2", "--proxy", api.url, "--", "bash", "-c", loop),
            env={
                "ACCESS_TOKEN": "old",
                "ACCESS_TOKEN_EXPIRES_AT": "1",
                "HTTP_PROXY": "http://x.invalid",
            },
        )
    assert done.code == 42, done.err
    tokens = [token.token for token in short_lived.issued_tokens]
    assert len(tokens) > EXPIRIES
    assert not [token for token in tokens if token in done.out + done.err]
    variables = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    assert not {"ACCESS_TOKEN", "ACCESS_TOKEN_EXPIRES_AT"} & variables.keys()
    assert variables["NO_PROXY"] == "127.0.0.1"
    url = urlsplit(variables["TOKENCLI_PROXY_URL"])
    assert url.path.strip("/") not in done.out.splitlines()[-1]
    with socket.socket() as probe:  # the proxy has ended with the command
        assert probe.connect_ex(("127.0.0.1", url.port or 0)) != 0


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"HTTP_PROXY": "http://x.invalid", "NO_PROXY": "a.example"}, "a.example,127.0.0.1"),
        ({"ALL_PROXY": "socks5://x.invalid", "no_proxy": "b.example"}, "b.example,127.0.0.1"),
        ({"http_proxy": "http://x.invalid", "NO_PROXY": "*"}, "*"),  # not a wildcard in a list
        ({"NO_PROXY": "a.example"}, "a.example"),
        ({"HTTPS_PROXY": "http://x.invalid"}, ""),
    ],
)
def test_command_reaches_the_proxy_directly(
    sandbox: Sandbox, tokencli: Run, given: dict[str, str], seen: str
) -> None:
    """If the environment names a proxy for http, the loopback address is excluded from it."""
    command = ["exec", "oauth2", "--proxy", "https://127.0.0.1:9/", "--", "printenv", "NO_PROXY"]
    assert tokencli(*command, env=given).out.strip() == seen


def test_terminal_belongs_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is asked for at the start; later, what is typed is the command's."""
    with Sandbox(lifetime="6s", no_refresh_token=True) as sandbox:
        config = Path(sandbox.config_file)
        lines = config.read_text().splitlines(keepends=True)
        config.write_text("".join(line for line in lines if "groupid.password" not in line))
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        pid, terminal = pty.fork()
        if pid == 0:
            words = ["exec", "groupid", "--proxy", "https://127.0.0.1:9/", "--", "cat"]
            os.execv(script(), [script(), *words])
        shown = b""
        for text, typed in (
            (b"Password for", b"made-up-password-of-jdoe\r"),
            (b"password=env:GROUPID_PASSWORD\r\n", b"canary\n"),  # the last line of the message
            (b"canary\r\ncanary", b"\x04"),
        ):
            while text not in shown:
                shown += os.read(terminal, 4096)
            os.write(terminal, typed)
        with suppress(OSError):
            while os.read(terminal, 4096):
                pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"can't ask" in shown and b"prompts are turned off" in shown


def test_command_that_a_signal_ends(sandbox: Sandbox) -> None:
    """A signal to tokencli reaches the command, and the exit status says so."""
    words = ["exec", "oauth2", "--proxy", "https://api.example.com", "--", "sh", "-c"]
    with subprocess.Popen(
        [script(), *words, "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(10) == 7


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["oauth2", "corp", "--proxy", "https://x.example.com", "--", "true"], 2, "only one"),
        (["oauth2", "--proxy", "https://x.example.com"], 2, "no command"),
        (["oauth2", "--proxy", "https://x.example.com", "--force", "--", "true"], 2, "--force"),
        (["oauth2", "--proxy", "https://x.example.com", "--", "no-such-thing"], 127, "not found"),
        (["oauth2", "--proxy", "http://x.example.com", "--", "true"], 2, "https"),
    ],
)
def test_commands_that_are_not_run(
    sandbox: Sandbox, tokencli: Run, words: list[str], code: int, text: str
) -> None:
    """Each mistake has the exit code of its kind."""
    done = tokencli("exec", *words)
    assert done.code == code
    assert text in done.err


NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 128; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 1m;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/www;
    if ($http_authorization !~ "^Bearer .") {{ return 401; }}
    location /v1/upload {{ proxy_pass http://127.0.0.1:{port}/v1/small; }}
  }}
}}
"""


def test_nginx(sandbox: Sandbox, session: requests.Session, tmp_path: Path) -> None:
    """Ranges, validators, large files and refused uploads are as without the proxy."""
    files = tmp_path / "www" / "v1"
    files.mkdir(parents=True)
    (files / "small").write_text("0123456789")
    large = os.urandom(MIB) * 64
    (files / "large").write_bytes(large)
    tmp_path.chmod(0o755)
    port = find_port()
    config = tmp_path / "nginx.conf"
    config.write_text(f"user root;{NGINX.format(folder=tmp_path, port=port)}")
    url = f"http://127.0.0.1:{port}/v1"
    with (
        started([find_program("nginx"), "-c", str(config)], port),
        proxy("oauth2", url) as running,
    ):
        small = session.get(f"{running.url}/small", headers={"Range": "bytes=2-4"})
        assert (small.status_code, small.text) == (206, "234")
        assert small.headers["Content-Range"] == "bytes 2-4/10"
        again = {"If-None-Match": small.headers["ETag"]}
        assert session.get(f"{running.url}/small", headers=again).status_code == 304
        head = session.head(f"{running.url}/large")
        assert head.headers["Content-Length"] == str(len(large))
        got = session.get(f"{running.url}/large")
        assert hashlib.sha256(got.content).digest() == hashlib.sha256(large).digest()
        assert curl("-f", f"{running.url}/large") == large
        for expect in ("Expect:", "Expect: 100-continue"):
            refused = curl("-H", expect, "-o", os.devnull, "-w", "%{http_code}",
                           "--data-binary", "@-", f"{running.url}/upload", stdin=large)  # fmt: skip
            assert refused == b"413"
        assert session.get(f"{url}/small").status_code == 401

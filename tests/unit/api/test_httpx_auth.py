"""`tokencli.HttpxTokenAuth`: what TokenAuth does for requests, for httpx, in asyncio and in trio."""

import asyncio
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest

import tokencli
from tests.servers.configured import Configure
from tests.unit.api.servers import USES, Api, apis, configure, shown_token, write_profile
from tokencli.errors import ConfigError, LoginRequiredError
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

__all__ = ["apis", "configure"]

MODES = ("sync", "asyncio", "trio")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide the password of the profile `p`."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")


def authenticate(configure: Configure, api: Api, use: str) -> tokencli.HttpxTokenAuth:
    """Return the auth object of a profile whose provider uses the token like this."""
    return tokencli.HttpxTokenAuth("p", config=write_profile(configure, api, use))


def send(
    mode: str, url: str, auth: httpx.Auth, method: str = "GET", **options: Any
) -> httpx.Response:
    """Send one request with a client of its own, and follow redirects."""
    if mode == "sync":
        with httpx.Client(auth=auth, follow_redirects=True, trust_env=False) as client:
            return client.request(method, url, **options)

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(auth=auth, follow_redirects=True, trust_env=False) as client:
            return await client.request(method, url, **options)

    return anyio.run(run, backend=mode)


@pytest.mark.parametrize("system", ["groupid", "socialid", "oauth2"])
def test_requests_carry_the_token(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resource accepts a request, over TLS, with the token that `tokencli.token` returns."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        url = sandbox.url + load_system(system).resource_path
        auth = tokencli.HttpxTokenAuth(system)
        trusted = ssl.create_default_context(cafile=sandbox.ca_file)
        with httpx.Client(verify=trusted, trust_env=False) as client:
            assert client.get(url, auth=auth).status_code == 200
        assert auth._source.get().token.reveal() == tokencli.token(system)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("mode", MODES)
def test_refused_token_is_replaced_once(
    configure: Configure, apis: tuple[Api, Api], mode: str, use: str
) -> None:
    """The request is repeated with another token, which later requests use at once."""
    api = apis[0]
    auth = authenticate(configure, api, use)
    send(mode, f"{api.url}/a?x=1", auth)
    api.refused = (1,)
    reply = send(mode, f"{api.url}/a?x=1", auth, "POST", data={"k": "v"})
    assert (reply.status_code, [r.status_code for r in reply.history]) == (200, [401])
    assert api.bodies[1:] == [b"k=v", b"k=v"]
    assert shown_token(use, 1) in api.received[1]
    assert shown_token(use, 2) in api.received[2]
    assert shown_token(use, 1) not in api.received[2]
    assert all(line.startswith("/a?x=1") for line in api.received)
    assert send(mode, f"{api.url}/a", auth).history == []
    assert api.issued == 2


@pytest.mark.parametrize("mode", MODES)
def test_server_that_refuses_every_token(
    configure: Configure, apis: tuple[Api, Api], mode: str
) -> None:
    """It costs one token request, however many requests follow, and its reply is returned."""
    api = apis[0]
    api.refused = (1, 2, 3, 4)
    auth = authenticate(configure, api, "X-Auth-Token")
    for _ in range(3):
        assert send(mode, f"{api.url}/a", auth).status_code == 401
    assert api.issued == 2


@pytest.mark.parametrize("mode", MODES)
def test_streamed_body_is_not_repeated(
    configure: Configure, apis: tuple[Api, Api], mode: str
) -> None:
    """Of a generator, which is used up, the 401 is returned, and no token is requested in vain."""
    api = apis[0]
    auth = authenticate(configure, api, "X-Auth-Token")
    api.refused = (1,)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"

    body: object = iter([b"ab"]) if mode == "sync" else chunks()
    assert send(mode, f"{api.url}/a", auth, "POST", content=body).status_code == 401
    assert api.bodies == [b"ab"]
    assert api.issued == 1


@pytest.mark.parametrize("status", [302, 303, 307])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("mode", MODES)
def test_redirect_to_another_origin_gets_no_token(
    configure: Configure, apis: tuple[Api, Api], mode: str, use: str, status: int
) -> None:
    """Neither header nor parameter, also if the first server repeats the query in its Location.

    They aren't sent again if the other server redirects back. A redirect within the origin keeps
    the headers. What the other server refuses isn't repeated.
    """
    api, other = apis
    auth = authenticate(configure, api, use)
    api.locations = {
        "/a": (status, "/b?QUERY"),
        "/b": (status, f"{other.url}/c?keep=1&QUERY&next={quote(api.url + '/a?')}QUERY&to=NESTED"),
        "/d": (401, ""),
    }
    other.locations = {"/c": (status, f"{api.url}/d")}
    assert send(mode, f"{api.url}/a", auth, "POST", data={"x": "1"}).status_code == 401
    first, second, back = api.received
    assert shown_token(use) in first
    assert shown_token(use) in second
    assert ("canary-tenant" in first) == ("canary-tenant" in second) == (use != "Authorization")
    for received in (other.received[0], back):
        assert "canary" not in received
    assert other.received[0].startswith("/c?keep=1")
    assert api.issued == 1


@pytest.mark.parametrize("mode", MODES)
def test_redirect_that_the_program_follows_itself(
    configure: Configure, apis: tuple[Api, Api], mode: str
) -> None:
    """The request that httpx prepares for a redirect carries no token to another origin, either."""
    api, other = apis
    auth = authenticate(configure, api, "X-Auth-Token")
    api.locations = {"/a": (302, f"{other.url}/c")}

    async def follow() -> None:
        async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
            reply = await client.get(f"{api.url}/a")
            assert reply.next_request is not None
            await client.send(reply.next_request, auth=None)

    if mode == "sync":
        with httpx.Client(auth=auth, trust_env=False) as client:
            reply = client.get(f"{api.url}/a")
            assert reply.next_request is not None
            client.send(reply.next_request, auth=None)
    else:
        anyio.run(follow, backend=mode)
    assert "canary" in api.received[0]
    assert "canary" not in other.received[0]


def test_redirects_through_a_proxy(configure: Configure, apis: tuple[Api, Api]) -> None:
    """A proxy is no other origin, and doesn't hide one: it gets the token for the first alone."""
    proxy, target = apis
    auth = authenticate(configure, target, "X-Auth-Token")
    proxy.locations = {"http://api.test/a": (302, "http://other.test/b")}
    with httpx.Client(proxy=proxy.url, follow_redirects=True, trust_env=False) as client:
        assert client.get("http://api.test/a", auth=auth).status_code == 200
    assert [line.partition("\n")[0] for line in proxy.received] == [
        "http://api.test/a",
        "http://other.test/b",
    ]
    assert ["canary" in line for line in proxy.received] == [True, False]


def test_trace_of_the_program_goes_on(configure: Configure, apis: tuple[Api, Api]) -> None:
    """A program's own `trace` extension is called as before."""
    api = apis[0]
    auth = authenticate(configure, api, "Authorization")
    events: list[str] = []

    def trace(event: str, info: Mapping[str, Any]) -> None:
        events.append(event)

    send("sync", f"{api.url}/a", auth, extensions={"trace": trace})
    assert "http11.send_request_headers.started" in events


@pytest.mark.parametrize("mode", ["asyncio", "trio"])
@pytest.mark.parametrize("refused", [False, True])
def test_slow_token_server_does_not_block_the_loop(
    configure: Configure, apis: tuple[Api, Api], mode: str, refused: bool
) -> None:
    """While a token is requested, first or again, other tasks run."""
    api = apis[0]
    auth = authenticate(configure, api, "Authorization")
    if refused:
        send(mode, f"{api.url}/a", auth)
        api.refused = (1,)
    api.token_delay = 1.0

    async def run() -> int:
        ticks = 0
        async with (
            httpx.AsyncClient(auth=auth, trust_env=False) as client,
            anyio.create_task_group() as group,
        ):

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await anyio.sleep(0.01)
                    ticks += 1

            group.start_soon(tick)
            started = api.issued
            assert (await client.get(f"{api.url}/a")).status_code == 200
            assert api.issued == started + 1
            group.cancel_scope.cancel()
        return ticks

    assert anyio.run(run, backend=mode) > 10


def test_warm_request_starts_no_thread(configure: Configure, apis: tuple[Api, Api]) -> None:
    """A token that is known is added in the event loop itself, without any wait."""
    api = apis[0]
    auth = authenticate(configure, api, "Authorization")
    for _ in range(3):
        send("asyncio", f"{api.url}/a", auth)

    async def run() -> None:
        async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
            for _ in range(3):
                assert (await client.get(f"{api.url}/a")).status_code == 200
        workers = {thread.name for thread in threading.enumerate()}
        assert not any("AnyIO" in name for name in workers)

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["asyncio", "trio"])
def test_token_is_stored_although_the_request_is_cancelled(
    configure: Configure, apis: tuple[Api, Api], mode: str
) -> None:
    """A task that is cancelled ends at once; the token that was requested isn't lost."""
    api = apis[0]
    auth = authenticate(configure, api, "Authorization")
    api.token_delay = 1.0

    async def run() -> float:
        async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
            start = time.monotonic()
            with anyio.move_on_after(0.3):
                await client.get(f"{api.url}/a")
            return time.monotonic() - start

    waited = anyio.run(run, backend=mode)
    assert waited < api.token_delay
    assert tokencli.token("p") == "canary/token+1=="
    assert api.issued == 1
    assert api.received == []


def test_token_in_a_thread_does_not_block_the_loop(
    configure: Configure, apis: tuple[Api, Api]
) -> None:
    """`asyncio.to_thread(tokencli.token)`, as the manual says; many tasks cause one request."""
    api = apis[0]
    config = write_profile(configure, api, "Authorization")
    api.token_delay = 1.0

    async def run() -> tuple[set[str], int]:
        calls = [asyncio.create_task(asyncio.to_thread(tokencli.token, "p")) for _ in range(4)]
        ticks = 0
        while not all(call.done() for call in calls):
            await asyncio.sleep(0.01)
            ticks += 1
        return {call.result() for call in calls}, ticks

    tokens, ticks = asyncio.run(run())
    assert config.exists()
    assert len(tokens) == api.issued == 1
    assert ticks > 10


def test_errors_are_tokencli_errors(configure: Configure, apis: tuple[Api, Api]) -> None:
    """Also those in the thread that gets a token for an event loop."""
    with pytest.raises(ConfigError):
        tokencli.HttpxTokenAuth("nope", config=write_profile(configure, apis[0], "Authorization"))
    configure(
        """
[profiles.p]
provider = "oauth2"
grant = "authorization_code"
authorization_url = "https://127.0.0.1:9/authorize"
token_url = "https://127.0.0.1:9/token"
client_id = "x"
store = "file"
"""
    )
    auth = tokencli.HttpxTokenAuth("p")
    for mode in MODES:
        with pytest.raises(LoginRequiredError):
            send(mode, f"{apis[0].url}/a", auth)


@pytest.fixture
def without_httpx(tmp_path: Path) -> str:
    """Return a directory for PYTHONPATH in which httpx can't be imported."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['httpx'] = None\n")
    return str(tmp_path)


def test_without_httpx(without_httpx: str) -> None:
    """Everything else works; the name itself says what to install."""
    code = """
import tokencli
assert tokencli.TokenAuth
from tokencli import *
try:
    tokencli.HttpxTokenAuth
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": without_httpx},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ("HttpxTokenAuth needs httpx, which is installed by: pip install httpx\n")

"""Logout from a server that is unreachable, behind a portal, or revokes in its own way."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Run, script
from tests.fast_path_world import TOKENS, World, records_root, world
from tests.servers.configured import Configure
from tests.unit.token_store.samples import memory_folder

Answer = tuple[int, str, str]
ISSUED = json.dumps(
    {
        "access_token": "canary-access-1a",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "canary-refresh-2b",
    }
)
JSON, HTML = "application/json", "text/html"
DONE: Answer = (200, "", "")
PORTAL: Answer = (200, HTML, "<html>Please sign in to the network")
UNKNOWN: Answer = (400, JSON, '{"error": "invalid_token"}')
WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


class Server(ThreadingHTTPServer):
    """A server that answers by path and records the tokens to revoke."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: dict[str, Answer] = {"/token": (200, JSON, ISSUED)}
        self.revocations: list[Answer] = []
        self.asked: list[str] = []
        self.may_issue, self.was_asked_to_issue = threading.Event(), threading.Event()
        self.may_issue.set()

    def metadata(self, answer: Answer | None = None) -> None:
        """Answer both well-known URLs like this, or with metadata that has a revocation endpoint."""
        told = {
            "issuer": self.base,
            "token_endpoint": f"{self.base}/token",
            "revocation_endpoint": f"{self.base}/revoke",
        }
        for path in WELL_KNOWN:
            self.answers[path] = answer or (200, JSON, json.dumps(told))


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = urlsplit(self.path).path
        answer = self.server.answers.get(path, (404, "", ""))
        if path == "/revoke":
            self.server.asked += parse_qs(body)["token"]
            answer = self.server.revocations.pop(0)
        if path == "/token":
            self.server.was_asked_to_issue.set()
            self.server.may_issue.wait(30)
        status, kind, text = answer
        self.send_response_only(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the server."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def profile(server: Server, **more: str) -> str:
    """Return a profile for that server, with more keys."""
    words = {
        "provider": "oauth2",
        "grant": "client_credentials",
        "client_id": "batch",
        "client_auth": "none",
        "token_url": f"{server.base}/token",
        "store": "file",
        **more,
    }
    return "[profiles.p]\nallow_http = true\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in words.items() if value
    )


@pytest.mark.requirement(38)
@pytest.mark.parametrize(
    "answer", [(503, "", ""), (500, "", ""), PORTAL], ids=["503", "500", "portal"]
)
@pytest.mark.parametrize("known", ["token_url", "issuer alone"])
def test_unavailable_metadata_keeps_the_tokens(
    tokencli: Run, configure: Configure, server: Server, answer: Answer, known: str
) -> None:
    """The error has a cause and a fix; once the server is back, the tokens are revoked."""
    place = configure(profile(server, issuer=server.base))
    assert tokencli("get", "p").code == 0
    if known == "issuer alone":
        place.write_text(place.read_text().replace(f'token_url = "{server.base}/token"\n', ""))
    server.metadata(answer)
    failed = tokencli("logout", "p")
    assert (failed.code, "nothing was deleted" in failed.err) == (7, True), failed.err
    assert "tokencli logout p --force" in failed.err
    assert server.asked == []

    server.metadata()
    server.revocations = [DONE, DONE]
    done = tokencli("logout", "p")
    assert (done.code, "revoked the refresh token and the access token" in done.err) == (0, True)
    assert server.asked == ["canary-refresh-2b", "canary-access-1a"]
    assert tokencli("inspect", "p").code == 4


@pytest.mark.requirement(38)
def test_force_without_issuer_metadata(
    tokencli: Run, configure: Configure, server: Server, tmp_path: Path
) -> None:
    """A profile with only an issuer, whose metadata is unavailable: --force is obeyed."""
    server.metadata()
    configure(profile(server, issuer=server.base, token_url=""))
    assert tokencli("get", "p").code == 0
    shutil.rmtree(tmp_path / "state" / "issuers")
    server.metadata((503, "", ""))
    failed = tokencli("logout", "p")
    assert (failed.code, "nothing was deleted" in failed.err) == (7, True), failed.err
    done = tokencli("logout", "p", "--force")
    assert (done.code, "stays valid until it expires" in done.err) == (0, True), done.err
    assert "deleted 1 token" in done.err
    assert server.asked == []


@pytest.mark.requirement(38)
def test_server_without_metadata(tokencli: Run, configure: Configure, server: Server) -> None:
    """404 at both addresses: there is no revocation endpoint, and the output says so."""
    configure(profile(server, issuer=server.base))
    assert tokencli("get", "p").code == 0
    done = tokencli("logout", "p")
    assert (done.code, "not revoked: " in done.err, "deleted 1 token" in done.err) == (
        0,
        True,
        True,
    )
    assert tokencli("logout", "p").err.startswith("tokencli: p: deleted no tokens")


@pytest.mark.requirement(38)
def test_access_token_revoked_with_its_refresh_token(
    tokencli: Run, configure: Configure, server: Server
) -> None:
    """As at Google: 200, then 400 invalid_token. Not an error, also in a second logout."""
    configure(profile(server, revocation_url=f"{server.base}/revoke"))
    assert tokencli("get", "p").code == 0
    server.revocations = [DONE, UNKNOWN]
    done = tokencli("logout", "p")
    assert done.code == 0, done.err
    assert "revoked the refresh token; already invalid at the server: the access token" in done.err
    assert tokencli("logout", "p").code == 0
    assert len(server.asked) == 2


@pytest.mark.requirement(38)
def test_portal_page_is_no_revocation(tokencli: Run, configure: Configure, server: Server) -> None:
    """A captive portal's 200 is an error; tokens revoked before it aren't revoked again."""
    configure(profile(server, revocation_url=f"{server.base}/revoke"))
    assert tokencli("get", "p").code == 0
    server.revocations = [PORTAL]
    failed = tokencli("logout", "p")
    assert (failed.code, "a web page" in failed.err) == (7, True), failed.err
    server.revocations = [DONE, PORTAL]
    failed = tokencli("logout", "p")
    assert (failed.code, "kept the rest" in failed.err) == (7, True), failed.err
    server.revocations = [DONE]
    assert tokencli("logout", "p").code == 0
    assert server.asked[3:] == ["canary-access-1a"]


@pytest.mark.requirement(38)
def test_tokens_of_former_scopes_are_revoked(
    tokencli: Run, configure: Configure, server: Server
) -> None:
    """After the scope was edited, tokens from before and since are revoked."""
    url = f"{server.base}/revoke"
    for scope in ("read", "read write"):
        configure(profile(server, revocation_url=url, scope=scope))
        assert tokencli("get", "p").code == 0
    configure(profile(server, revocation_url=url, scope="admin"))
    server.revocations = [DONE] * 4
    done = tokencli("logout", "p")
    assert (done.code, "deleted 2 tokens" in done.err) == (0, True), done.err
    assert "revoked 2 refresh tokens and 2 access tokens" in done.err

    configure(profile(server, revocation_url=url))
    assert tokencli("get", "p").code == 0
    configure(profile(server, revocation_url=url, client_id="another"))
    done = tokencli("logout", "p")
    assert (done.code, "they are not revoked" in done.err) == (0, True), done.err
    assert len(server.asked) == 4


@pytest.mark.requirement(38)
@pytest.mark.parametrize("refreshes", [True, False])
def test_logout_during_a_renewal(
    tokencli: Run,
    configure: Configure,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    refreshes: bool,
) -> None:
    """It waits for the token, also for the first one, and then revokes it and deletes every copy."""
    with memory_folder() as memory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory))
        config = configure(profile(server, revocation_url=f"{server.base}/revoke"))
        os.utime(config, (1, 1))
        if refreshes:
            assert tokencli("get", "p").code == 0
        server.answers["/token"] = (200, JSON, ISSUED.replace("1a", "3c").replace("2b", "4d"))
        server.revocations = [DONE, DONE]
        server.was_asked_to_issue.clear()
        server.may_issue.clear()
        with subprocess.Popen([script(), "refresh", "p"], stdout=subprocess.PIPE) as renewal:
            assert server.was_asked_to_issue.wait(30)
            failed = tokencli("logout", "p", "--lock-timeout", "0.5s")
            assert (failed.code, server.asked) == (8, []), failed.err
            with subprocess.Popen([script(), "logout", "p"], stderr=subprocess.PIPE) as logout:
                with pytest.raises(subprocess.TimeoutExpired):
                    logout.wait(2)
                server.may_issue.set()
                assert b"deleted 1 token" in logout.communicate(timeout=30)[1]
            assert renewal.communicate(timeout=30)[0] == b"canary-access-3c\n"
        assert server.asked == ["canary-refresh-4d", "canary-access-3c"]
        assert not list(records_root(memory).glob("*/p"))
        assert tokencli("inspect", "p").code == 4


@pytest.fixture
def place() -> Iterator[World]:
    """Provide stored tokens with their hot copies; the token endpoint is unreachable."""
    with world() as made:
        made.make()
        yield made


@pytest.mark.requirement(38)
@pytest.mark.parametrize("store", ["file", "runtime"])
@pytest.mark.parametrize("elsewhere", ["another", "unset", "missing"])
def test_logout_under_another_runtime_directory(
    tokencli: Run, place: World, store: str, elsewhere: str
) -> None:
    """The token isn't printed where it was stored, and neither is a copy of it."""
    if store == "runtime":
        place.write(place.config.read_text().replace('store = "file"', 'store = "runtime"'))
        shutil.rmtree(place.state)
        place.state.mkdir(mode=0o700)
        place.save_tokens()
    environ = {**place.environ, "XDG_CONFIG_HOME": ""}
    assert tokencli("get", "p", env=environ).out == TOKENS["p"] + "\n"
    other = place.root / "other-run"
    if elsewhere == "another":
        other.mkdir(mode=0o700)
    value = "" if elsewhere == "unset" else str(other)
    done = tokencli("logout", "p", env={**environ, "XDG_RUNTIME_DIR": value})
    assert (done.code, "deleted 1 token" in done.err) == (0, True), done.err
    got = tokencli("get", "p", env=environ)
    assert (got.code, got.out) == (6, ""), got.err
    assert not [path for path in place.run.rglob("*") if path.name == "p"]
    assert tokencli("get", "q.2", env=environ).out == TOKENS["q.2"] + "\n"

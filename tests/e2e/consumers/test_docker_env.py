"""`docker run --env-file` with the files of `export --format docker`, by the real client."""

import json
import shutil
import string
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.conftest import IN_CI, Run
from tests.e2e.consumers.expiries import until_expired
from tokencli.errors import ReplyError
from tokencli.formats import docker
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

API_VERSION = "1.41"


class Daemon(ThreadingHTTPServer):
    """As much of Docker's daemon as `docker create` needs; it keeps the containers' environments."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.environments: list[list[str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply: object = "OK"
        if "/containers/create" in self.path:
            self.server.environments.append(json.loads(body)["Env"] or [])
            reply = {"Id": "0" * 64, "Warnings": []}
        content = json.dumps(reply).encode()
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Run a daemon and point the client at it."""
    if shutil.which("docker") is None:
        (pytest.fail if IN_CI else pytest.skip)("apt-get install docker.io")
    server = Daemon()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def create_container(daemon: Daemon, path: Path) -> dict[str, str]:
    """Create a container with that file, and return its variables."""
    done = subprocess.run(
        ["docker", "create", "--env-file", path, "my-image"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = (line.partition("=") for line in daemon.environments[-1])
    return {name: value for name, _, value in pairs}


@pytest.mark.requirement(34)
def test_values_are_read_back_or_refused(daemon: Daemon, tmp_path: Path) -> None:
    """Quotation marks, `#`, `$` and backslashes mean nothing to Docker."""
    marks = [*string.printable, "é", "\u2028", "${HOME}", "\\n", " #", "'x'", '"x"']
    expected = {"V_EMPTY": ""}
    for number, value in enumerate(
        shape.replace("_", mark) for mark in marks for shape in ("a_b", "_a", "a_", "_")
    ):
        try:
            docker.render([("V", value)])
        except ReplyError:
            continue
        expected[f"V_{number}"] = value
    assert len(expected) > 300
    path = tmp_path / "env"
    path.write_text(docker.render(list(expected.items())))
    assert create_container(daemon, path) == expected


def test_tokens_expire_between_containers(
    daemon: Daemon, lasting_seconds: Sandbox, tokencli: Run, tmp_path: Path
) -> None:
    """Each container that is created gets a token that is fresh at that moment."""
    path = tmp_path / "env"
    for _ in until_expired(lasting_seconds):
        done = tokencli("export", "oauth2", "--format", "docker", "--all-vars")
        path.write_text(done.out)
        name, _, value = create_container(daemon, path)["ACCESS_TOKEN_HEADER"].partition(": ")
        reply = requests.get(
            f"{lasting_seconds.url}/oauth2/resource",
            headers={name: value},
            verify=lasting_seconds.ca_file,
            timeout=60,
        )
        assert reply.status_code == 200, reply.text

"""`tokencli why` behind gateways of others: nginx, HAProxy and Node.js stand before the API."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import IN_CI, Run
from tests.e2e.test_why_causes import list_causes, run_why
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  limit_req_zone $server_name zone=all:1m rate=1r/m;
  server {{
    listen 127.0.0.1:{port};
    server_name gateway;
    location /orders {{ {rules} }}
    {more}
  }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend gateway
  bind 127.0.0.1:{port}
  default_backend api
backend api
  server api {upstream} ssl verify none
"""
NODE = "require('http').createServer((q, r) => r.end('{{}}')).listen({port}, '127.0.0.1')"
FORWARD = "proxy_pass https://{upstream}; proxy_ssl_verify off;"


def find_program(name: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails in CI."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        (pytest.fail if IN_CI else pytest.skip)(f"{name} is not installed: apt-get install {name}")
    return path


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: Sequence[str], port: int) -> Iterator[str]:
    """Start a server, wait until it listens, yield its URL, and stop it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, command
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/orders"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def nginx(folder: Path, upstream: str, rules: str, more: str = "") -> Iterator[str]:
    """Run nginx before the API, with these rules for its location."""
    port = find_port()
    values = {"folder": folder, "port": port}
    filled = {"rules": rules.format(upstream=upstream), "more": more.format(upstream=upstream)}
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(**values, **filled))
    with started(
        [find_program("nginx"), "-c", str(file), "-e", f"{folder}/error.log"], port
    ) as url:
        yield url


NGINX_CASES: Mapping[str, tuple[str, str, str, str]] = {
    "forwards": ("nothing_wrong", "nothing_wrong", FORWARD, ""),
    "refuses large headers": ("too_large", "too_large", FORWARD, ""),
    "can't reach the API": (
        "nothing_wrong",
        "api_down",
        "proxy_pass http://127.0.0.1:9;",
        "",
    ),
    "limits the rate": (
        "nothing_wrong",
        "rate_limited",
        f"limit_req zone=all; limit_req_status 429; {FORWARD}",
        "location /warm {{ }}",
    ),
    "redirects to https": (
        "nothing_wrong",
        "redirect_dropped_token",
        "return 301 https://{upstream}$request_uri;",
        "",
    ),
    "redirects to a login": (
        "nothing_wrong",
        "intermediary",
        "return 302 https://sso.example.com/login?rd=$request_uri;",
        "",
    ),
    "shows a login page": (
        "nothing_wrong",
        "intermediary",
        "default_type text/html; return 200 '<!doctype html><title>Sign in</title><form method=post>';",
        "",
    ),
    "wants Basic": (
        "nothing_wrong",
        "intermediary",
        "auth_basic Restricted; auth_basic_user_file /dev/null; " + FORWARD,
        "",
    ),
    "denies all": ("nothing_wrong", "intermediary", "deny all;", ""),
    "strips the header": (
        "nothing_wrong",
        "intermediary",
        f'proxy_set_header Authorization ""; {FORWARD}',
        "",
    ),
}
"""What nginx does: scenario, cause, rules of the location, more of the server."""


@pytest.mark.parametrize("what", NGINX_CASES)
def test_nginx(tokencli: Run, tmp_path: Path, what: str) -> None:
    """What nginx does is the cause that is named first."""
    scenario, cause, rules, more = NGINX_CASES[what]
    with (
        Sandbox(scenario=scenario) as sandbox,
        nginx(tmp_path, sandbox.url.removeprefix("https://"), rules, more) as url,
    ):
        causes = list_causes(run_why(tokencli, sandbox, url))
        if cause == "rate_limited":
            causes = list_causes(run_why(tokencli, sandbox, url))
    assert causes[0]["id"] == cause, causes


def test_haproxy_refuses_large_headers(tokencli: Run, tmp_path: Path) -> None:
    """HAProxy answers 400 with a page that doesn't say why; without the token it forwards."""
    port = find_port()
    with Sandbox(scenario="too_large") as sandbox:
        file = tmp_path / "haproxy.cfg"
        upstream = sandbox.url.removeprefix("https://")
        file.write_text(HAPROXY.format(port=port, upstream=upstream))
        with started([find_program("haproxy"), "-db", "-f", str(file)], port) as url:
            causes = list_causes(run_why(tokencli, sandbox, url))
    assert causes[0]["id"] == "too_large", causes


def test_node_refuses_large_headers(tokencli: Run) -> None:
    """Node.js answers 431 with an empty body."""
    port = find_port()
    with (
        Sandbox(scenario="too_large") as sandbox,
        started([find_program("node"), "-e", NODE.format(port=port)], port) as url,
    ):
        causes = list_causes(run_why(tokencli, sandbox, url))
    assert causes[0]["id"] == "too_large", causes

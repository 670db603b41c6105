"""Requests through `tokencli proxy` and through a bare nginx, in turns: `python -m tests.bench.proxies`."""

import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.locations import bench_place
from tests.conftest import script
from tests.e2e.test_why_gateways import find_port, started

INSTALL = "apt-get install nginx-light wrk"
CONNECTIONS = 50
SECONDS = 2
NGINX = """
daemon off;
pid {folder}/nginx.pid;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  upstream api {{ server 127.0.0.1:{api}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{api};
    if ($http_authorization !~ "^Bearer .") {{ return 401; }}
    location / {{ default_type application/json; return 200 '{{"orders": [{{"id": 1, "item": "teapot"}}]}}'; }}
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer made-up";
    }}
  }}
}}
"""


class Load(NamedTuple):
    """What wrk measures."""

    requests_per_s: float
    median_ms: float


class Comparison(NamedTuple):
    """The proxy and nginx in the same run: many connections, and a single one."""

    many: Mapping[str, Load]
    single: Mapping[str, Load]


def missing() -> bool:
    """Tell whether a program is not installed."""
    return shutil.which("wrk") is None or _find_nginx() is None


def measure(rounds: int) -> Comparison:
    """Send requests through both proxies to the same API, in turns."""
    loads: dict[tuple[str, int], list[Load]] = {}
    with (
        TemporaryDirectory() as scratch,
        _nginx(Path(scratch)) as (api, nginx),
        bench_place(lifetime=3600) as environ,
        _proxy(api, environ) as own,
    ):
        for number in range(rounds):
            urls = [("proxy", own), ("nginx", nginx)]
            for name, url in urls if number % 2 else reversed(urls):
                for connections in (CONNECTIONS, 1):
                    loads.setdefault((name, connections), []).append(_wrk(url, connections))
    found = {
        key: Load(*(statistics.median(values) for values in zip(*each, strict=True)))
        for key, each in loads.items()
    }
    names = ("proxy", "nginx")
    return Comparison(
        {name: found[name, CONNECTIONS] for name in names}, {name: found[name, 1] for name in names}
    )


@contextmanager
def _nginx(folder: Path) -> Iterator[tuple[str, str]]:
    """Run an API and a reverse proxy before it; yield their URLs."""
    folder.chmod(0o755)
    api, port = find_port(), find_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, api=api, port=port))
    program = _find_nginx()
    assert program is not None
    with started([program, "-c", str(config), "-e", f"{folder}/error.log"], port):
        yield f"http://127.0.0.1:{api}", f"http://127.0.0.1:{port}/orders"


@contextmanager
def _proxy(api: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Run `tokencli proxy`; yield a URL of the API behind it."""
    command = [script(), "proxy", "bench", "--to", api, "-q"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"{process.stdout.readline().strip()}/orders"
        process.terminate()


def _wrk(url: str, connections: int) -> Load:
    """Send requests with as many connections for some seconds."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", done.stdout)
    assert rate and median, done.stdout
    return Load(float(rate[1]), float(median[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[median[2]])


def _find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def describe(found: Comparison) -> str:
    """Return the absolute figures in a sentence."""
    rates = ", ".join(f"{name} {load.requests_per_s:.0f}" for name, load in found.many.items())
    delays = ", ".join(f"{name} {load.median_ms:.2f}" for name, load in found.single.items())
    return f"requests per second over {CONNECTIONS} connections: {rates}; milliseconds of a request: {delays}"


if __name__ == "__main__":
    sys.stdout.write(
        f"{describe(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5))}\n"
        if not missing()
        else f"{INSTALL}\n"
    )

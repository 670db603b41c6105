"""How far a connection gets, stage by stage, without any credentials."""

import time
from collections.abc import Mapping
from email.utils import formatdate

import pytest

from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.proxy import tunnel
from tests.faults.server import Behaviour, Peer, running
from tokencli.errors import ConfigError, TlsError
from tokencli.machine import ConnectionReport
from tokencli.models import Connection
from tokencli.net.connection_probe import probe_connection


def reply(peer: Peer) -> None:
    """Reply with a Date header an hour ahead."""
    date = formatdate(time.time() + 3600, usegmt=True)
    b.says(b.message("302 Found", b"", f"Date: {date}", "Location: https://elsewhere.example/"))(
        peer
    )


def probe(
    url: str, environ: Mapping[str, str] | None = None, *, ca: bool = True, timeout: float = 5.0
) -> ConnectionReport:
    """Probe the server, trusting the tests' CA."""
    connection = Connection(timeout, ca_file=str(ca_file()) if ca else None)
    return probe_connection(url, connection, environ or {})


def test_a_whole_connection() -> None:
    """Chain, address, status and clock are reported; a redirect is a reply like any other."""
    with running(reply) as server:
        report = probe(f"https://127.0.0.1:{server.port}/token?key=canary-query-7f3a")
        (seen,) = server.counters.requests
    assert seen.head.startswith("HEAD / HTTP/1.1")
    assert "authorization" not in seen.head.lower()
    assert (report.error, report.failed_stage, report.status) == (None, None, 302)
    assert report.addresses == ("127.0.0.1",)
    assert report.tls_version == "TLSv1.3"
    own, issuer = report.certificates
    assert own.issuer == issuer.subject
    assert own.not_before < time.time() < own.not_after
    assert report.skew is not None and abs(report.skew + 3600) < 60


def test_a_connection_through_a_proxy() -> None:
    """The server's chain is reported, and the name is looked up by the proxy."""
    with running(reply) as server, running(tunnel, None) as proxy:
        environ = {"HTTPS_PROXY": f"http://u:canary-proxy-7f3a@127.0.0.1:{proxy.port}"}
        report = probe(f"https://idp.example:{server.port}/token?key=canary-query-7f3a", environ)
    assert report.status == 302, report.error
    assert (report.proxy, report.addresses) == (f"127.0.0.1:{proxy.port}", ())
    assert report.proxy_reason == "from HTTPS_PROXY"
    assert len(report.certificates) == 2
    assert "canary" not in repr(report)


@pytest.mark.parametrize(
    ("behave", "tls", "stage"),
    [
        (reply, "expired", "tls"),
        (reply, "unknown CA", "tls"),
        (reply, "wants certificate", "tls"),
        (b.silent, None, "tls"),
        (b.closes_at_once, None, "tls"),
        (b.silent_after_reading, "good", "reply"),
        (b.speaks_plain_http, None, "tls"),
        (b.says(b"no HTTP\r\n\r\n"), "good", "reply"),
    ],
)
def test_the_stage_that_fails(behave: Behaviour, tls: str | None, stage: str) -> None:
    """Each failure belongs to one stage, and has an error that says why."""
    with running(behave, tls) as server:
        report = probe(f"https://127.0.0.1:{server.port}/token", timeout=1.5)
    assert report.failed_stage == stage, report.error
    assert report.error is not None
    assert bool(report.certificates) is (tls is not None)


def test_no_server_and_no_proxy() -> None:
    """A refused connection, an unknown host, a dead proxy and a missing CA file are told apart."""
    dead = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    assert probe("https://127.0.0.1:9/t").failed_stage == "connect"
    assert probe("https://nosuch.invalid/t").failed_stage == "dns"
    assert probe("https://nosuch.invalid/t", dead).failed_stage == "proxy"
    assert probe("https://nosuch.invalid/t", {"HTTPS_PROXY": "ftp://x"}).failed_stage == "proxy"
    assert probe("ftp://nosuch.invalid/t").failed_stage == "url"
    report = probe("https://127.0.0.1:9/t", {"SSL_CERT_FILE": "/nosuch.pem"}, ca=False)
    assert report.failed_stage == "tls" and isinstance(report.error, ConfigError)


def test_the_certificates_of_a_failure() -> None:
    """They are reported, so that one sees when the certificate has expired and who issued it."""
    with running(reply, "expired") as server:
        report = probe(f"https://127.0.0.1:{server.port}/token")
    assert isinstance(report.error, TlsError)
    assert report.certificates[0].not_after < time.time()

"""Which CAs are trusted: the order of precedence, and that only the first setting counts."""

import itertools
import os
import ssl
from pathlib import Path

import pytest

from tests.faults import behaviours as b
from tests.faults.authority import ca, ca_file, stranger
from tests.faults.server import running
from tokencli.errors import ConfigError, TlsError
from tokencli.models import Connection, HttpRequest
from tokencli.net.tls_context import TrustConfig, build_tls_context, resolve_trust_config
from tokencli.net.transport import HttpTransport

GOOD = b.says(b.message("200 OK", b.TOKEN))
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
PLACES = ("ca_file", *VARIABLES)


def connects(
    environ: dict[str, str],
    connection: Connection,
    *,
    tls: str = "good",
    said: list[str] | None = None,
) -> bool:
    """Tell whether the server's certificate is accepted; the process's environment is the same."""
    with pytest.MonkeyPatch.context() as patch, running(GOOD, tls) as server:
        for name in (*VARIABLES, "SSL_CERT_DIR"):
            patch.delenv(name, raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        warned = said if said is not None else []
        try:
            HttpTransport(environ, warned.append, lambda _: None).send(
                HttpRequest("POST", f"https://127.0.0.1:{server.port}/t", {}), connection
            )
        except TlsError as error:
            assert "checked against" in (error.cause or "")
            assert server.counters.requests == []
            return False
    return True


def right() -> str:
    """Return the file of the CA that signed the server's certificate."""
    return str(ca_file())


def wrong() -> str:
    """Return the file of another CA."""
    return str(ca_file(stranger))


@pytest.mark.requirement(10)
@pytest.mark.parametrize(
    ("first", "second"), list(itertools.combinations(PLACES, 2)), ids=lambda name: name
)
def test_only_the_first_ca_setting_counts(first: str, second: str) -> None:
    """Of two settings the first decides: a wrong CA fails and the right CA connects."""

    def outcome(one: str, other: str) -> bool:
        given = {first: one, second: other}
        return connects(
            {name: value for name, value in given.items() if name != "ca_file"},
            Connection(10, ca_file=given.get("ca_file")),
        )

    assert outcome(right(), wrong())
    assert not outcome(wrong(), right())


@pytest.mark.requirement(10)
@pytest.mark.parametrize("place", PLACES)
def test_each_ca_setting_is_enough(place: str) -> None:
    """The right CA in any one setting connects; without one, the OS store doesn't know it."""
    if place == "ca_file":
        assert connects({}, Connection(10, ca_file=right()))
    else:
        assert connects({place: right()}, Connection(10))
    assert not connects({}, Connection(10))


@pytest.mark.requirement(10)
def test_a_directory_of_hashed_certificates_works(tmp_path: Path) -> None:
    """SSL_CERT_DIR is a list of directories, of which missing ones are ignored; other settings accept one."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(ca().cert_pem.bytes())
    hashed = _subject_hash(certificate.subject.public_bytes())
    (tmp_path / f"{hashed}.0").write_bytes(ca().cert_pem.bytes())
    listed = os.pathsep.join([str(tmp_path / "absent"), str(tmp_path)])
    assert connects({"SSL_CERT_DIR": listed}, Connection(10))
    assert connects({"REQUESTS_CA_BUNDLE": str(tmp_path)}, Connection(10))


def _subject_hash(name: bytes) -> str:
    """Return OpenSSL's file name for a subject: SHA-1 of its canonical form, first four bytes."""
    import hashlib

    def items(data: bytes) -> list[tuple[int, bytes, bytes]]:
        found = []
        while data:
            tag, length, start = data[0], data[1], 2
            if length & 0x80:
                count = length & 0x7F
                length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
            found.append((tag, data[start : start + length], data[: start + length]))
            data = data[start + length :]
        return found

    def element(tag: int, data: bytes) -> bytes:
        assert len(data) < 128
        return bytes([tag, len(data)]) + data

    canonical = b""
    for _, relative, _ in items(items(name)[0][1]):
        for _, attribute, _ in items(relative):
            (_, _, kind), (_, value, _) = items(attribute)
            text = " ".join(value.decode().lower().split()).encode()
            canonical += element(0x31, element(0x30, kind + element(0x0C, text)))
    return hashlib.sha1(canonical).digest()[3::-1].hex()


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
)
def test_an_empty_variable_is_ignored(name: str) -> None:
    """An empty value doesn't hide later settings."""
    assert resolve_trust_config(Connection(), {name: ""}) == TrustConfig()


@pytest.mark.requirement(10)
@pytest.mark.parametrize("origin", ["ca_file", *VARIABLES, "SSL_CERT_DIR"])
@pytest.mark.parametrize("state", ["absent", "text", "empty", "der", "folder", "fifo"])
def test_a_bad_ca_file_is_reported_with_its_origin(origin: str, state: str, tmp_path: Path) -> None:
    """A missing or unusable CA file is an error with its name and origin, before a byte is sent."""
    path = tmp_path / "ca.pem"
    match state:
        case "text":
            path.write_text("no certificate")
        case "empty":
            path.touch()
        case "der":
            path.write_bytes(ssl.PEM_cert_to_DER_cert(ca().cert_pem.bytes().decode()))
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
    environ = {} if origin == "ca_file" else {origin: str(path)}
    connection = Connection(10, ca_file=str(path) if origin == "ca_file" else None)
    with running(GOOD) as server, pytest.raises(ConfigError) as caught:
        HttpTransport(environ, print, lambda _: None).send(
            HttpRequest("POST", f"https://127.0.0.1:{server.port}/t", {}), connection
        )
    assert server.counters.connections == 0
    assert str(path) in caught.value.message
    assert origin in caught.value.message
    assert origin in (caught.value.fix or "")


@pytest.mark.parametrize("path", ["/proc/self/mem", "nul\0here"])
def test_an_unreadable_ca_file_is_a_config_error(path: str) -> None:
    """Any error of the system becomes a ConfigError."""
    with pytest.raises(ConfigError):
        build_tls_context(resolve_trust_config(Connection(ca_file=path), {}))


@pytest.mark.requirement(10)
@pytest.mark.parametrize("tls", ["good", "expired", "other name", "unknown CA", "self-signed"])
def test_insecure_accepts_any_certificate_and_warns(tls: str) -> None:
    """With `insecure` any certificate is accepted, and every run warns with the host."""
    said: list[str] = []
    for runs in (1, 2):
        assert connects({}, Connection(10, insecure=True), tls=tls, said=said)
        assert runs == len(said)
    assert all("127.0.0.1" in text and "insecure" in text for text in said)


@pytest.mark.requirement(10)
def test_a_pinned_leaf_is_enough(tmp_path: Path) -> None:
    """The server's own certificate works as ca_file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = ca().issue_cert("127.0.0.1")
    leaf.configure_cert(context)
    path = tmp_path / "leaf.pem"
    leaf.cert_chain_pems[0].write_to_path(str(path))
    from tests.faults.authority import CONTEXTS

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONTEXTS, "leaf", lambda: context)
        assert connects({}, Connection(10, ca_file=str(path)), tls="leaf")


def test_tls_contexts_are_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS 1.2 or later, host names are checked, SSLKEYLOGFILE is ignored."""
    monkeypatch.setenv("SSLKEYLOGFILE", "/dev/null")
    for trust in (TrustConfig(), TrustConfig((("ca_file", ca_file()),))):
        context = build_tls_context(trust)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert not context.keylog_filename

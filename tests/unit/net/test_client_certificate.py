"""The TLS client certificate: what is sent in the handshake, and errors before it."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from tests.servers.keys import PASSPHRASE, Keys
from tokencli.errors import ConfigError, CredentialsError, TlsError, UnreachableError
from tokencli.models import ClientCertificate, Connection, HttpRequest, Secret
from tokencli.net.tls_context import (
    build_tls_context,
    load_client_certificate,
    resolve_trust_config,
)
from tokencli.net.transport import HttpTransport


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Make one CA and the certificates."""
    return Keys.made_in(tmp_path_factory.mktemp("keys"))


def context() -> ssl.SSLContext:
    """Return a context like the transport's."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_certificate_and_key_are_loaded(keys: Keys) -> None:
    """With and without a passphrase; an unnecessary one does no harm."""
    cert, secret = str(keys.client_cert), Secret(PASSPHRASE)
    load_client_certificate(ClientCertificate(cert, str(keys.client_key)), context(), Connection())
    load_client_certificate(
        ClientCertificate(cert, str(keys.client_key), secret), context(), Connection()
    )
    load_client_certificate(
        ClientCertificate(cert, str(keys.encrypted_client_key), secret), context(), Connection()
    )


@pytest.mark.parametrize(
    ("passphrase", "says"),
    [(None, "no key_passphrase"), (Secret("canary-wrong"), "does not decrypt")],
)
def test_a_key_without_its_passphrase_is_a_credentials_error(
    keys: Keys, passphrase: Secret | None, says: str
) -> None:
    """OpenSSL doesn't prompt, and the message doesn't quote the passphrase."""
    shown = ClientCertificate(str(keys.client_cert), str(keys.encrypted_client_key), passphrase)
    with pytest.raises(CredentialsError, match=says) as caught:
        load_client_certificate(shown, context(), Connection())
    assert "canary" not in caught.value.message


def test_unusable_files_are_a_config_error(keys: Keys, tmp_path: Path) -> None:
    """Missing files, directories, text, swapped files and another certificate's key are each reported."""
    cert, key = str(keys.client_cert), str(keys.client_key)
    (tmp_path / "text").write_text("canary")
    for cert_file, key_file, says in (
        (str(tmp_path / "gone"), key, "can't be read"),
        (str(tmp_path), key, "can't be read"),
        (cert, "x\0y", "can't be read"),
        (str(tmp_path / "text"), key, "PEM"),
        (key, cert, "PEM"),
        (cert, str(keys.server_key), "is not the key of"),
    ):
        with pytest.raises(ConfigError, match=says) as caught:
            load_client_certificate(ClientCertificate(cert_file, key_file), context(), Connection())
        assert "nothing was sent" in caught.value.message


def test_a_rejected_client_certificate_is_reported(keys: Keys, tmp_path: Path) -> None:
    """If the server doesn't know the certificate's CA, the fix is in the profile."""
    stranger = trustme.CA().issue_cert("somebody.example.com")
    (tmp_path / "c.pem").write_bytes(b"".join(b.bytes() for b in stranger.cert_chain_pems))
    stranger.private_key_pem.write_to_path(tmp_path / "c.key")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(keys.server_cert, keys.server_key)
    server.load_verify_locations(keys.ca_file)
    server.verify_mode = ssl.CERT_REQUIRED

    def refuse(listening: socket.socket) -> None:
        with (
            listening.accept()[0] as guest,
            server.wrap_socket(guest, server_side=True, do_handshake_on_connect=False) as tls,
        ):
            with suppress(ssl.SSLError):
                tls.do_handshake()
            # What comes is read to its end: closing before that would be a reset, not an alert.
            with socket.socket(fileno=os.dup(tls.fileno())) as plain:
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(4096):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=refuse, args=(listening,))
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/t"
        shown = ClientCertificate(str(tmp_path / "c.pem"), str(tmp_path / "c.key"))
        with pytest.raises(TlsError, match="does not accept the client certificate") as caught:
            HttpTransport({}, print, lambda _: None).send(
                HttpRequest("POST", url, {}, client_certificate=shown),
                Connection(ca_file=str(keys.ca_file)),
            )
        thread.join()
    assert "client_cert" in (caught.value.fix or "")


@contextmanager
def requiring_certificates(keys: Keys, version: ssl.TLSVersion) -> Iterator[str]:
    """Run a server that ends the handshake of a client without a certificate, and yield its URL."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(keys.server_cert, keys.server_key)
    server.load_verify_locations(keys.ca_file)
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = version

    def refuse(guest: socket.socket) -> None:
        with (
            guest,
            server.wrap_socket(guest, server_side=True, do_handshake_on_connect=False) as tls,
        ):
            with suppress(OSError):
                tls.do_handshake()
            with suppress(OSError), socket.socket(fileno=os.dup(tls.fileno())) as plain:
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(4096):
                    pass

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=refuse, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, args=(listening,))
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/t"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_client_certificate_is_called_that(keys: Keys, version: ssl.TLSVersion) -> None:
    """TLS 1.2 has no alert for it: the message isn't about ciphers, and the fix sets a certificate."""
    with requiring_certificates(keys, version) as url, pytest.raises(TlsError) as caught:
        HttpTransport({}, print, lambda _: None).send(
            HttpRequest("POST", url, {}), Connection(ca_file=str(keys.ca_file), profile="p")
        )
    assert "requires a client certificate" in caught.value.message
    assert (caught.value.fix or "").startswith("tokencli profiles edit p --set client_cert=")


def convert(source: Path, *command: str | Path) -> Path:
    """Convert a file with OpenSSL."""
    target = source.with_name(f"{source.name}.bin")
    subprocess.run(
        ["openssl", *command, "-in", source, "-out", target], check=True, capture_output=True
    )
    target.chmod(0o600)
    return target


@pytest.mark.parametrize("binary", ["PKCS#12", "DER", "DER key"])
def test_a_binary_client_certificate_is_named_and_converted(
    keys: Keys, binary: str, tmp_path: Path
) -> None:
    """The message names file and format; what the fix converts can be used."""
    for path in (keys.client_cert, keys.client_key):
        shutil.copy(path, tmp_path)
    cert, key = tmp_path / keys.client_cert.name, tmp_path / keys.client_key.name
    if binary == "PKCS#12":
        made = convert(cert, "pkcs12", "-export", "-passout", "pass:", "-inkey", key)
        shown, usable = ClientCertificate(str(made), str(made)), (f"{made}.pem", f"{made}.pem")
    elif binary == "DER":
        made = convert(cert, "x509", "-outform", "DER")
        shown, usable = ClientCertificate(str(made), str(key)), (f"{made}.pem", str(key))
    else:
        made = convert(key, "pkey", "-outform", "DER")
        shown, usable = ClientCertificate(str(cert), str(made)), (str(cert), f"{made}.pem")
    with pytest.raises(ConfigError) as caught:
        load_client_certificate(shown, context(), Connection(profile="p"))
    assert str(made) in caught.value.message
    assert f"is in {binary.split()[0]} format" in caught.value.message
    command, _, edit = (caught.value.fix or "").partition(" && ")
    assert edit.startswith("tokencli profiles edit p --set client_")
    subprocess.run(["bash", "-c", command], check=True, input=b"\n", env=dict(os.environ))
    load_client_certificate(ClientCertificate(*usable), context(), Connection())


@pytest.mark.parametrize("binary", ["PKCS#12", "DER"])
@pytest.mark.parametrize("variable", [None, "SSL_CERT_FILE"])
def test_a_binary_ca_file_is_named_and_converted(
    keys: Keys, binary: str, variable: str | None, tmp_path: Path
) -> None:
    """The same for the CA's certificate, whatever names it."""
    ca = tmp_path / "ca"
    shutil.copy(keys.ca_file, ca)
    command = (
        ["x509", "-outform", "DER"]
        if binary == "DER"
        else ["pkcs12", "-export", "-nokeys", "-passout", "pass:"]
    )
    made = convert(ca, *command)
    connection = Connection(ca_file=None if variable else str(made), profile="p")
    trust = resolve_trust_config(connection, {variable: str(made)} if variable else {})
    with pytest.raises(ConfigError, match=f"is in {binary} format") as caught:
        build_tls_context(trust, connection)
    convert_command, _, use = (caught.value.fix or "").partition(" && ")
    assert use == (
        f"export {variable}={made}.pem"
        if variable
        else f"tokencli profiles edit p --set ca_file={made}.pem"
    )
    subprocess.run(["bash", "-c", convert_command], check=True, env=dict(os.environ), input=b"\n")
    build_tls_context(resolve_trust_config(Connection(ca_file=f"{made}.pem"), {}))


def test_a_missing_intermediate_certificate_is_named(keys: Keys, tmp_path: Path) -> None:
    """If the server sends only its own certificate, the cause names the CA that issued it."""
    root = trustme.CA()
    middle = root.create_child_ca()
    leaf = middle.issue_cert("127.0.0.1")
    root.cert_pem.write_to_path(tmp_path / "root.pem")
    middle.cert_pem.write_to_path(tmp_path / "middle.pem")
    for name, chain in {"alone": leaf.cert_chain_pems[:1], "whole": leaf.cert_chain_pems}.items():
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (tmp_path / name).write_bytes(
            b"".join(each.bytes() for each in (leaf.private_key_pem, *chain))
        )
        server.load_cert_chain(tmp_path / name)
        with refusing_requests(server) as url:
            causes = {}
            for ca_file in ("root.pem", "middle.pem", keys.ca_file):
                try:
                    HttpTransport({}, print, lambda _: None).send(
                        HttpRequest("POST", url, {}), Connection(ca_file=str(tmp_path / ca_file))
                    )
                except TlsError as error:
                    causes[ca_file] = error.cause or ""
                except UnreachableError:
                    pass
        missing = {
            ca_file
            for ca_file, cause in causes.items()
            if "didn't send the certificate of its issuer" in cause
        }
        assert missing == ({"root.pem", keys.ca_file} if name == "alone" else set())
        assert causes.keys() == ({"root.pem", keys.ca_file} if name == "alone" else {keys.ca_file})


@contextmanager
def refusing_requests(server: ssl.SSLContext) -> Iterator[str]:
    """Run a server that closes each connection after the handshake."""

    def accept(listening: socket.socket) -> None:
        while True:
            try:
                guest = listening.accept()[0]
            except OSError:
                return
            with suppress(OSError), guest, server.wrap_socket(guest, server_side=True):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, args=(listening,))
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/t"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()

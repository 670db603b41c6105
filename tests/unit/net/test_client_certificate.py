"""The TLS client certificate: what is sent in the handshake, and errors before it."""

import os
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from tests.servers.keys import PASSPHRASE, Keys
from tokencli.errors import ConfigError, CredentialsError, TlsError
from tokencli.models import ClientCertificate, Connection, HttpRequest, Secret
from tokencli.net.tls_context import load_client_certificate
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

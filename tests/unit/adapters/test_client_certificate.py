"""The client's certificate: what reaches the handshake, and what is told before it."""

import ssl
from pathlib import Path

import pytest

from tests.servers.keys import PASSPHRASE, Keys
from tokencli.adapters.client_certificate import show
from tokencli.errors import ConfigError, CredentialsError
from tokencli.model import ClientCertificate, Secret


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Make one CA and the certificates."""
    return Keys.made_in(tmp_path_factory.mktemp("keys"))


def context() -> ssl.SSLContext:
    """Return a context as the transport has it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_a_pair_is_taken_locked_or_not(keys: Keys) -> None:
    """With the passphrase where there is one to be had; one too many does no harm."""
    cert, secret = str(keys.client_cert), Secret(PASSPHRASE)
    show(ClientCertificate(cert, str(keys.client_key)), context())
    show(ClientCertificate(cert, str(keys.client_key), secret), context())
    show(ClientCertificate(cert, str(keys.encrypted_client_key), secret), context())


@pytest.mark.parametrize(
    ("passphrase", "says"),
    [(None, "no key_passphrase"), (Secret("canary-wrong"), "its passphrase is another")],
)
def test_a_locked_key_is_a_matter_of_credentials(
    keys: Keys, passphrase: Secret | None, says: str
) -> None:
    """OpenSSL asks nobody; the message does not quote what was tried."""
    shown = ClientCertificate(str(keys.client_cert), str(keys.encrypted_client_key), passphrase)
    with pytest.raises(CredentialsError, match=says) as caught:
        show(shown, context())
    assert "canary" not in caught.value.message


def test_files_that_don_t_fit_are_a_matter_of_configuration(keys: Keys, tmp_path: Path) -> None:
    """Missing, a folder, text, the files exchanged, or a key of something else: each is told."""
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
            show(ClientCertificate(cert_file, key_file), context())
        assert "nothing was sent" in caught.value.message

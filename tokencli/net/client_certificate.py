"""A TLS client certificate: loaded into the context, or refused in words (RFC 8705)."""

import ssl
from pathlib import Path
from typing import NoReturn

from tokencli.errors import ConfigError, CredentialsError
from tokencli.models import ClientCertificate


def load_client_certificate(certificate: ClientCertificate, context: ssl.SSLContext) -> None:
    """Let `context` show the certificate to a server that asks for one.

    Raises:
        ConfigError: a file is missing, can't be read, or certificate and key are no pair.
        CredentialsError: the key is encrypted, and the passphrase is missing or another.
    """
    for path in (certificate.cert_file, certificate.key_file):
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:
            _raise_unusable_certificate(
                path, f"can't be read ({getattr(error, 'strerror', None) or 'not a path'})"
            )
    asked = False

    def passphrase() -> str:  # a callback, or OpenSSL would ask at the terminal by itself
        nonlocal asked
        asked = True
        return certificate.passphrase.reveal() if certificate.passphrase else ""

    try:
        context.load_cert_chain(certificate.cert_file, certificate.key_file, passphrase)
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            _raise_unusable_certificate(
                certificate.key_file, f"is not the key of {certificate.cert_file[:200]!r}"
            )
        if asked:
            _raise_encrypted_key(certificate)
        _raise_unusable_certificate(certificate.cert_file, "or its key is not in PEM form")


def _raise_encrypted_key(certificate: ClientCertificate) -> NoReturn:
    what = "its passphrase is another" if certificate.passphrase else "there is no key_passphrase"
    raise CredentialsError(
        f"the key {certificate.key_file[:200]!r} of the client certificate is encrypted, and {what};"
        " nothing was sent",
        fix='key_passphrase = { file = "…" } in the profile: tokencli profiles edit',
    ) from None


def _raise_unusable_certificate(path: str, why: str) -> NoReturn:
    raise ConfigError(
        f"the client certificate can't be used: {path[:200]!r} {why}; nothing was sent",
        fix="check client_cert and client_key: tokencli profiles edit",
    ) from None

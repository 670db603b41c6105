"""The TLS client certificate (RFC 8705)."""

import ssl
from pathlib import Path

from tokencli.errors import ConfigError, CredentialsError
from tokencli.models import ClientCertificate, Connection


def load_client_certificate(
    certificate: ClientCertificate, context: ssl.SSLContext, connection: Connection
) -> None:
    """Load the certificate into `context`, for servers that request one.

    Raises:
        ConfigError: a file is missing or can't be read, or certificate and key don't match.
        CredentialsError: the key is encrypted, and the passphrase is missing or wrong.
    """
    for path in (certificate.cert_file, certificate.key_file):
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:
            reason = f"can't be read ({getattr(error, 'strerror', None) or 'not a path'})"
            raise _certificate_error(path, reason, connection) from None
    passphrase_requested = False

    def passphrase() -> str:  # a callback, because OpenSSL itself would prompt at the terminal
        nonlocal passphrase_requested
        passphrase_requested = True
        return certificate.passphrase.reveal() if certificate.passphrase else ""

    try:
        context.load_cert_chain(certificate.cert_file, certificate.key_file, passphrase)
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            reason = f"is not the key of {certificate.cert_file[:200]!r}"
            raise _certificate_error(certificate.key_file, reason, connection) from None
        if passphrase_requested:
            raise _passphrase_error(certificate, connection) from None
        reason = "or its key is not in PEM format"
        raise _certificate_error(certificate.cert_file, reason, connection) from None


def _passphrase_error(certificate: ClientCertificate, connection: Connection) -> CredentialsError:
    reason = (
        "key_passphrase does not decrypt it"
        if certificate.passphrase
        else "the profile has no key_passphrase"
    )
    return CredentialsError(
        f"the key {certificate.key_file[:200]!r} of the client certificate is encrypted, and {reason};"
        " nothing was sent",
        fix=f"{connection.edit_command()} --secret key_passphrase=file:PATH",
    )


def _certificate_error(path: str, reason: str, connection: Connection) -> ConfigError:
    return ConfigError(
        f"can't use the client certificate: {path[:200]!r} {reason}; nothing was sent",
        fix=connection.edit_command("client_cert=PATH", "client_key=PATH"),
    )

"""The TLS context: which CAs are trusted, and the client certificate (RFC 8705) if there is one.

In this order: `ca_file` of the profile, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE with
SSL_CERT_DIR, the operating system's trust store. The first that is set is used exclusively.
"""

import os
import ssl
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from tokencli.errors import ConfigError, CredentialsError
from tokencli.fast_dataclass import dataclass
from tokencli.humanize import name_der_format
from tokencli.models import ClientCertificate, Connection
from tokencli.shell_words import user_shell

CA_BUNDLE_VARIABLES = (
    ("REQUESTS_CA_BUNDLE",),
    ("CURL_CA_BUNDLE",),
    ("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""In order of precedence; the variables of a group are used together."""


@dataclass(frozen=True, slots=True)
class TrustConfig:
    """The trusted CAs: files and directories of certificates, else the operating system's."""

    ca_paths: tuple[tuple[str, Path], ...] = ()
    """(variable or key, file or hashed directory) each."""
    verify_certificates: bool = True
    """False if the profile sets `insecure`."""

    @property
    def description(self) -> str:
        """Name what certificates are checked against, for messages."""
        if not self.verify_certificates:
            return "nothing (the profile sets insecure = true)"
        if not self.ca_paths:
            return "the operating system's trust store"
        return " and ".join(f"{path} ({origin})" for origin, path in self.ca_paths)


def resolve_trust_config(connection: Connection, environ: Mapping[str, str]) -> TrustConfig:
    """Return which CAs to trust; no file is read yet."""
    if connection.insecure:
        return TrustConfig(verify_certificates=False)
    if connection.ca_file:
        return TrustConfig((("ca_file of the profile", Path(connection.ca_file)),))
    for group in CA_BUNDLE_VARIABLES:
        paths = tuple(
            (name, Path(part))
            for name in group
            for part in _split_variable(name, environ.get(name, ""))
            if part
        )
        if paths:
            return TrustConfig(paths)
    return TrustConfig()


def build_tls_context(
    trust: TrustConfig,
    connection: Connection = Connection(),  # noqa: B008  # it is frozen
) -> ssl.SSLContext:
    """Build the context: TLS 1.2 or later, host names checked, only the CAs of `trust`.

    The `connection` is only used for fixes.

    Raises:
        ConfigError: a certificate file is missing, can't be read, or contains no certificate.
    """
    context = (
        _create_os_trust_context()
        if trust.verify_certificates and not trust.ca_paths
        else _create_empty_context()
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not trust.verify_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for origin, path in trust.ca_paths:
        if (reason := _load_ca_certificates(context, path)) is not None:
            raise _ca_error(origin, path, reason, connection)
    return context


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
            reason = f"is not the key of '{certificate.cert_file[:200]}'"
            raise _certificate_error(certificate.key_file, reason, connection) from None
        if passphrase_requested:
            raise _passphrase_error(certificate, connection) from None
        for key, path in (
            ("client_cert", certificate.cert_file),
            ("client_key", certificate.key_file),
        ):
            if (binary := _read_der_format(Path(path))) is not None:
                raise _binary_certificate_error(key, path, binary, connection) from None
        reason = "or its key is not in PEM format"
        raise _certificate_error(certificate.cert_file, reason, connection) from None


def _create_empty_context() -> ssl.SSLContext:
    # Not create_default_context(): it loads the system's anchors and obeys SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    # So that an intermediate CA's or the server's own certificate is enough.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _create_os_trust_context() -> ssl.SSLContext:
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _split_variable(name: str, value: str) -> list[str]:
    """Split SSL_CERT_DIR, which is a list; directories that don't exist are ignored, as in OpenSSL."""
    if name != "SSL_CERT_DIR":
        return [value]
    parts = value.split(os.pathsep)
    return [part for part in parts if Path(part).is_dir()] or parts[:1]


def _load_ca_certificates(context: ssl.SSLContext, path: Path) -> str | None:
    """Load a file or hashed directory of certificates; return why it can't be used, or None."""
    try:
        if path.is_dir():
            if not any(path.glob("????????.[0-9]")):
                return "is a directory without certificates that are named by their hash"
            context.load_verify_locations(capath=path)
        elif not path.exists():
            return "does not exist"
        elif not path.is_file():
            return "is not a file"
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        binary = _read_der_format(path)
        return f"is in {binary} format, not PEM" if binary else "contains no PEM certificate"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return f"can't be read ({reason or 'not a path'})"
    return None


def _read_der_format(path: Path) -> str | None:
    """Return `DER` or `PKCS#12` if the file is in that binary format, else None."""
    try:
        return name_der_format(path.read_bytes()) if path.is_file() else None
    except OSError:
        return None


def _ca_error(origin: str, path: Path, reason: str, connection: Connection) -> ConfigError:
    is_variable = origin in chain(*CA_BUNDLE_VARIABLES)
    shell = user_shell()
    fix = (
        shell.set_variable(origin, shell.example_path("ca.pem"))
        if is_variable
        else shell.list_path(str(path))
    )
    if (binary := _read_der_format(path)) is not None:
        source, target = shell.quote(str(path)), shell.quote(f"{path}.pem")
        convert = (
            f"openssl pkcs12 -in {source} -nokeys -out {target}"
            if binary == "PKCS#12"
            else f"openssl x509 -inform DER -in {source} -out {target}"
        )
        use = shell.set_variable(origin, f"{path}.pem") if is_variable else connection.edit_command(f"ca_file={target}")  # fmt: skip
        fix = shell.chain(convert, use)
    return ConfigError(
        f"the CA file '{str(path)[:200]}' (from {origin}) {reason}; nothing was sent",
        cause="the CA's certificate belongs there, in PEM format",
        fix=fix,
    )


def _binary_certificate_error(
    key: str, path: str, binary: str, connection: Connection
) -> ConfigError:
    """Return the error for a client certificate or key in DER or PKCS#12, with the conversion."""
    shell = user_shell()
    source, target = shell.quote(path), shell.quote(f"{path}.pem")
    settings = [f"{key}={target}"]
    if binary == "PKCS#12":
        settings = [f"client_cert={target}", f"client_key={target}"]
        convert = shell.run_privately(f"openssl pkcs12 -in {source} -nodes -out {target}")
    elif key == "client_cert":
        convert = f"openssl x509 -inform DER -in {source} -out {target}"
    else:
        convert = shell.run_privately(f"openssl pkey -inform DER -in {source} -out {target}")
    error = _certificate_error(path, f"is in {binary} format, not PEM", connection)
    error.fix = shell.chain(convert, connection.edit_command(*settings))
    return error


def _passphrase_error(certificate: ClientCertificate, connection: Connection) -> CredentialsError:
    reason = (
        "key_passphrase does not decrypt it"
        if certificate.passphrase
        else "the profile has no key_passphrase"
    )
    return CredentialsError(
        f"the key '{certificate.key_file[:200]}' of the client certificate is encrypted, and {reason};"
        " nothing was sent",
        fix=f"{connection.edit_command()} --secret key_passphrase=file:PATH",
    )


def _certificate_error(path: str, reason: str, connection: Connection) -> ConfigError:
    return ConfigError(
        f"can't use the client certificate: '{path[:200]}' {reason}; nothing was sent",
        fix=connection.edit_command("client_cert=PATH", "client_key=PATH"),
    )

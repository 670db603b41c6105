"""Everything about TLS on this side: who vouches for a server, and the context that asks them.

The order: `ca_file` of the profile, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE with
SSL_CERT_DIR, the operating system's trust store. The first that is given counts, and nothing beside
it. A client certificate is loaded into the context by `adapters.client_certificate`.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from tokencli.errors import ConfigError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Connection

CA_BUNDLE_VARIABLES = (
    ("REQUESTS_CA_BUNDLE",),
    ("CURL_CA_BUNDLE",),
    ("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Variables in the order in which they count; those in one group count together."""


@dataclass(frozen=True, slots=True)
class TrustConfig:
    """Who vouches for servers: certificate files and folders, else the operating system."""

    ca_paths: tuple[tuple[str, Path], ...] = ()
    """(variable or key, file or hashed folder) each."""
    verify_certificates: bool = True
    """False where the profile says `insecure`."""

    @property
    def description(self) -> str:
        """Name the place as a person would look for it."""
        if not self.verify_certificates:
            return "nothing, since the profile says insecure = true"
        if not self.ca_paths:
            return "the operating system's trust store"
        return " and ".join(f"{path} ({origin})" for origin, path in self.ca_paths)


def resolve_trust_config(connection: Connection, environ: Mapping[str, str]) -> TrustConfig:
    """Decide who vouches for the server; nothing is read yet."""
    if connection.insecure:
        return TrustConfig(verify_certificates=False)
    if connection.ca_file:
        return TrustConfig((("ca_file of the profile", Path(connection.ca_file)),))
    for group in CA_BUNDLE_VARIABLES:
        places = tuple(
            (name, Path(part))
            for name in group
            for part in _split_variable(name, environ.get(name, ""))
            if part
        )
        if places:
            return TrustConfig(places)
    return TrustConfig()


def build_tls_context(trust: TrustConfig) -> ssl.SSLContext:
    """Build the context: TLS 1.2 at least, host names checked, no trust anchor but `trust`'s.

    Raises:
        ConfigError: a certificate file is missing, can't be read, or is none.
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
        _load_ca_certificates(context, origin, path)
    return context


def _create_empty_context() -> ssl.SSLContext:
    # Not create_default_context(): it loads the system's anchors and obeys SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    # So that a pinned intermediate, or the server's own certificate, is enough.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _create_os_trust_context() -> ssl.SSLContext:
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _split_variable(name: str, value: str) -> list[str]:
    """Split SSL_CERT_DIR, which is a list; folders that are not there don't count, as in OpenSSL."""
    if name != "SSL_CERT_DIR":
        return [value]
    found = value.split(os.pathsep)
    return [part for part in found if Path(part).is_dir()] or found[:1]


def _load_ca_certificates(context: ssl.SSLContext, origin: str, path: Path) -> None:
    try:
        if path.is_dir():
            if not any(path.glob("????????.[0-9]")):
                _raise_unusable_ca(
                    origin, path, "is a folder without certificates named by their hash"
                )
            context.load_verify_locations(capath=path)
        elif not path.exists():
            _raise_unusable_ca(origin, path, "does not exist")
        elif not path.is_file():
            _raise_unusable_ca(origin, path, "is not a file")
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        _raise_unusable_ca(origin, path, "holds no PEM certificate")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        _raise_unusable_ca(origin, path, f"can't be read ({reason or 'not a path'})")


def _raise_unusable_ca(origin: str, path: Path, why: str) -> NoReturn:
    where = "in the profile: tokencli profiles edit" if " " in origin else "in the environment"
    name = origin.split()[0]
    raise ConfigError(
        f"the CA file {str(path)[:200]!r}, named by {origin}, {why}; nothing was sent",
        fix=f'set {name} to a file of certificates that begin with "-----BEGIN CERTIFICATE-----", '
        f"or take it out, {where}",
    ) from None

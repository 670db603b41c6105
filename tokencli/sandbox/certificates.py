"""The sandbox's CA and certificates."""

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from tokencli.sandbox.https_server import HOST
from tokencli.sandbox.oauth2 import CERTIFICATE_CLIENT_ID
from tokencli.sandbox.workspace import Workspace, write_private_file

if TYPE_CHECKING:
    import trustme

CertificateProblem = Literal["unknown_ca", "wrong_name", "expired"]


def create_certificates(workspace: Workspace) -> tuple["trustme.CA", ssl.SSLContext]:
    """Create a CA and a certificate for loopback; return the CA and the TLS context.

    The workspace gets a client certificate, which the server accepts but doesn't require.
    """
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert(HOST, "localhost", key_type=trustme.KeyType.ECDSA)
    context = _create_tls_context(workspace, certificate)
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    client = authority.issue_cert(CERTIFICATE_CLIENT_ID, key_type=trustme.KeyType.ECDSA)
    workspace.client_cert.write_bytes(client.cert_chain_pems[0].bytes())
    write_private_file(workspace.client_key, client.private_key_pem.bytes())
    return authority, context


def create_bad_certificate(
    workspace: Workspace, authority: "trustme.CA", problem: CertificateProblem
) -> ssl.SSLContext:
    """Create a certificate with this problem, and return its TLS context."""
    import trustme

    name, not_after = HOST, None
    if problem == "unknown_ca":
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    elif problem == "wrong_name":
        name = "invoices.example.com"
    else:
        not_after = datetime.now(UTC) - timedelta(days=2)
    certificate = authority.issue_cert(name, not_after=not_after, key_type=trustme.KeyType.ECDSA)
    return _create_tls_context(workspace, certificate)


def _create_tls_context(workspace: Workspace, certificate: "trustme.LeafCert") -> ssl.SSLContext:
    """Return a context with this certificate.

    ssl loads keys only from files, so the key is in the workspace for a moment.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate.private_key_and_cert_chain_pem.tempfile(dir=str(workspace.directory)) as path:
        context.load_cert_chain(path)
    return context

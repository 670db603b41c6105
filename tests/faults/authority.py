"""Valid and invalid certificates, created once per process."""

import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

NAMES = ("127.0.0.1", "::1", "localhost", "idp.example")
"""What a right certificate is for."""


@cache
def ca() -> trustme.CA:
    """Return the CA that the tests trust."""
    return trustme.CA()


@cache
def stranger() -> trustme.CA:
    """Return a CA that nothing trusts."""
    return trustme.CA()


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="faults-")


@cache
def ca_file(which: Callable[[], trustme.CA] = ca) -> Path:
    """Return a PEM file with the CA's certificate that lasts as long as the process."""
    path = Path(_folder().name) / f"{which.__name__}.pem"
    which().cert_pem.write_to_path(str(path))
    return path


def _server() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def _with(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = _server()
    leaf.configure_cert(context)
    return context


def _good() -> ssl.SSLContext:
    return _with(ca().issue_cert(*NAMES))


def _expired() -> ssl.SSLContext:
    now = datetime.now(UTC)
    return _with(
        ca().issue_cert(*NAMES, not_before=now - timedelta(9), not_after=now - timedelta(2))
    )


def _expiring() -> ssl.SSLContext:
    return _with(ca().issue_cert(*NAMES, not_after=datetime.now(UTC) + timedelta(9.5)))


def _early() -> ssl.SSLContext:
    now = datetime.now(UTC)
    return _with(
        ca().issue_cert(*NAMES, not_before=now + timedelta(2), not_after=now + timedelta(9))
    )


def _other_name() -> ssl.SSLContext:
    return _with(ca().issue_cert("other.example"))


def _unknown_ca() -> ssl.SSLContext:
    return _with(stranger().issue_cert(*NAMES))


def _self_signed() -> ssl.SSLContext:
    context = _server()
    own = trustme.CA()
    with own.private_key_pem.tempfile() as key, own.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    return context


def _old() -> ssl.SSLContext:
    context = _good()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():  # Python deprecates what is shown to be refused here
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _wants_certificate() -> ssl.SSLContext:
    context = _good()
    context.verify_mode = ssl.CERT_REQUIRED
    ca().configure_trust(context)
    return context


CONTEXTS: dict[str, Callable[[], ssl.SSLContext]] = {
    "good": cache(_good),
    "expired": cache(_expired),
    "early": cache(_early),
    "expiring": cache(_expiring),
    "other name": cache(_other_name),
    "unknown CA": cache(_unknown_ca),
    "self-signed": cache(_self_signed),
    "old": cache(_old),
    "wants certificate": cache(_wants_certificate),
}
"""How a server presents itself -> the context that does so."""
